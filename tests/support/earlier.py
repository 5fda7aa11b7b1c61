"""A state folder as an earlier version left it: tests/samples/state-0.1.0, laid out again.

Read and compared by the names on disk alone, so that it holds whatever those are called in
the code.
"""

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from support.fake_geekai import STILL, VIDEO, Job, ScriptedGeekAI

SAMPLE: Final = Path(__file__).parents[1] / "samples" / "state-0.1.0"
SERVICE: Final = "https://geekai.test/api/v1#782a873f91fd"
"""Which service and key its paid tasks belong to, as settings with `support.service.KEY` say."""
ELSEWHERE: Final = "made elsewhere"
"""Stands for the prompt of a task whose request is not known."""
JOURNAL_BYTES: Final = 64 * 1024
SLOT_BYTES: Final = 1024
PART_BYTES: Final = 5000

DUMP: Final = (SAMPLE / "ledger.sql").read_text("utf-8")

Row = dict[str, Any]


def _columns() -> tuple[str, ...]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(DUMP)
        return tuple(name for _, name, *_ in db.execute("PRAGMA table_info(task)"))


COLUMNS: Final = _columns()
"""Of a task. A later version may add some; it reads and writes these under the same names."""


def lay(folder: Path) -> None:
    """Make `state` and `videos` under *folder* as the killed server left them."""
    state, videos = folder / "state", folder / "videos"
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "ledger.sqlite3")) as db:
        db.executescript(DUMP.replace("{folder}", str(folder)))
    journal = bytearray(JOURNAL_BYTES)
    for kept in notes():
        note = json.dumps(kept["note"], ensure_ascii=False).encode()
        journal[kept["at"] : kept["at"] + len(note)] = note
    (state / "journal").write_bytes(journal)
    shutil.copytree(SAMPLE / "videos", videos)
    shutil.copytree(SAMPLE / "sandbox", state / "sandbox")
    for report in (state / "sandbox").rglob("report.json"):
        size_bytes = json.loads(report.read_text("utf-8"))["bytes"]
        report.with_name("video.mp4").write_bytes(bytes(size_bytes))
    (state / "procs").mkdir(mode=0o700)
    for row in rows(folder).values():
        if row["file_path"]:
            Path(row["file_path"]).write_bytes(VIDEO if row["media"] == "video" else STILL)
        if row["owner"]:  # the file of its lock outlives a process that is killed
            (state / "procs" / f"{row['owner']}.lock").touch(mode=0o600)
    for note_path in videos.glob(".*.part.json"):
        note_path.with_suffix("").write_bytes(VIDEO[:PART_BYTES])


def notes() -> list[dict[str, Any]]:
    """What the journal holds: each note, and at which byte."""
    return json.loads((SAMPLE / "journal.json").read_text("utf-8"))


def remember(service: ScriptedGeekAI) -> None:
    """Let the service know what it had been paid for."""
    for job in json.loads((SAMPLE / "charged.json").read_text("utf-8")):
        service.jobs[job["id"]] = Job(job["id"], job["room"], job["body"], job["charged_at"])


def rows(folder: Path) -> dict[str, Row]:
    """Every task as the columns that it had, by its prompt."""
    found = select(folder, f"SELECT {', '.join(COLUMNS)} FROM task ORDER BY created_at, id")  # noqa: S608 - our own names
    return {json.loads(row["request"]).get("prompt", ELSEWHERE): row for row in found}


def select(folder: Path, statement: str, *values: object) -> list[Row]:
    """The rows that a statement gives; what it changes is committed."""
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as db, db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(statement, values)]


@contextmanager
def alive(folder: Path, owner: str) -> Generator[None]:
    """The process of this name still runs while the block lasts: its lock is held."""
    assert sys.platform != "win32"
    import fcntl  # noqa: PLC0415 - POSIX alone has it

    descriptor = os.open(folder / "state" / "procs" / f"{owner}.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
