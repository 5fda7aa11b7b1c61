"""A ledger under many hands, beside a model too simple to be wrong.

Hypothesis plays processes that share one state folder: they ask, claim, die, answer late,
read and act on what they read long after. The store, the journal and the rules of
`lifecycle` and `admission` are the product's; what the model believes it counts for itself,
and it reads the file with SQL of its own.

`python -m reliability.model --steps 100000` runs it at length. Its connections do not sync:
the model is about what is written in which order, not about power cuts.
"""

import argparse
import itertools
import shutil
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from geekai_video_mcp.admission import DAY, GRACE, Limits, Neighbours, admit
from geekai_video_mcp.errors import CapReached, RequestRefused, StorageUnavailable
from geekai_video_mcp.ledger import Change
from geekai_video_mcp.ledger.journal import Journal
from geekai_video_mcp.ledger.sqlite import Store
from geekai_video_mcp.lifecycle import (
    ALLOWED,
    LEASE,
    FileFact,
    FileStatus,
    Observation,
    Status,
    Task,
    adopt,
    advance,
    deliver,
    intend,
    keep,
    lease,
    overlook,
)
from support.memory import in_memory

EPOCH: Final = 1_790_000_000.0
HANDS: Final = 3
"""Processes at a time: two to race, and one to come upon what they left."""
READS: Final = 12
"""What was read and may still be acted on; the oldest is forgotten first."""
BUSY: Final = Limits(a_day=100, in_flight=3)
DAILY: Final = Limits(a_day=4, in_flight=100)
"""One cap at a time, or the tighter would hide the other."""
STEPS: Final = 60
"""Steps of one run: enough for a wish to be made, lost, found, paid and told."""
EXAMPLES: Final = 100
"""Runs between two looks at how many steps were taken."""
PICK: Final = st.integers(0, 59)
JUMPS: Final = (1.0, 15.0, GRACE + 1, LEASE + 1, 1000.0, DAY / 2, DAY + 1, -1.0, -3600.0, -2 * DAY)
HELD: Final = frozenset({"intended", "submitting", "pending", "running", "unknown"})
FREE: Final = frozenset({"intended", "rejected"})
"""What a request that was paid for can never be called again."""
SAID: Final = tuple(status for status in Status if status is not Status.SUBMITTING)
"""What anyone but the sender may say of a task."""
ANSWERS: Final = (*sorted(ALLOWED[Status.SUBMITTING]), *[Status.PENDING] * 4)
"""Accepted more often than all else: what is paid for has the longest way to go."""
FATES: Final = ("die", "replay", "fill", "make_room", "make_room", "take_in")
MORTAL: Final = 39
"""Of `PICK`: a third of the time, the rarer thing happens."""

AUDIT: Final = """
    SELECT id, status, attempt, owner, provider_task_id, file_status, error_code,
           service, idempotency_key, created_at, delivered_at, file_path
    FROM task
"""
STORY: Final = ("status", "attempt", "owner", "provider_task_id", "file_status", "error_code")
EVENTS: Final = f"SELECT task_id, {', '.join(STORY)} FROM event ORDER BY number"  # noqa: S608 - our own words
FILL: Final = """
    CREATE TRIGGER full_{table}_{verb} BEFORE {verb} ON {table}
    BEGIN SELECT RAISE(ABORT, 'disk full'); END
"""
WRITES: Final = (("task", "UPDATE"), ("task", "INSERT"), ("event", "INSERT"))


@dataclass
class Wish:
    """What the model knows of one request."""

    same: tuple[object, ...]
    """What makes another request a repeat of it."""
    key: str | None
    made_at: float
    posts: int = 0
    open: bool = False
    """Whether a POST left that may have been charged for all anyone knows."""
    paid: str | None = None
    """The service's name for it, once the service has charged and said so."""
    history: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    row: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(eq=False)
class Hand:
    """One process: its name and its connection."""

    name: str
    store: Store


class Hands(RuleBasedStateMachine):
    """The rules of the game, and what must hold after each."""

    steps: ClassVar[int] = 0
    count: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=in_memory()))
        self.names = (f"{number:03}" for number in itertools.count())
        self.hands = [self.born() for _ in range(HANDS)]
        self.journal = Journal(self.folder)
        self.eye = sqlite3.connect(self.folder / "ledger.sqlite3", isolation_level=None)
        self.eye.row_factory = sqlite3.Row
        self.at = EPOCH
        self.full = False
        self.wishes: dict[str, Wish] = {}
        self.strangers: set[str] = set()
        self.reads: list[Task] = []
        self.posts: list[tuple[Hand, Task]] = []
        self.claims: list[Task] = []
        self.leases: dict[str, tuple[str, float]] = {}
        # A run without a wish would try nothing, and one without a payment little.
        for who, (prompt, key) in enumerate([("a fox", None), ("a hare", "k1")]):
            self.ask(who, prompt, None, key, None)
            self.audit()
            self.send(who, 0, late=False)
            self.audit()

    def born(self) -> Hand:
        store = Store(self.folder)
        store._db.execute("PRAGMA synchronous=OFF")  # pyright: ignore[reportPrivateUsage]
        return Hand(next(self.names), store)

    def alive(self, owner: str | None) -> bool:
        return any(hand.name == owner for hand in self.hands)

    def hand(self, pick: int) -> Hand:
        return self.hands[pick % HANDS]

    def any_id(self, pick: int) -> str:
        return list(self.wishes)[pick % len(self.wishes)]

    def ids(self, *statuses: str) -> list[str]:
        return [i for i, wish in self.wishes.items() if wish.row["status"] in statuses]

    def any(self, *statuses: str) -> bool:
        return bool(self.ids(*statuses))

    def find(self, hand: Hand, task_id: str) -> Task:
        task = hand.store.find(task_id)
        assert task is not None
        return self.remember(task)

    def remember(self, task: Task) -> Task:
        self.reads = [*self.reads, task][-READS:]
        return task

    # What callers do.

    @rule(
        who=PICK,
        prompt=st.sampled_from(["a fox", "a hare"]),
        variation=st.sampled_from([None, None, 1, 2]),
        key=st.sampled_from([None, None, "k1", "k2"]),
        limits=st.sampled_from([BUSY, DAILY, None]),
    )
    def ask(
        self,
        who: int,
        prompt: str,
        variation: int | None,
        key: str | None,
        limits: Limits | None,
    ) -> None:
        hand = self.hand(who)
        task = intend(
            request={"model": "m", "prompt": prompt},
            service="s",
            owner=hand.name,
            at=self.at,
            idempotency_key=key,
            variation=variation,
        )

        def admitted(beside: Neighbours) -> Task:
            return admit(task, beside, limits=limits, at=self.at)

        same = (prompt, variation)
        try:
            found = hand.store.admit(task, task.request, admitted)
        except RequestRefused:
            assert any(live.key == key and live.same != same for live in self.live())
        except CapReached:
            assert limits is not None
            assert self.capped(limits)
            self.count["held by a cap"] += 1
        except StorageUnavailable:
            assert self.full
        else:
            self.remember(found)
            self.count["wishes" if found is task else "repeats"] += 1
            if found is not task:
                assert self.wishes[found.id].same == same
                assert found.status is not Status.REJECTED
                return
            assert limits is None or not self.capped(limits), "a cap was passed"
            assert not self.repeats(key, same), "a repeat became a second request"
            self.wishes[task.id] = Wish(same=same, key=key, made_at=self.at)

    def live(self) -> list[Wish]:
        return [wish for wish in self.wishes.values() if wish.row["status"] != "rejected"]

    def recent(self) -> list[Wish]:
        return [wish for wish in self.live() if wish.made_at > self.at - DAY]

    def capped(self, limits: Limits) -> bool:
        recent = self.recent()
        under_way = sum(wish.row["status"] in HELD for wish in recent)
        return len(recent) >= limits.a_day or under_way >= limits.in_flight

    def repeats(self, key: str | None, same: tuple[object, ...]) -> bool:
        """Whether this request surely is one that its caller has heard no end of."""
        if key is not None:
            return any(wish.key == key for wish in self.live())
        return any(
            wish.same == same
            and (wish.row["delivered_at"] is None or wish.row["status"] == "unknown")
            for wish in self.recent()
        )

    # What the engine does, on what it read just now or long ago.

    @precondition(lambda self: self.reads or self.any("intended"))
    @rule(who=PICK, pick=PICK, late=st.sampled_from([False, False, True]))
    def send(self, who: int, pick: int, *, late: bool) -> None:
        ready = self.ids("intended")
        hand = self.hand(who)
        if late or not ready:
            self.claim(hand, self.reads[pick % len(self.reads)])
        else:
            self.claim(hand, self.find(hand, ready[pick % len(ready)]))

    def claim(self, hand: Hand, task: Task) -> None:
        claim = Observation(
            status=Status.SUBMITTING, at=self.at, owner=hand.name, attempt=task.attempt + 1
        )
        found: list[Task] = []

        def take(now: Task) -> Task:
            found.append(now)
            return advance(now, claim)

        taken = self.tried(hand, task.id, take)
        if taken is None or taken is found[-1]:
            return
        wish = self.wishes[task.id]
        assert not wish.open, "a POST may have been charged, and another leaves"
        wish.open, wish.posts = True, wish.posts + 1
        self.count["POSTs"] += 1
        self.posts.append((hand, taken))
        self.claims.append(taken)

    @precondition(lambda self: self.posts)
    @rule(pick=PICK, status=st.sampled_from(ANSWERS))
    def answer(self, pick: int, status: Status) -> None:
        hand, task = self.posts.pop(pick % len(self.posts))
        wish, paid = self.wishes[task.id], None
        if status in FREE:
            wish.open = False
        elif status is not Status.UNKNOWN:
            wish.paid = paid = f"theirs-{next(self.names)}"
            self.count["paid"] += 1
        seen = self.seen(task, status, provider_task_id=paid)
        if self.tried(hand, task.id, partial(advance, seen=seen)) is None:
            self.count["kept in the journal"] += 1
            assert self.journal.write(task.id, seen)

    @precondition(lambda self: self.reads or self.claims)
    @rule(who=PICK, pick=PICK, how=st.sampled_from(["read", "give_up", "speak_out_of_turn"]))
    def meddle(self, who: int, pick: int, how: str) -> None:
        getattr(self, how)(self.hand(who), pick)

    def read(self, hand: Hand, pick: int) -> None:
        if pick % 2:
            self.find(hand, self.any_id(pick))
            return
        found = hand.store.unfinished("s")
        assert {task.id for task in found} == {
            task_id
            for task_id, wish in self.wishes.items()
            if wish.row["status"] in HELD - {"unknown"}
            or (wish.row["status"], wish.row["file_status"]) == ("succeed", "none")
        }
        for task in found:
            self.remember(task)

    def give_up(self, hand: Hand, pick: int) -> None:
        """An orphan as the engine ends it; at times one whose owner is alive after all."""
        task = self.reads[pick % len(self.reads)]
        if task.status not in {Status.INTENDED, Status.SUBMITTING}:
            return
        if self.alive(task.owner) and pick % 3:
            return
        sent = task.status is Status.SUBMITTING
        seen = self.seen(task, Status.UNKNOWN if sent else Status.REJECTED, error_code="orphaned")

        def given_up(now: Task) -> Task:
            return advance(now, seen) if now.status is task.status else now

        self.tried(hand, task.id, given_up)

    def speak_out_of_turn(self, hand: Hand, pick: int) -> None:
        """An attempt that is over, or whose task another process has now, changes nothing."""
        old = self.claims[pick % len(self.claims)] if self.claims else None
        if old is None:
            return
        row = self.wishes[old.id].row
        if (row["owner"], row["attempt"]) == (old.owner, old.attempt):
            return
        seen = self.seen(old, SAID[pick % len(SAID)], provider_task_id="nobody's")
        heard: list[bool] = []

        def spoken(now: Task) -> Task:
            after = advance(now, seen)
            heard.append(after != now)
            return after

        self.tried(hand, old.id, spoken)
        assert not any(heard), "a stale word was heard"

    @precondition(lambda self: self.any("pending", "running", "succeed", "failed", "unknown"))
    @rule(
        who=PICK,
        pick=PICK,
        how=st.sampled_from(["look", "look", "look_in_vain", "fetch", "watch", "hear"]),
    )
    def tend(self, who: int, pick: int, how: str) -> None:
        known = self.ids("pending", "running", "succeed", "failed", "unknown", "rejected")
        getattr(self, how)(self.hand(who), known[pick % len(known)], pick)

    def look(self, hand: Hand, task_id: str, pick: int) -> None:
        if self.wishes[task_id].row["provider_task_id"]:
            code = "c" if pick % 2 else None
            seen = Observation(status=SAID[pick % len(SAID)], at=self.at, error_code=code)
            self.tried(hand, task_id, partial(advance, seen=seen))

    def look_in_vain(self, hand: Hand, task_id: str, _: int) -> None:
        self.tried(hand, task_id, partial(overlook, at=self.at, delay=10.0))

    def fetch(self, hand: Hand, task_id: str, pick: int) -> None:
        status = list(FileStatus)[pick % len(FileStatus)]
        path = f"/videos/{next(self.names)}" if status is FileStatus.STORED else None
        self.tried(hand, task_id, partial(keep, fact=FileFact(status=status, path=path)))

    def watch(self, hand: Hand, task_id: str, _: int) -> None:
        before = hand.store.find(task_id)
        assert before is not None
        dead = None if self.alive(before.watcher) else before.watcher
        watched = partial(lease, watcher=hand.name, at=self.at, dead=dead)
        task = self.tried(hand, task_id, watched)
        if task is None or task.watcher != hand.name:
            return
        other, until = self.leases.get(task_id, (hand.name, 0.0))
        if other != hand.name and self.alive(other):
            assert not self.at < until <= self.at + LEASE, "two watch at once"
        self.leases[task_id] = (hand.name, self.at + LEASE)

    def hear(self, hand: Hand, task_id: str, _: int) -> None:
        self.tried(hand, task_id, partial(deliver, at=self.at))

    # What happens to them all.

    @rule(
        who=PICK,
        how=st.sampled_from(FATES),
    )
    def happen(self, who: int, how: str) -> None:
        getattr(self, how)(who)

    @rule(seconds=st.sampled_from(JUMPS))
    def jump(self, seconds: float) -> None:
        self.at += seconds

    def die(self, who: int) -> None:
        gone = self.hand(who)
        gone.store.close()
        self.posts = [(hand, task) for hand, task in self.posts if hand is not gone]
        self.hands[who % HANDS] = self.born()

    def replay(self, who: int) -> None:
        """As `Ledger.replay`; at times it dies before it forgets what it handed over."""
        for note in self.journal.notes():
            done = self.tried(self.hand(who), note.task_id, partial(advance, seen=note.seen))
            if done is None or who > MORTAL:
                return
            self.journal.forget(note)

    def fill(self, _: int) -> None:
        if not self.full:
            self.full = True
            for table, verb in WRITES:
                self.eye.execute(FILL.format(table=table, verb=verb))

    def make_room(self, _: int) -> None:
        if self.full:
            self.full = False
            for table, verb in WRITES:
                self.eye.execute(f"DROP TRIGGER full_{table}_{verb}")

    def take_in(self, who: int) -> None:
        theirs = f"stranger-{who % 4}"
        seen = Observation(status=Status.RUNNING, at=self.at, model="m")
        task = adopt(seen, provider_task_id=theirs, service="elsewhere")
        try:
            self.hand(who).store.add(task)
        except StorageUnavailable:
            assert self.full
        else:
            self.strangers.add(theirs)

    def seen(self, task: Task, status: Status, **more: Any) -> Observation:  # noqa: ANN401 - its fields
        return Observation(
            status=status, at=self.at, owner=task.owner, attempt=task.attempt, **more
        )

    def tried(self, hand: Hand, task_id: str, change: Change) -> Task | None:
        """The task after the change; None if the disk refused it."""
        try:
            return hand.store.change(task_id, change)
        except StorageUnavailable:
            assert self.full
            return None

    # What must hold.

    @invariant()
    def books_agree(self) -> None:
        Hands.steps += 1
        self.audit()

    def audit(self) -> None:
        rows = [dict(row) for row in self.eye.execute(AUDIT)]
        ours = [row for row in rows if row["service"] == "s"]
        assert {row["id"] for row in ours} == set(self.wishes), "a wish was lost, or made up"
        theirs = [row["provider_task_id"] for row in rows if row["service"] == "elsewhere"]
        assert sorted(theirs) == sorted(self.strangers)
        for row in ours:
            self.money(self.wishes[row["id"]], row)
            self.story(self.wishes[row["id"]], row)
        keys = Counter(w.key for w in self.live() if w.key is not None)
        assert all(count == 1 for count in keys.values()), "two live tasks share a key"

    def money(self, wish: Wish, row: dict[str, Any]) -> None:
        assert row["attempt"] == wish.posts, "an attempt without its one POST"
        assert row["provider_task_id"] in {None, wish.paid}
        if wish.paid is not None:
            assert row["status"] not in FREE, "paid for, and called free"
        before = wish.row
        for fact in ("provider_task_id", "delivered_at"):
            assert before.get(fact) in {None, row[fact]}, f"{fact} was lost"
        if before.get("file_status") == "stored":
            assert (row["file_status"], row["file_path"]) == ("stored", before["file_path"])

    def story(self, wish: Wish, row: dict[str, Any]) -> None:
        told = tuple(row[name] for name in STORY)
        if not wish.history:
            assert row["status"] == "intended"
        elif (before := wish.row["status"]) != row["status"]:
            assert Status(row["status"]) in ALLOWED[Status(before)], "no such way"
        if not wish.history or wish.history[-1] != told:
            wish.history.append(told)
        wish.row = row

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            for hand in self.hands:
                hand.store.close()
            self.eye.close()
            shutil.rmtree(self.folder)

    def end(self) -> None:
        """All die, there is room, and the next server takes up what they left."""
        self.make_room(0)
        for who in range(HANDS):
            self.die(who)
        self.replay(0)
        self.audit()
        for wish in self.wishes.values():
            assert wish.row["provider_task_id"] == wish.paid, "paid for, and lost"
        told = defaultdict[str, list[tuple[object, ...]]](list)
        for row in self.eye.execute(EVENTS):
            told[row["task_id"]].append(tuple(row)[1:])
        for task_id, wish in self.wishes.items():
            assert told[task_id] == wish.history
        assert [row[0] for row in self.eye.execute("PRAGMA integrity_check")] == ["ok"]


def options(examples: int) -> settings:
    """So many runs, nothing kept, nothing timed."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    began = time.monotonic()
    for number in itertools.count(asked.seed):
        run_state_machine_as_test(seed(number)(Hands), settings=options(EXAMPLES))
        if Hands.steps >= asked.steps:
            break
    took = time.monotonic() - began
    print(  # noqa: T201 - a program that a person runs
        f"{Hands.steps} steps from seed {asked.seed} in {took:.0f} s: 0 violations;"
        f" {', '.join(f'{count} {what}' for what, count in sorted(Hands.count.items()))}"
    )


if __name__ == "__main__":
    main()
