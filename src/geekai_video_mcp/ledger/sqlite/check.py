"""A look at a ledger that changes nothing of it: no task, no schema. For `doctor`."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import LedgerTooNew
from geekai_video_mcp.ledger.report import LedgerReport, UnknownTask
from geekai_video_mcp.ledger.sqlite import connection, database_file
from geekai_video_mcp.ledger.sqlite.database import path_in
from geekai_video_mcp.ledger.sqlite.migrations import MIGRATIONS, TENANTS_SINCE

BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for another process's transaction."""
CHECK_SECONDS: Final = 8.0
"""Seconds after which the check of every page is ended."""
_STEPS: Final = 10_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""


def check_ledger(state_dir: Path) -> LedgerReport | None:
    """Open the ledger and check every page of it; None if there is none. Blocks.

    Raises:
        StorageUnavailable: it cannot be used, or is damaged.
        LedgerTooNew: it belongs to a newer version of this server.
    """
    path = path_in(state_dir)
    if not database_file.exists(path):
        return None
    database_file.check_file(path)
    try:
        # With the right to write: what a crash has left is rolled back by whoever opens it next.
        with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT)) as db:
            db.row_factory = sqlite3.Row
            return _inspect(db, path)
    except sqlite3.Error as exc:
        raise connection.describe_error(exc, path, "read") from exc


def _inspect(db: sqlite3.Connection, path: Path) -> LedgerReport:
    version = connection.schema_version(db)
    if version > len(MIGRATIONS):
        raise LedgerTooNew("created")
    if not connection.is_ours(db):
        reason = "it is a database of another program, or has lost its tables"
        raise database_file.unusable_error(path, reason)
    checked = _check_pages(db, path)
    if version == len(MIGRATIONS) and not connection.is_complete(db):
        raise database_file.unusable_error(path, "it has lost a table or a column")
    # A ledger that no server has upgraded yet holds the operator's own tasks.
    tenant = "tenant" if version >= TENANTS_SINCE else f"'{LOCAL_TENANT}'"
    tasks = db.execute(f"SELECT {tenant}, count(*) FROM task GROUP BY 1 ORDER BY 1")  # noqa: S608 - our own
    unknown = db.execute(
        f"SELECT id, {tenant} FROM task WHERE status = ? ORDER BY created_at",  # noqa: S608 - our own
        (Status.UNKNOWN.value,),
    )
    return LedgerReport(
        path=path,
        schema_version=version,
        newest_schema=len(MIGRATIONS),
        tasks={str(name): int(count) for name, count in tasks},
        unknown=tuple(UnknownTask(str(task_id), str(owner)) for task_id, owner in unknown),
        checked=checked,
    )


def _check_pages(db: sqlite3.Connection, path: Path) -> bool:
    """Whether every page was checked in time.

    Raises:
        StorageUnavailable: a page is damaged.
    """
    until = time.monotonic() + CHECK_SECONDS
    db.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return False
        raise
    finally:
        db.set_progress_handler(None, 0)
    if found != "ok":
        raise database_file.unusable_error(path, f"it is damaged ({found})")
    return True
