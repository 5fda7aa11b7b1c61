"""What must hold for every task: a reference model, independent of the code under test.

Only the shape of the tables is the product's. The allowed transitions, the tasks that count
against a cap, the length of a day: all of it is written down again here, so that a wrong rule
there is not copied here. The ledger is read with SQL of this module's own.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reliability.model_databases import ModelDatabase

DAY: Final = 86_400.0
"""Seconds for which a cap counts, a duplicate is recognised, and a task is polled."""
MIN_POLLS: Final = 120
"""Polls before a task may expire, however old the clock makes it."""
BURST: Final = 10.0
POLLS_PER_SECOND: Final = 2.0
"""Polls at once, and polls a second, of all processes together."""
ROUNDING: Final = 0.01
"""Tokens by which the sums of the two implementations may differ."""
MAX_PAUSE: Final = 900.0
"""Seconds that a pause lasts at most; one that ends later was written by another clock."""

TRANSITIONS: Final[Mapping[str, str]] = {
    "waiting": "intended rejected",
    "intended": "submitting rejected",
    "submitting": "intended pending running succeed failed rejected unknown",
    "pending": "running succeed failed unknown",
    "running": "succeed failed unknown",
    "unknown": "pending running succeed failed abandoned",
    "abandoned": "pending running succeed failed",
    "succeed": "",
    "failed": "",
    "rejected": "",
}
"""The statuses that may follow each status."""
IN_FLIGHT: Final = frozenset({"intended", "submitting", "pending", "running", "unknown"})
POLLED: Final = frozenset({"pending", "running"})
UNCHARGED: Final = frozenset({"waiting", "intended", "rejected"})
"""Statuses that a request can never have again once it was paid for."""
SENDABLE: Final = frozenset({"waiting", "intended", "submitting", "unknown"})
"""Statuses in which the request may still have to be sent, so its images are kept."""

SELECT_TASKS: Final = """
    SELECT id, status, attempt, owner, provider_task_id, file_status, error_code, looks,
           service, idempotency_key, created_at, delivered_at, file_path
    FROM task ORDER BY id
"""
SELECT_BODIES: Final = "SELECT task_id, content FROM body ORDER BY task_id"
EVENT_COLUMNS: Final = (
    *("status", "attempt", "owner"),
    *("provider_task_id", "file_status", "error_code"),
)
SELECT_EVENTS: Final = f"SELECT task_id, {', '.join(EVENT_COLUMNS)} FROM event ORDER BY number"  # noqa: S608 - columns of this file


@dataclass
class ExpectedTask:
    """What the model knows about one request."""

    dedup_key: tuple[object, ...]
    """Another request with the same value is a duplicate of this one."""
    idempotency_key: str | None
    created_at: float
    body: Mapping[str, Any]
    """The whole request to be sent, images included."""
    body_stored: bool
    """Whether the body is stored apart from the task, because of its images."""
    post_count: int = 0
    maybe_charged: bool = False
    """Whether a POST was sent that may have been charged, as far as is known."""
    sent_at: float = 0.0
    paid_id: str | None = None
    """The provider's id, once the provider has charged and answered."""
    attached_id: str | None = None
    """The provider's id as the user attached it."""
    history: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    row: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def status(self) -> str:
        return self.row["status"]

    @property
    def provider_task_id(self) -> str | None:
        """The provider's id as the ledger has it."""
        return self.row["provider_task_id"]

    def may_expire(self, at: float) -> bool:
        """Whether a poll that finds it unfinished is the last one."""
        return at - self.sent_at >= DAY and self.row["looks"] >= MIN_POLLS


@dataclass
class TokenBucket:
    """How many polls the provider can receive at most, with a clock that jumps."""

    tokens: float = BURST
    paused_until: float = 0.0

    def advance_clock(self, seconds: float) -> None:
        self.tokens = min(BURST, self.tokens + max(0.0, seconds) * POLLS_PER_SECOND)

    def is_paused(self, at: float) -> bool:
        return at < self.paused_until <= at + MAX_PAUSE

    def pause(self, at: float, seconds: float) -> None:
        until = at + seconds
        self.paused_until = max(until, self.paused_until) if self.is_paused(at) else until
        self.tokens = min(self.tokens, 0.0)

    def take_token(self, at: float, *, priority: bool) -> None:
        assert not self.is_paused(at), "a request was allowed during a pause"
        assert priority or self.tokens >= 1 - ROUNDING, "more polls than the shared rate allows"
        self.tokens = max(self.tokens - 1, -BURST)


class ReferenceModel:
    """Every expected task, and what must hold for it in the ledger."""

    def __init__(self, database: ModelDatabase) -> None:
        self._database = database
        self.tasks: dict[str, ExpectedTask] = {}
        self.imported_ids: set[str] = set()
        self.bucket = TokenBucket()

    def read_rows(self) -> list[dict[str, Any]]:
        """The current content of the ledger: every task, then every body."""
        statements = (SELECT_TASKS, SELECT_BODIES)
        return [dict(row) for each in statements for row in self._database.select(each)]

    def ids_with_status(self, *statuses: str) -> list[str]:
        """The ids of the tasks in these statuses, oldest first."""
        return [task_id for task_id, task in self.tasks.items() if task.status in statuses]

    def provider_ids(self) -> list[str]:
        """The provider's ids that the ledger has for its tasks."""
        ids = (task.provider_task_id for task in self.tasks.values())
        return [provider_id for provider_id in ids if provider_id is not None]

    def unrejected_tasks(self) -> list[ExpectedTask]:
        return [task for task in self.tasks.values() if task.status != "rejected"]

    def recent_tasks(self, at: float) -> list[ExpectedTask]:
        return [task for task in self.unrejected_tasks() if task.created_at > at - DAY]

    def is_cap_reached(
        self, *, per_day: int, in_flight: int, at: float, replaced: ExpectedTask | None = None
    ) -> bool:
        """Whether no further task may be created; *replaced* makes room for the new one."""
        recent = self.recent_tasks(at)
        count = sum(task.status in IN_FLIGHT for task in recent if task is not replaced)
        return len(recent) >= per_day or count >= in_flight

    def must_deduplicate(self, key: str | None, dedup_key: tuple[object, ...], at: float) -> bool:
        """Whether this request certainly duplicates one whose result was not delivered yet."""
        if key is not None:
            return any(task.idempotency_key == key for task in self.unrejected_tasks())
        return any(
            task.dedup_key == dedup_key
            and task.status != "abandoned"
            and (task.row["delivered_at"] is None or task.status == "unknown")
            for task in self.recent_tasks(at)
        )

    def audit(self, at: float) -> None:
        """Compare every row with what is expected, and note what has changed."""
        rows = [dict(row) for row in self._database.select(SELECT_TASKS)]
        own_rows = [row for row in rows if row["service"] == "s"]
        assert {row["id"] for row in own_rows} == set(self.tasks), "a task was lost or made up"
        imported = [row["provider_task_id"] for row in rows if row["service"] == "elsewhere"]
        assert sorted(imported) == sorted(self.imported_ids)
        for row in own_rows:
            task = self.tasks[row["id"]]
            _audit_money(task, row)
            _audit_transition(task, row, at)
        keys = (task.idempotency_key for task in self.unrejected_tasks())
        assert _all_unique(keys), "two unrejected tasks share an idempotency key"
        assert _all_unique(self.provider_ids()), "two tasks have the same provider id"
        self._audit_bodies()

    def _audit_bodies(self) -> None:
        """A body is stored as long as a POST may follow, and deleted after that."""
        for task in self.tasks.values():
            task.body_stored = task.body_stored and task.status in SENDABLE
        stored = {
            row["task_id"]: json.loads(row["content"])
            for row in self._database.select(SELECT_BODIES)
        }
        expected = {task_id: task.body for task_id, task in self.tasks.items() if task.body_stored}
        assert stored == expected, "a body was lost, kept too long, or belongs to another task"

    def final_audit(self) -> None:
        """What must hold once every process has died and the next server has recovered."""
        for task in self.tasks.values():
            if task.paid_id is not None:
                ids = {task.paid_id, task.attached_id}
                assert task.provider_task_id in ids, "a paid task lost its provider id"
            if task.attached_id is not None:
                assert task.provider_task_id == task.attached_id, "an attached id was lost"
        events = defaultdict[str, list[tuple[object, ...]]](list)
        for row in self._database.select(SELECT_EVENTS):
            events[row["task_id"]].append(tuple(row[name] for name in EVENT_COLUMNS))
        for task_id, task in self.tasks.items():
            assert events[task_id] == task.history
        assert not list(self._database.problems())


def _audit_money(task: ExpectedTask, row: dict[str, Any]) -> None:
    assert row["attempt"] == task.post_count, "the attempts differ from the POSTs"
    ids = {None, task.paid_id, task.attached_id}
    assert row["provider_task_id"] in ids, "the provider id of another task"
    assert row["idempotency_key"] == task.idempotency_key, (
        "a key was lost, or kept by an abandoned task"
    )
    if task.paid_id is not None:
        assert row["status"] not in UNCHARGED, "a paid task has an uncharged status"
    before = task.row
    assert before.get("provider_task_id") in {None, row["provider_task_id"]}, "an id was lost"
    if before.get("status") == row["status"]:  # a new final status has to be delivered again
        assert before["delivered_at"] in {None, row["delivered_at"]}, "a delivery was forgotten"
    if before.get("file_status") == "stored":
        assert (row["file_status"], row["file_path"]) == ("stored", before["file_path"])


def _audit_transition(task: ExpectedTask, row: dict[str, Any], at: float) -> None:
    values = tuple(row[name] for name in EVENT_COLUMNS)
    if not task.history:
        assert row["status"] in {"intended", "submitting"}
        # Also of one that was claimed at once, it is known when it was recorded.
        before_claim = {**row, "status": "intended", "attempt": 0}
        task.history.append(tuple(before_claim[name] for name in EVENT_COLUMNS))
    elif (before := task.status) != row["status"]:
        allowed = TRANSITIONS[before].split()
        assert row["status"] in allowed, f"no transition from {before} to {row['status']}"
        if before in POLLED and row["status"] == "unknown":
            assert row["error_code"] == "no_result", "an accepted task is unknown for no reason"
            assert task.may_expire(at), "the task expired too early"
    if task.history[-1] != values:
        task.history.append(values)
    task.row = row


def _all_unique(values: Iterable[str | None]) -> bool:
    counts = Counter(value for value in values if value is not None)
    return all(count == 1 for count in counts.values())
