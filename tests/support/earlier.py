"""A state folder as an earlier version left it, restored from tests/samples/state-0.1.0.

It is read and compared only by the names on disk, so that the tests do not depend on the
names in the code.
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
"""The account of its paid tasks: that of settings with `support.service.KEY`."""
ELSEWHERE: Final = "made elsewhere"
"""In place of the prompt of a task whose request is not known."""
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
"""The columns of a task. A later version may add columns, but none of these is renamed."""


def restore_state_folder(folder: Path) -> None:
    """Create `state` and `videos` in *folder* as the killed server left them."""
    state, videos = folder / "state", folder / "videos"
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "ledger.sqlite3")) as db:
        db.executescript(DUMP.replace("{folder}", str(folder)))
    journal = bytearray(JOURNAL_BYTES)
    for kept in journal_notes():
        note = json.dumps(kept["note"], ensure_ascii=False).encode()
        journal[kept["at"] : kept["at"] + len(note)] = note
    (state / "journal").write_bytes(journal)
    shutil.copytree(SAMPLE / "videos", videos)
    shutil.copytree(SAMPLE / "sandbox", state / "sandbox")
    for report in (state / "sandbox").rglob("report.json"):
        size_bytes = json.loads(report.read_text("utf-8"))["bytes"]
        report.with_name("video.mp4").write_bytes(bytes(size_bytes))
    (state / "procs").mkdir(mode=0o700)
    for row in task_rows(folder).values():
        if row["file_path"]:
            Path(row["file_path"]).write_bytes(VIDEO if row["media"] == "video" else STILL)
        if row["owner"]:  # the lock file remains after its process was killed
            (state / "procs" / f"{row['owner']}.lock").touch(mode=0o600)
    for note_path in videos.glob(".*.part.json"):
        note_path.with_suffix("").write_bytes(VIDEO[:PART_BYTES])


def journal_notes() -> list[dict[str, Any]]:
    """The notes of the journal, each with its byte offset."""
    return json.loads((SAMPLE / "journal.json").read_text("utf-8"))


def add_charged_jobs(service: ScriptedGeekAI) -> None:
    """Add the jobs that the service had charged to *service*."""
    for job in json.loads((SAMPLE / "charged.json").read_text("utf-8")):
        service.jobs[job["id"]] = Job(job["id"], job["room"], job["body"], job["charged_at"])


def task_rows(folder: Path) -> dict[str, Row]:
    """Every task with the columns of that version, by prompt."""
    found = select(folder, f"SELECT {', '.join(COLUMNS)} FROM task ORDER BY created_at, id")  # noqa: S608 - our own names
    return {json.loads(row["request"]).get("prompt", ELSEWHERE): row for row in found}


def select(folder: Path, statement: str, *values: object) -> list[Row]:
    """Run a statement and commit; returns its rows."""
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as db, db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(statement, values)]


@contextmanager
def holding_process_lock(folder: Path, owner: str) -> Generator[None]:
    """Hold the lock of the process *owner* while the block lasts, as if it were alive."""
    assert sys.platform != "win32"
    import fcntl  # noqa: PLC0415 - POSIX alone has it

    descriptor = os.open(folder / "state" / "procs" / f"{owner}.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
