"""What must be true of every task: the model's own books, kept apart from the product's.

Nothing here is the product's but the shape of its tables: the changes that are allowed, what
holds a place under a cap, how long a day is, all of it is written down again, so that a rule
that is wrong there cannot be right here. The file is read with SQL of its own.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

DAY: Final = 86_400.0
"""Seconds for which a cap counts, a repeat is known, and a task is looked at."""
LOOKS: Final = 120
"""Looks without which no task is given up, however old the clock makes it."""
BURST: Final = 10.0
PER_SECOND: Final = 2.0
"""Looks at once, and looks a second, of all processes together."""
ROUNDING: Final = 0.01
"""Of a look: by so much may the sums of two bookkeepers differ."""
BLOCKED: Final = 900.0
"""Seconds that a block lasts at most; one that ends later was written by another clock."""

WAYS: Final[Mapping[str, str]] = {
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
"""Where a task may go from where it is."""
HELD: Final = frozenset({"intended", "submitting", "pending", "running", "unknown"})
WATCHED: Final = frozenset({"pending", "running"})
FREE: Final = frozenset({"intended", "rejected"})
"""What a request that was paid for can never be called again."""
SENDABLE: Final = frozenset({"intended", "submitting", "unknown"})
"""While the request may have to be sent, and its pictures are there for it."""

AUDIT: Final = """
    SELECT id, status, attempt, owner, provider_task_id, file_status, error_code, looks,
           service, idempotency_key, created_at, delivered_at, file_path
    FROM task ORDER BY id
"""
BODIES: Final = "SELECT task_id, content FROM body ORDER BY task_id"
STORY: Final = ("status", "attempt", "owner", "provider_task_id", "file_status", "error_code")
EVENTS: Final = f"SELECT task_id, {', '.join(STORY)} FROM event ORDER BY number"  # noqa: S608 - our own words


@dataclass
class ExpectedTask:
    """What the model knows of one request."""

    same: tuple[object, ...]
    """What makes another request a repeat of it."""
    key: str | None
    made_at: float
    body: Mapping[str, Any]
    """What is to be sent, pictures and all."""
    kept: bool
    """Whether the body is kept apart from the task, for its pictures."""
    posts: int = 0
    open: bool = False
    """Whether a POST left that may have been charged for all anyone knows."""
    sent_at: float = 0.0
    paid: str | None = None
    """The service's name for it, once the service has charged and said so."""
    attached: str | None = None
    """The service's name for it as a person gave it."""
    history: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    row: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def status(self) -> str:
        return self.row["status"]

    @property
    def named(self) -> str | None:
        """What the ledger calls it at the service."""
        return self.row["provider_task_id"]

    def hopeless(self, at: float) -> bool:
        """Whether a look that finds it unfinished is the last."""
        return at - self.sent_at >= DAY and self.row["looks"] >= LOOKS


@dataclass
class Allowance:
    """How many looks the service can be given at most, by a clock that jumps."""

    looks: float = BURST
    blocked_until: float = 0.0

    def jumped(self, seconds: float) -> None:
        self.looks = min(BURST, self.looks + max(0.0, seconds) * PER_SECOND)

    def blocked(self, at: float) -> bool:
        return at < self.blocked_until <= at + BLOCKED

    def block(self, at: float, seconds: float) -> None:
        until = at + seconds
        self.blocked_until = max(until, self.blocked_until) if self.blocked(at) else until
        self.looks = min(self.looks, 0.0)

    def taken(self, at: float, *, ahead: bool) -> None:
        assert not self.blocked(at), "the service was asked while it wants to be left alone"
        assert ahead or self.looks >= 1 - ROUNDING, "more looks than all may take together"
        self.looks = max(self.looks - 1, -BURST)


class ReferenceModel:
    """Every wish, and what must hold of it in the ledger's file."""

    def __init__(self, folder: Path) -> None:
        self.eye = sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)
        self.eye.row_factory = sqlite3.Row
        self.wishes: dict[str, ExpectedTask] = {}
        self.strangers: set[str] = set()
        self.allowance = Allowance()

    def rows(self) -> list[dict[str, Any]]:
        """What the ledger says now: every task, then every body."""
        return [dict(row) for asked in (AUDIT, BODIES) for row in self.eye.execute(asked)]

    def ids(self, *statuses: str) -> list[str]:
        """The wishes of these statuses, oldest first."""
        return [task_id for task_id, wish in self.wishes.items() if wish.status in statuses]

    def names(self) -> list[str]:
        """What the service calls the wishes that the ledger has a name for."""
        return [wish.named for wish in self.wishes.values() if wish.named is not None]

    def live(self) -> list[ExpectedTask]:
        return [wish for wish in self.wishes.values() if wish.status != "rejected"]

    def recent(self, at: float) -> list[ExpectedTask]:
        return [wish for wish in self.live() if wish.made_at > at - DAY]

    def capped(
        self, *, a_day: int, in_flight: int, at: float, less: ExpectedTask | None = None
    ) -> bool:
        """Whether no further wish may be made; *less* is one that goes for it."""
        recent = self.recent(at)
        under_way = sum(wish.status in HELD for wish in recent if wish is not less)
        return len(recent) >= a_day or under_way >= in_flight

    def repeats(self, key: str | None, same: tuple[object, ...], at: float) -> bool:
        """Whether this request surely is one that its caller has heard no end of."""
        if key is not None:
            return any(wish.key == key for wish in self.live())
        return any(
            wish.same == same
            and wish.status != "abandoned"
            and (wish.row["delivered_at"] is None or wish.status == "unknown")
            for wish in self.recent(at)
        )

    def audit(self, at: float) -> None:
        """Compare every row with what is known, and take down what has changed."""
        rows = [dict(row) for row in self.eye.execute(AUDIT)]
        ours = [row for row in rows if row["service"] == "s"]
        assert {row["id"] for row in ours} == set(self.wishes), "a wish was lost, or made up"
        theirs = [row["provider_task_id"] for row in rows if row["service"] == "elsewhere"]
        assert sorted(theirs) == sorted(self.strangers)
        for row in ours:
            wish = self.wishes[row["id"]]
            _money(wish, row)
            _story(wish, row, at)
        assert _once(wish.key for wish in self.live()), "two live tasks share a key"
        assert _once(self.names()), "two tasks follow one video"
        self._bodies()

    def _bodies(self) -> None:
        """There as long as a POST may come, and gone once it was answered or given up."""
        for wish in self.wishes.values():
            wish.kept = wish.kept and wish.status in SENDABLE
        found = {row["task_id"]: json.loads(row["content"]) for row in self.eye.execute(BODIES)}
        kept = {task_id: wish.body for task_id, wish in self.wishes.items() if wish.kept}
        assert found == kept, "a body was lost, kept too long, or became another's"

    def final_audit(self) -> None:
        """What must hold once all have died and the next server took up what they left."""
        for wish in self.wishes.values():
            if wish.paid is not None:
                assert wish.named in {wish.paid, wish.attached}, "paid for, and lost"
            if wish.attached is not None:
                assert wish.named == wish.attached, "attached, and lost"
        told = defaultdict[str, list[tuple[object, ...]]](list)
        for row in self.eye.execute(EVENTS):
            told[row["task_id"]].append(tuple(row)[1:])
        for task_id, wish in self.wishes.items():
            assert told[task_id] == wish.history
        assert [row[0] for row in self.eye.execute("PRAGMA integrity_check")] == ["ok"]


def _money(wish: ExpectedTask, row: dict[str, Any]) -> None:
    assert row["attempt"] == wish.posts, "an attempt without its one POST"
    assert row["provider_task_id"] in {None, wish.paid, wish.attached}, "another's video"
    assert row["idempotency_key"] == wish.key, "a key was lost, or kept by what was given up"
    if wish.paid is not None:
        assert row["status"] not in FREE, "paid for, and called free"
    before = wish.row
    assert before.get("provider_task_id") in {None, row["provider_task_id"]}, "an id was lost"
    if before.get("status") == row["status"]:  # another end is another thing to be told
        assert before["delivered_at"] in {None, row["delivered_at"]}, "what was told was lost"
    if before.get("file_status") == "stored":
        assert (row["file_status"], row["file_path"]) == ("stored", before["file_path"])


def _story(wish: ExpectedTask, row: dict[str, Any], at: float) -> None:
    told = tuple(row[name] for name in STORY)
    if not wish.history:
        assert row["status"] == "intended"
    elif (before := wish.status) != row["status"]:
        assert row["status"] in WAYS[before].split(), f"no way from {before} to {row['status']}"
        if before in WATCHED and row["status"] == "unknown":
            assert row["error_code"] == "no_result", "an accepted task is unknown for no reason"
            assert wish.hopeless(at), "given up before its time"
    if not wish.history or wish.history[-1] != told:
        wish.history.append(told)
    wish.row = row


def _once(names: Iterable[str | None]) -> bool:
    counts = Counter(name for name in names if name is not None)
    return all(count == 1 for count in counts.values())
