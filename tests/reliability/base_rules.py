"""The base of the model: processes that share a ledger, the clock, and incidents.

The store, the journal and the ledger are the product's.
"""

import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from geekai_video_mcp.domain.leases import LEASE_SECONDS, POLL_LEASE_SECONDS
from geekai_video_mcp.domain.lifecycle import (
    advance,
    import_task,
)
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
)
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import Change, Ledger
from geekai_video_mcp.ledger.journal import Journal
from reliability.model_databases import (
    FileDatabase,
    ModelDatabase,
    OpenStore,
    PostgresServer,
)
from reliability.reference_model import DAY, ExpectedTask, ReferenceModel
from support.memory import in_memory

EPOCH: Final = 1_790_000_000.0
PROCESSES: Final = 3
"""Processes at a time: two that race, and one that finds what they left behind."""
MAX_READS: Final = 12
"""Tasks that were read and may still be acted on; the oldest is dropped first."""
PICK: Final = st.integers(0, 59)
DUPLICATE_WINDOW: Final = 60.0
"""Seconds after a result was delivered in which the same request still returns that task."""
CLOCK_JUMPS: Final = (
    *(
        1.0,
        15.0,
        DUPLICATE_WINDOW + 1,
        LEASE_SECONDS + 1,
        POLL_LEASE_SECONDS + 1,
        1000.0,
        DAY / 2,
        DAY + 1,
    ),
    *(-1.0, -3600.0, -2 * DAY),
)
INCIDENTS: Final = (
    *("restart_process", "replay_journal", "fill_disk"),
    *("free_disk", "free_disk", "import_from_other_account"),
)
RARE_ABOVE: Final = 39
"""Of `PICK`: the rarer alternative happens above this value, a third of the time."""
IMAGE: Final = "data:image/png;base64," + "A" * 1100
"""Just too long to be stored in the task's own row."""


@dataclass(eq=False)
class Process:
    """One process: its id and its connection."""

    own_id: str
    store: OpenStore

    @property
    def ledger(self) -> Ledger:
        return self.store.ledger


class BaseRules(RuleBasedStateMachine):
    """The processes, the state that they share, and the incidents that affect them."""

    server: ClassVar[PostgresServer | None] = None
    """The PostgreSQL of all runs; without one, each has a file."""
    steps: ClassVar[int] = 0
    count: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=in_memory()))
        self.serials = (f"{number:03}" for number in itertools.count())
        self.journal = Journal(self.folder)
        self.database = self.open_database()
        self.processes = [self.start_process() for _ in range(PROCESSES)]
        self.model = ReferenceModel(self.database)
        self.at = EPOCH
        self.disk_full = False
        self.reads: list[Task] = []
        self.open_posts: list[tuple[Process, Task]] = []
        self.claims: list[Task] = []
        self.leases: dict[str, tuple[str, float]] = {}

    def open_database(self) -> ModelDatabase:
        if self.server is None:
            return FileDatabase(self.folder)
        self.server.empty()
        return self.server

    def start_process(self) -> Process:
        return Process(next(self.serials), self.database.open_store(self.journal))

    def is_alive(self, process_id: str | None) -> bool:
        return any(process.own_id == process_id for process in self.processes)

    def process(self, pick: int) -> Process:
        return self.processes[pick % PROCESSES]

    def expected(self, task_id: str) -> ExpectedTask:
        return self.model.tasks[task_id]

    def any_task_id(self, pick: int) -> str:
        return list(self.model.tasks)[pick % len(self.model.tasks)]

    def has_status(self, *statuses: str) -> bool:
        return bool(self.model.ids_with_status(*statuses))

    def read_task(self, process: Process, task_id: str) -> Task:
        task = process.store.find(task_id)
        assert task is not None
        return self.remember_read(task)

    def remember_read(self, task: Task) -> Task:
        self.reads = [*self.reads, task][-MAX_READS:]
        return task

    def observation(self, task: Task, status: Status, **more: Any) -> Observation:  # noqa: ANN401 - its fields
        return Observation(
            status=status, at=self.at, owner=task.owner, attempt=task.attempt, **more
        )

    def try_change(self, process: Process, task_id: str, change: Change) -> Task | None:
        """The task after the change; None if the disk refused it."""
        try:
            return process.store.change(task_id, change)
        except StorageUnavailable:
            assert self.disk_full
            return None

    def expect(self, task: Task, body: Mapping[str, Any], dedup_key: tuple[object, ...]) -> None:
        """Add a task that was just recorded to the model."""
        self.model.tasks[task.id] = ExpectedTask(
            dedup_key=dedup_key,
            idempotency_key=task.idempotency_key,
            created_at=self.at,
            body=body,
            body_stored=IMAGE in body.values(),
        )

    @rule(who=PICK, how=st.sampled_from(INCIDENTS))
    def have_incident(self, who: int, how: str) -> None:
        getattr(self, how)(who)

    @rule(seconds=st.sampled_from(CLOCK_JUMPS))
    def jump_clock(self, seconds: float) -> None:
        self.at += seconds
        self.model.bucket.advance_clock(seconds)

    def restart_process(self, who: int) -> None:
        dead = self.process(who)
        dead.store.close()
        self.open_posts = [
            (process, task) for process, task in self.open_posts if process is not dead
        ]
        self.processes[who % PROCESSES] = self.start_process()

    def replay_journal(self, who: int) -> None:
        """As `Ledger.replay_journal`; sometimes the process dies before it deletes the note."""
        for note in self.journal.pending():
            task = self.try_change(
                self.process(who), note.task_id, partial(advance, observation=note.observation)
            )
            if task is None or who > RARE_ABOVE:
                return
            self.journal.forget(note)

    def fill_disk(self, _: int) -> None:
        if not self.disk_full:
            self.disk_full = True
            self.database.fill()

    def free_disk(self, _: int) -> None:
        if self.disk_full:
            self.disk_full = False
            self.database.free()

    def import_from_other_account(self, who: int) -> None:
        provider_id = f"imported-{who % 4}"
        observation = Observation(status=Status.RUNNING, at=self.at, model="m")
        task = import_task(observation, provider_task_id=provider_id, account="elsewhere")
        try:
            self.process(who).store.add(task)
        except StorageUnavailable:
            assert self.disk_full
        else:
            self.model.imported_ids.add(provider_id)

    @invariant()
    def ledger_matches_model(self) -> None:
        BaseRules.steps += 1
        self.model.audit(self.at)

    def teardown(self) -> None:
        try:
            self.recover_and_audit()
        finally:
            self.free_disk(0)  # if an assertion came first
            for process in self.processes:
                process.store.close()
            self.database.close()
            shutil.rmtree(self.folder)

    def recover_and_audit(self) -> None:
        """Every process dies, the disk has space again, and the next server recovers."""
        self.free_disk(0)
        for who in range(PROCESSES):
            self.restart_process(who)
        self.replay_journal(0)
        self.model.audit(self.at)
        self.model.final_audit()
