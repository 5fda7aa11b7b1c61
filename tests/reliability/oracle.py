"""The judge after a run: what the provider charged against what the ledger knows.

It reads the files alone, with SQL and hashes of its own, so a fault of the product's
reading cannot hide here. It has a test of its own that each violation is noticed.
"""

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Protocol

LIVE: Final = frozenset({"intended", "submitting", "pending", "running"})
"""Statuses in which somebody still has something to do."""
HELD: Final = LIVE | {"unknown"}
"""Statuses that hold a place under the cap of videos at a time; a person's word frees it."""
DAY: Final = 86_400.0
"""Seconds of the rolling window that the cap of videos counts."""

Row = Mapping[str, Any]


class Charged(Protocol):
    """One line of the provider's log, as `provider.Charge` is it."""

    @property
    def task_id(self) -> str: ...
    @property
    def charged(self) -> bool: ...
    @property
    def prompt(self) -> str: ...


@dataclass
class Verdict:
    """What a run came to. Every list of strings is a kind of violation; empty is good."""

    charges: int = 0
    stored: int = 0
    unknown: int = 0
    live: int = 0
    parts: int = 0
    """Part files that killed processes left behind; hidden, and no violation."""
    copies: int = 0
    """Whole videos published twice, by a kill between the name and the record; untidy."""
    double: list[str] = field(default_factory=list[str])
    """Prompts that were charged more than once."""
    lost: list[str] = field(default_factory=list[str])
    """Prompts that were charged and have no task that says so."""
    stuck: list[str] = field(default_factory=list[str])
    """Tasks that came to no end, though everyone had time."""
    torn: list[str] = field(default_factory=list[str])
    """Files that are not the bytes they should be."""
    stale: list[str] = field(default_factory=list[str])
    """Part files from before the run, which nobody cleared."""
    broken: list[str] = field(default_factory=list[str])
    """What SQLite says is wrong with the ledger."""
    over: list[str] = field(default_factory=list[str])
    """Caps that were not held."""
    leaked: list[str] = field(default_factory=list[str])
    """Files that hold the key, and logs that hold a prompt."""

    @property
    def violations(self) -> dict[str, list[str]]:
        """Each kind of violation that happened, with its cases."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: cases for name, cases in found.items() if isinstance(cases, list) and cases}

    def plus(self, other: "Verdict") -> "Verdict":
        """Both runs taken together."""
        both = {
            each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)
        }
        return Verdict(**both)

    def __str__(self) -> str:
        kinds = ("double", "lost", "stuck", "torn", "stale", "broken", "over", "leaked")
        counts = [f"{len(getattr(self, kind))} {kind}" for kind in kinds]
        facts = [f"{getattr(self, name)} {name}" for name in ("charges", "stored", "unknown")]
        extra = [f"{n} {msg}" for msg, n in (("live", self.live), ("copies", self.copies)) if n]
        return ", ".join([*facts, *extra, *counts])


def judge(
    *,
    state: Path,
    output: Path,
    charges: Sequence[Charged],
    video: Callable[[str], bytes],
    key: str,
    logs: Sequence[Path] = (),
    began: float = 0.0,
    live: bool = False,
    videos_per_day: int | None = None,
    in_flight: int | None = None,
) -> Verdict:
    """Compare *charges* with the ledger of *state* and the files of *output*.

    *video* gives the bytes that the provider serves for one of its ids; *live* allows tasks
    that are still on their way.
    """
    verdict = Verdict()
    with closing(_open(state / "ledger.sqlite3")) as ledger:
        rows = ledger.execute("SELECT * FROM task").fetchall()
        events = ledger.execute("SELECT * FROM event ORDER BY number").fetchall()
        checks = [row[0] for row in ledger.execute("PRAGMA integrity_check")]
        verdict.broken.extend(check for check in checks if check != "ok")
    paid = [charge for charge in charges if charge.charged]
    verdict.charges = len(paid)
    _money(verdict, rows, paid, live=live)
    _files(verdict, rows, output, paid, video)
    _caps(verdict, rows, events, videos_per_day, in_flight)
    verdict.parts = len(list(output.glob(".*.part")))
    for part in output.glob(".*.part"):
        if part.stat().st_mtime < began:
            verdict.stale.append(part.name)
    prompts = {charge.prompt for charge in charges}
    verdict.leaked.extend(_leaks([*_below(state), *_below(output), *logs], key.encode()))
    for prompt in prompts:
        verdict.leaked.extend(_leaks(logs, prompt.encode()))
    return verdict


def tasks(state: Path) -> dict[str, Row]:
    """The tasks of a ledger by their prompt."""
    with closing(_open(state / "ledger.sqlite3")) as ledger:
        rows = ledger.execute("SELECT * FROM task").fetchall()
    return {str(json.loads(row["request"]).get("prompt")): row for row in rows}


def _open(path: Path) -> sqlite3.Connection:
    # Not immutable: a dead process's journal must be rolled back, as any reader would.
    ledger = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30)
    ledger.row_factory = sqlite3.Row
    ledger.execute("PRAGMA query_only=ON")
    return ledger


def _money(verdict: Verdict, rows: Sequence[Row], paid: Sequence[Charged], *, live: bool) -> None:
    intents = defaultdict[str, list[Row]](list)
    for row in rows:
        intents[str(json.loads(row["request"]).get("prompt"))].append(row)
    for prompt, count in Counter(charge.prompt for charge in paid).items():
        # A person may pay again for what was given up, once for each time.
        given_up = sum(row["status"] == "abandoned" for row in intents[prompt])
        allowed = max(1, given_up + (given_up < len(intents[prompt])))
        verdict.double.extend([prompt] * (count > allowed))
    alive = [f"{row['id']}: {row['status']}" for row in rows if _is_live(row)]
    verdict.live = len(alive)
    verdict.stuck.extend([] if live else alive)
    verdict.stored = sum(row["file_status"] == "stored" for row in rows)
    verdict.unknown = sum(row["status"] == "unknown" for row in rows)
    for prompt in {charge.prompt for charge in paid}:
        mine = [charge for charge in paid if charge.prompt == prompt]
        verdict.lost.extend(f"{prompt}: {why}" for why in _losses(intents[prompt], mine, live=live))
    charged = {charge.task_id for charge in paid}
    for row in rows:
        if row["provider_task_id"] is not None and row["provider_task_id"] not in charged:
            verdict.lost.append(f"{row['id']}: follows a task that nobody paid for")


def _is_live(row: Row) -> bool:
    return row["status"] in LIVE or (row["status"] == "succeed" and row["file_status"] == "none")


def _losses(rows: Sequence[Row], paid: Sequence[Charged], *, live: bool) -> Iterator[str]:
    """Why what was paid for one prompt is nobody's any more."""
    standing = [row for row in rows if row["status"] != "abandoned"]
    if len(standing) != 1 and (standing or not rows):
        yield f"{len(standing)} tasks"
        return
    known = {row["provider_task_id"]: row for row in rows}
    nameless = [row for row in rows if row["provider_task_id"] not in {c.task_id for c in paid}]
    # Of those that nobody can tell apart, what excuses a loss goes first.
    nameless.sort(key=lambda row: row["status"] == "abandoned", reverse=True)
    for charge in paid:
        row = known.get(charge.task_id) or (nameless.pop(0) if nameless else rows[-1])
        if why := _lost(row, charge, live=live):
            yield why


def _lost(row: Row, charge: Charged, *, live: bool) -> str:
    """Why this paid task is nobody's any more; empty if it is somebody's."""
    known = row["provider_task_id"]
    if row["status"] in {"unknown", "abandoned"} or (_is_live(row) and live):
        return ""
    if known != charge.task_id:
        return f"{row['status']}, and follows {known} for {charge.task_id}"
    if (row["status"], row["file_status"]) == ("succeed", "stored"):
        return ""
    return f"{row['status']} with file {row['file_status']}"


def _files(
    verdict: Verdict,
    rows: Sequence[Row],
    output: Path,
    paid: Sequence[Charged],
    video: Callable[[str], bytes],
) -> None:
    stored = {row["file_path"]: row for row in rows if row["file_status"] == "stored"}
    sums = {hashlib.sha256(video(charge.task_id)).hexdigest() for charge in paid}
    for row in stored.values():
        if not Path(row["file_path"]).is_file():
            verdict.torn.append(f"{row['file_path']}: stored, and not there")
        elif why := _torn(row, video):
            verdict.torn.append(f"{row['file_path']}: {why}")
    for path in _published(output):
        if str(path) not in stored:
            whole = hashlib.sha256(path.read_bytes()).hexdigest() in sums
            verdict.copies += whole
            if not whole:
                verdict.torn.append(f"{path}: published, and no whole video")


def _torn(row: Row, video: Callable[[str], bytes]) -> str:
    data = Path(row["file_path"]).read_bytes()
    if len(data) != row["file_bytes"]:
        return f"{len(data)} bytes, recorded as {row['file_bytes']}"
    if hashlib.sha256(data).hexdigest() != row["file_sha256"]:
        return "another sha256 than recorded"
    return "" if data == video(row["provider_task_id"]) else "not what the provider served"


def _published(output: Path) -> Iterator[Path]:
    return (path for path in sorted(output.glob("*")) if not path.name.startswith("."))


def _caps(
    verdict: Verdict,
    rows: Sequence[Row],
    events: Sequence[Row],
    videos_per_day: int | None,
    in_flight: int | None,
) -> None:
    ours = {row["id"]: row for row in rows if row["owner"] is not None}
    if videos_per_day is not None:
        times = sorted(row["created_at"] for row in ours.values() if row["status"] != "rejected")
        for first, at in enumerate(times):
            count = sum(1 for later in times[first:] if later < at + DAY)
            if count > videos_per_day:
                verdict.over.append(f"{count} videos in the day from {at}")
                break
    if in_flight is not None:
        verdict.over.extend(_crowded(ours, events, in_flight)[:1])


def _crowded(ours: Mapping[str, Row], events: Sequence[Row], in_flight: int) -> list[str]:
    """Where one was admitted past the cap; a late answer to an abandoned one may well pass it."""
    found, now = list[str](), dict[str, str]()
    for event in events:
        task_id = event["task_id"]
        admitted, now[task_id] = task_id in ours and task_id not in now, event["status"]
        since = ours[task_id]["created_at"] - DAY if admitted else 0.0
        count = sum(
            status in HELD and each in ours and ours[each]["created_at"] > since
            for each, status in now.items()
        )
        if admitted and count > in_flight:
            found.append(f"{count} in flight at event {event['number']}")
    return found


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _leaks(paths: Sequence[Path], secret: bytes) -> Iterator[str]:
    for path in paths:
        if secret.decode() in path.name or (path.is_file() and secret in path.read_bytes()):
            yield f"{path.name} holds {'a prompt' if b' ' in secret else 'the key'}"
