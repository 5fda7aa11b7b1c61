"""Where the model is played: processes that share a state folder, the clock, and their fates.

The store, the journal and the ledger are the product's. A connection here does not sync: the
model is about what is written in which order, not about power cuts.
"""

import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from geekai_video_mcp.domain.lifecycle import LEASE_SECONDS, Observation, Task, advance, import_task
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import Change, Ledger
from geekai_video_mcp.ledger.journal import Journal
from geekai_video_mcp.ledger.sqlite import Store
from reliability.reference_model import DAY, ExpectedTask, ReferenceModel
from support.memory import in_memory

EPOCH: Final = 1_790_000_000.0
HANDS: Final = 3
"""Processes at a time: two to race, and one to come upon what they left."""
READS: Final = 12
"""What was read and may still be acted on; the oldest is forgotten first."""
PICK: Final = st.integers(0, 59)
REPEATED_FOR: Final = 60.0
"""Seconds after a result was told in which the same request still finds it."""
JUMPS: Final = (
    *(1.0, 15.0, REPEATED_FOR + 1, LEASE_SECONDS + 1, 1000.0, DAY / 2, DAY + 1),
    *(-1.0, -3600.0, -2 * DAY),
)
FATES: Final = ("die", "replay", "fill", "make_room", "make_room", "take_in")
MORTAL: Final = 39
"""Of `PICK`: a third of the time, the rarer thing happens."""
PICTURE: Final = "data:image/png;base64," + "A" * 1100
"""Just too long to be kept where a task is."""

FILL: Final = """
    CREATE TRIGGER full_{table}_{verb} BEFORE {verb} ON {table}
    BEGIN SELECT RAISE(ABORT, 'disk full'); END
"""
WRITES: Final = (
    *(("task", "UPDATE"), ("task", "INSERT"), ("event", "INSERT")),
    *(("body", "UPDATE"), ("body", "INSERT"), ("budget", "INSERT")),
)

T = TypeVar("T")


class AtOnce(Ledger):
    """The ledger without its threads, so that what is asked of it is done on the spot."""

    async def _run_in_worker(self, transaction: Callable[[], T]) -> T:
        return transaction()


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """What *work* comes to, which waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise AssertionError("it waits")


@dataclass(eq=False)
class Process:
    """One process: its name and its connection."""

    name: str
    store: Store
    ledger: Ledger

    @property
    def own_id(self) -> str:
        return self.name


class BaseRules(RuleBasedStateMachine):
    """The processes, what they share, and what happens to them all."""

    steps: ClassVar[int] = 0
    count: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=in_memory()))
        self.names = (f"{number:03}" for number in itertools.count())
        self.journal = Journal(self.folder)
        self.hands = [self.born() for _ in range(HANDS)]
        self.books = ReferenceModel(self.folder)
        self.at = EPOCH
        self.full = False
        self.reads: list[Task] = []
        self.posts: list[tuple[Process, Task]] = []
        self.claims: list[Task] = []
        self.leases: dict[str, tuple[str, float]] = {}

    def born(self) -> Process:
        store = Store(self.folder)
        store._db.execute("PRAGMA synchronous=OFF")  # pyright: ignore[reportPrivateUsage]
        return Process(next(self.names), store, AtOnce(store, self.journal))

    def alive(self, owner: str | None) -> bool:
        return any(hand.name == owner for hand in self.hands)

    def hand(self, pick: int) -> Process:
        return self.hands[pick % HANDS]

    def new_task(self, task_id: str) -> ExpectedTask:
        return self.books.wishes[task_id]

    def any_id(self, pick: int) -> str:
        return list(self.books.wishes)[pick % len(self.books.wishes)]

    def any(self, *statuses: str) -> bool:
        return bool(self.books.ids(*statuses))

    def find(self, hand: Process, task_id: str) -> Task:
        task = hand.store.find(task_id)
        assert task is not None
        return self.remember(task)

    def remember(self, task: Task) -> Task:
        self.reads = [*self.reads, task][-READS:]
        return task

    def observation(self, task: Task, status: Status, **more: Any) -> Observation:  # noqa: ANN401 - its fields
        return Observation(
            status=status, at=self.at, owner=task.owner, attempt=task.attempt, **more
        )

    def tried(self, hand: Process, task_id: str, change: Change) -> Task | None:
        """The task after the change; None if the disk refused it."""
        try:
            return hand.store.change(task_id, change)
        except StorageUnavailable:
            assert self.full
            return None

    def note(self, task: Task, wanted: Mapping[str, Any], same: tuple[object, ...]) -> None:
        """A new wish, as it was just recorded."""
        self.books.wishes[task.id] = ExpectedTask(
            same=same,
            key=task.idempotency_key,
            made_at=self.at,
            body=wanted,
            kept=PICTURE in wanted.values(),
        )

    @rule(who=PICK, how=st.sampled_from(FATES))
    def happen(self, who: int, how: str) -> None:
        getattr(self, how)(who)

    @rule(seconds=st.sampled_from(JUMPS))
    def jump(self, seconds: float) -> None:
        self.at += seconds
        self.books.allowance.jumped(seconds)

    def die(self, who: int) -> None:
        gone = self.hand(who)
        gone.store.close()
        self.posts = [(hand, task) for hand, task in self.posts if hand is not gone]
        self.hands[who % HANDS] = self.born()

    def replay(self, who: int) -> None:
        """As `Ledger.replay_journal`; at times it dies before it forgets what it handed over."""
        for note in self.journal.pending():
            done = self.tried(
                self.hand(who), note.task_id, partial(advance, observation=note.observation)
            )
            if done is None or who > MORTAL:
                return
            self.journal.forget(note)

    def fill(self, _: int) -> None:
        if not self.full:
            self.full = True
            for table, verb in WRITES:
                self.books.eye.execute(FILL.format(table=table, verb=verb))

    def make_room(self, _: int) -> None:
        if self.full:
            self.full = False
            for table, verb in WRITES:
                self.books.eye.execute(f"DROP TRIGGER full_{table}_{verb}")

    def take_in(self, who: int) -> None:
        theirs = f"stranger-{who % 4}"
        seen = Observation(status=Status.RUNNING, at=self.at, model="m")
        task = import_task(seen, provider_task_id=theirs, account="elsewhere")
        try:
            self.hand(who).store.add(task)
        except StorageUnavailable:
            assert self.full
        else:
            self.books.strangers.add(theirs)

    @invariant()
    def books_agree(self) -> None:
        BaseRules.steps += 1
        self.books.audit(self.at)

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            for hand in self.hands:
                hand.store.close()
            self.books.eye.close()
            shutil.rmtree(self.folder)

    def end(self) -> None:
        """All die, there is room, and the next server takes up what they left."""
        self.make_room(0)
        for who in range(HANDS):
            self.die(who)
        self.replay(0)
        self.books.audit(self.at)
        self.books.final_audit()
