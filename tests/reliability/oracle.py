"""Judges a run: compares what the provider charged with what the ledger contains.

It reads the files with SQL and hashes of its own, so that a fault in the product's reading
cannot go unnoticed. Its own test shows that each kind of violation is found.
"""

import asyncio
import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import asyncpg

SENT: Final = frozenset({"intended", "submitting", "pending", "running"})
LIVE: Final = SENT | {"waiting"}
"""Statuses in which some process still has something to do."""
IN_FLIGHT: Final = SENT | {"unknown"}
"""Statuses that count against the cap of videos in flight, until a user resolves them."""
SERVICE_ERROR: Final = "1301"
"""The code of the failures that the provider reports on purpose."""
DAY: Final = 86_400.0
"""Seconds of the rolling window of the daily cap."""

SLOT: Final = 1024
"""Bytes of an entry of the emergency journal."""

Row = Mapping[str, Any]


class Records(NamedTuple):
    """What a ledger contains."""

    tasks: Sequence[Row]
    events: Sequence[Row]
    problems: Sequence[str]
    """What is wrong with the database itself."""


class Charged(Protocol):
    """One line of the provider's log, such as a `provider.Charge`."""

    @property
    def task_id(self) -> str: ...
    @property
    def charged(self) -> bool: ...
    @property
    def prompt(self) -> str: ...


@dataclass
class Verdict:
    """The result of a run. Every list of strings is a kind of violation; empty is good."""

    charges: int = 0
    stored: int = 0
    unknown: int = 0
    unknown_prompts: tuple[str, ...] = ()
    live: int = 0
    parts: int = 0
    """Hidden part files that killed processes left behind; not a violation."""
    journalled: int = 0
    """Responses in the emergency journals that are not in the ledger yet."""
    copies: int = 0
    """Complete videos published twice, by a kill before the record; not a violation."""
    double: list[str] = field(default_factory=list[str])
    """Prompts that were charged more than once."""
    lost: list[str] = field(default_factory=list[str])
    """Prompts that were charged and have no task that shows it."""
    stuck: list[str] = field(default_factory=list[str])
    """Tasks that did not finish, although there was enough time."""
    torn: list[str] = field(default_factory=list[str])
    """Files with other bytes than they should have."""
    stale: list[str] = field(default_factory=list[str])
    """Part files from before the run, which were not deleted."""
    broken: list[str] = field(default_factory=list[str])
    """What SQLite's integrity check reports about the ledger; in PostgreSQL, rows that differ from
    their last event."""
    over: list[str] = field(default_factory=list[str])
    """Caps that were exceeded."""
    leaked: list[str] = field(default_factory=list[str])
    """Files that contain the key, and logs that contain a prompt."""

    @property
    def violations(self) -> dict[str, list[str]]:
        """Each kind of violation that happened, with its cases."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: cases for name, cases in found.items() if isinstance(cases, list) and cases}

    def plus(self, other: "Verdict") -> "Verdict":
        """The sum of both verdicts."""
        both = {
            each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)
        }
        return Verdict(**both)

    def __str__(self) -> str:
        kinds = ("double", "lost", "stuck", "torn", "stale", "broken", "over", "leaked")
        counts = [f"{len(getattr(self, kind))} {kind}" for kind in kinds]
        facts = [f"{getattr(self, name)} {name}" for name in ("charges", "stored", "unknown")]
        rare = ("live", "journalled", "copies")
        extra = [f"{n} {name}" for name in rare if (n := getattr(self, name))]
        return ", ".join([*facts, *extra, *counts])


def judge(
    *,
    state: Path,
    output: Path,
    charges: Sequence[Charged],
    video: Callable[[str], bytes],
    key: str,
    logs: Sequence[Path] = (),
    started_at: float = 0.0,
    live: bool = False,
    videos_per_day: int | None = None,
    in_flight: int | None = None,
    database: str | None = None,
) -> Verdict:
    """Compare *charges* with the ledger of *state* or *database* and the files of *output*.

    *video* gives the bytes that the provider serves for one of its ids; *live* allows tasks
    that are not finished yet. With a *database*, *state* has the folders of several machines.
    """
    verdict = Verdict()
    rows, events, problems = read_records(state, database)
    verdict.broken.extend(problems)
    recorded = {str(row["provider_task_id"]) for row in rows}
    in_journal = {str(each["provider_task_id"]) for each in _read_journals(state)} - recorded
    verdict.journalled = len(in_journal)
    paid = [charge for charge in charges if charge.charged]
    verdict.charges = len(paid)
    _check_charges(verdict, rows, paid, live=live, in_journal=in_journal)
    _check_files(verdict, rows, output, paid, video)
    _check_caps(verdict, rows, events, videos_per_day, in_flight)
    verdict.parts = len(list(output.glob(".*.part")))
    for part in output.glob(".*.part"):
        if part.stat().st_mtime < started_at:
            verdict.stale.append(part.name)
    prompts = {charge.prompt for charge in charges}
    verdict.leaked.extend(
        _find_leaks([*_files_below(state), *_files_below(output), *logs], key.encode())
    )
    for prompt in prompts:
        verdict.leaked.extend(_find_leaks(logs, prompt.encode()))
    return verdict


def tasks_by_prompt(state: Path) -> dict[str, Row]:
    """The tasks of the ledger in the file of *state*, by prompt."""
    rows = read_records(state, None).tasks
    return {str(json.loads(row["request"]).get("prompt")): row for row in rows}


def read_records(state: Path, database: str | None) -> Records:
    """The content of the ledger in this database, or else in the file of *state*; blocks."""
    if database is not None:
        with ThreadPoolExecutor(1) as thread:  # this one may have a loop of its own
            return thread.submit(asyncio.run, _read_database(database)).result()
    with closing(_open_ledger(state / "ledger.sqlite3")) as ledger:
        rows = ledger.execute("SELECT * FROM task").fetchall()
        events = ledger.execute("SELECT * FROM event ORDER BY number").fetchall()
        checks = [row[0] for row in ledger.execute("PRAGMA integrity_check")]
    return Records(rows, events, [check for check in checks if check != "ok"])


async def _read_database(url: str) -> Records:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await connection.fetch("SELECT * FROM geekai_video.task")
            events = await connection.fetch("SELECT * FROM geekai_video.event ORDER BY number")
    finally:
        await connection.close()
    last = {event["task_id"]: event["status"] for event in events}
    problems = [
        f"{row['id']}: {row['status']}, and its last event says {last.get(row['id'])}"
        for row in rows
        if last.get(row["id"]) != row["status"]
    ]
    return Records([dict(row) for row in rows], [dict(event) for event in events], problems)


def _read_journals(state: Path) -> Iterator[Row]:
    """The responses in the emergency journals below *state*, which have yet to be recorded."""
    for path in state.rglob("journal"):
        content = path.read_bytes()
        for at in range(0, len(content), SLOT):
            if slot := content[at : at + SLOT].rstrip(b"\0"):
                entry = json.loads(slot)
                if entry.get("provider_task_id") is not None:
                    yield entry


def _open_ledger(path: Path) -> sqlite3.Connection:
    # Not immutable: like any reader, this must roll back the journal of a dead process.
    ledger = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30)
    ledger.row_factory = sqlite3.Row
    ledger.execute("PRAGMA query_only=ON")
    return ledger


def _check_charges(
    verdict: Verdict,
    rows: Sequence[Row],
    paid: Sequence[Charged],
    *,
    live: bool,
    in_journal: Collection[str],
) -> None:
    intents = defaultdict[str, list[Row]](list)
    for row in rows:
        intents[str(json.loads(row["request"]).get("prompt"))].append(row)
    for prompt, count in Counter(charge.prompt for charge in paid).items():
        # A user may pay once more for each abandoned task.
        abandoned = sum(row["status"] == "abandoned" for row in intents[prompt])
        allowed = max(1, abandoned + (abandoned < len(intents[prompt])))
        verdict.double.extend([prompt] * (count > allowed))
    alive = [f"{row['id']}: {row['status']}" for row in rows if _is_live(row)]
    verdict.live = len(alive)
    verdict.stuck.extend([] if live else alive)
    verdict.stored = sum(row["file_status"] == "stored" for row in rows)
    unknown = [json.loads(row["request"]) for row in rows if row["status"] == "unknown"]
    verdict.unknown = len(unknown)
    verdict.unknown_prompts = tuple(str(each.get("prompt")) for each in unknown)
    to_find = [charge for charge in paid if charge.task_id not in in_journal]
    for prompt in {charge.prompt for charge in to_find}:
        mine = [charge for charge in to_find if charge.prompt == prompt]
        verdict.lost.extend(
            f"{prompt}: {reason}" for reason in _find_losses(intents[prompt], mine, live=live)
        )
    charged = {charge.task_id for charge in paid}
    for row in rows:
        if row["provider_task_id"] is not None and row["provider_task_id"] not in charged:
            verdict.lost.append(f"{row['id']}: has a provider id that was not charged")


def _is_live(row: Row) -> bool:
    return row["status"] in LIVE or (row["status"] == "succeed" and row["file_status"] == "none")


def _find_losses(rows: Sequence[Row], paid: Sequence[Charged], *, live: bool) -> Iterator[str]:
    """Reasons why charges of one prompt have no task that accounts for them."""
    active = [row for row in rows if row["status"] != "abandoned"]
    if len(active) != 1 and (active or not rows):
        yield f"{len(active)} tasks"
        return
    known = {row["provider_task_id"]: row for row in rows}
    nameless = [row for row in rows if row["provider_task_id"] not in {c.task_id for c in paid}]
    # Rows without a known id are interchangeable; those that excuse a loss are used first.
    nameless.sort(key=lambda row: row["status"] == "abandoned", reverse=True)
    for charge in paid:
        row = known.get(charge.task_id) or (nameless.pop(0) if nameless else rows[-1])
        if reason := _loss_reason(row, charge, live=live):
            yield reason


def _loss_reason(row: Row, charge: Charged, *, live: bool) -> str:
    """Why *row* does not account for *charge*; empty if it does."""
    known = row["provider_task_id"]
    if row["status"] in {"unknown", "abandoned"} or (_is_live(row) and live):
        return ""
    if known != charge.task_id:
        return f"{row['status']}, with the id {known} instead of {charge.task_id}"
    if (row["status"], row["file_status"]) == ("succeed", "stored") or _ended_without_file(row):
        return ""
    return f"{row['status']} with file {row['file_status']}"


def _ended_without_file(row: Row) -> bool:
    """Whether the provider itself has said that there is no file, and what it said is kept."""
    if row["status"] == "failed":
        return row["error_code"] == SERVICE_ERROR
    return row["file_error_code"] == "no_link" and bool(row["raw_reply"])


def _check_files(
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
            verdict.torn.append(f"{row['file_path']}: stored, but missing")
        elif reason := _damage(row, video):
            verdict.torn.append(f"{row['file_path']}: {reason}")
    for path in _published_files(output):
        if str(path) not in stored:
            whole = hashlib.sha256(path.read_bytes()).hexdigest() in sums
            verdict.copies += whole
            if not whole:
                verdict.torn.append(f"{path}: published, but not a complete video")


def _damage(row: Row, video: Callable[[str], bytes]) -> str:
    data = Path(row["file_path"]).read_bytes()
    if len(data) != row["file_bytes"]:
        return f"{len(data)} bytes, recorded as {row['file_bytes']}"
    if hashlib.sha256(data).hexdigest() != row["file_sha256"]:
        return "the sha256 differs from the record"
    return "" if data == video(row["provider_task_id"]) else "not what the provider served"


def _published_files(output: Path) -> Iterator[Path]:
    """The results, without the sidecars beside them."""
    paths = (path for path in sorted(output.glob("*")) if not path.name.startswith("."))
    return (path for path in paths if path.suffix != ".json")


def _check_caps(
    verdict: Verdict,
    rows: Sequence[Row],
    events: Sequence[Row],
    videos_per_day: int | None,
    in_flight: int | None,
) -> None:
    own = {row["id"]: row for row in rows if row["owner"] is not None}
    if videos_per_day is not None:
        times = sorted(row["created_at"] for row in own.values() if row["status"] != "rejected")
        for first, at in enumerate(times):
            count = sum(1 for later in times[first:] if later < at + DAY)
            if count > videos_per_day:
                verdict.over.append(f"{count} videos in the day from {at}")
                break
    if in_flight is not None:
        verdict.over.extend(_find_cap_overruns(own, events, in_flight)[:1])


def _find_cap_overruns(own: Mapping[str, Row], events: Sequence[Row], in_flight: int) -> list[str]:
    """Where a task was admitted above the cap; a late answer to an abandoned one may exceed it."""
    found, now = list[str](), dict[str, str]()
    for event in events:
        task_id = event["task_id"]
        admitted, now[task_id] = task_id in own and task_id not in now, event["status"]
        since = own[task_id]["created_at"] - DAY if admitted else 0.0
        count = sum(
            status in IN_FLIGHT and each in own and own[each]["created_at"] > since
            for each, status in now.items()
        )
        if admitted and count > in_flight:
            found.append(f"{count} in flight at event {event['number']}")
    return found


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _find_leaks(paths: Sequence[Path], secret: bytes) -> Iterator[str]:
    for path in paths:
        if secret.decode() in path.name or (path.is_file() and secret in path.read_bytes()):
            yield f"{path.name} holds {'a prompt' if b' ' in secret else 'the key'}"
