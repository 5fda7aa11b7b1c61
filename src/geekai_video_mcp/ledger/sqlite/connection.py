"""One connection to SQLite: opened with our settings, migrated, and its errors as ours."""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    StorageUnavailable,
)
from geekai_video_mcp.ledger import conversion
from geekai_video_mcp.ledger.row_checks import UnreadableRow, unreadable_row_error
from geekai_video_mcp.ledger.sqlite.database_file import MOVE_AWAY, Access
from geekai_video_mcp.ledger.sqlite.migrations import MIGRATIONS
from geekai_video_mcp.quoting import quote

_FIRST_TABLES: Final = ("task", "event")
"""The tables of the first version, by which a database is recognised as ours."""
_TABLES: Final = (*_FIRST_TABLES, "body", "budget")

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_REFUSED: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
)


def describe_error(
    exc: sqlite3.Error | UnreadableRow, path: Path, access: Access
) -> StorageUnavailable:
    """Our error for one of SQLite's."""
    primary = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # there are several extended ones
    if primary == sqlite3.SQLITE_BUSY:
        return StorageUnavailable(DATABASE, BUSY, access=access)
    if isinstance(exc, UnreadableRow):
        return unreadable_row_error(exc, access)
    where = quote(str(path))
    if primary in _DAMAGED:
        reason = f"{where} is damaged ({exc})"
        return StorageUnavailable(DATABASE, reason, access=access, remedy=MOVE_AWAY)
    if primary in _REFUSED:
        reason = f"{exc}, at {where} or the -journal file beside it"
        return StorageUnavailable(DATABASE, reason, access=access)
    return StorageUnavailable(DATABASE, str(exc), access=access)


def connect(path: Path, *, timeout: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=timeout, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=TRUNCATE")
        db.execute("PRAGMA synchronous=FULL")
        # macOS: fsync alone leaves the data in the drive's cache. No effect elsewhere.
        db.execute("PRAGMA fullfsync=ON")
    except BaseException:
        db.close()
        raise
    return db


def check_writable(path: Path, *, timeout: float) -> None:
    """Write to the database over a connection of its own, and change nothing.

    Raises:
        sqlite3.Error: it cannot be written, or other transactions took longer than *timeout*.
    """
    with closing(connect(path, timeout=timeout)) as db:
        db.execute("BEGIN IMMEDIATE")
        # The same number: the page that holds it is written and synced all the same.
        db.execute(f"PRAGMA user_version={schema_version(db)}")
        db.execute("COMMIT")


def decode_any_text(db: sqlite3.Connection, exc: sqlite3.OperationalError) -> bool:
    """After the error for text that is not UTF-8: read such text with surrogates from now on.

    So it makes one row unreadable, and not the whole list. Not from the start, because it takes
    three times as long. False if *exc* is another error.
    """
    if "decode to UTF-8" not in str(exc):
        return False
    db.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    return True


def create_database(path: Path) -> None:
    """Fill a new file that no other process knows yet: the caller syncs it, and gives its name.

    So it needs no journal, and no sync before that.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        db.execute("BEGIN")
        migrate(db, from_version=0)
        db.execute("COMMIT")


def migrate(db: sqlite3.Connection, *, from_version: int) -> None:
    """Run the scripts after *from_version*; the caller's transaction makes them one change."""
    for number, script in enumerate(MIGRATIONS[from_version:], start=from_version + 1):
        for statement in script:
            db.execute(statement)
        db.execute(f"PRAGMA user_version={number}")


def schema_version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def is_ours(db: sqlite3.Connection) -> bool:
    """Whether a version of this server made the database, by its tables."""
    return schema_version(db) > 0 and set(_FIRST_TABLES) <= _tables(db)


def is_complete(db: sqlite3.Connection) -> bool:
    """Whether every table and column is there, and the first page of each table can be read."""
    columns = {row[1] for row in db.execute("PRAGMA table_info(task)")}
    if not (columns.issuperset(conversion.TASK_COLUMNS) and set(_TABLES) <= _tables(db)):
        return False
    for table in _TABLES:
        db.execute(f"SELECT rowid FROM {table} NOT INDEXED LIMIT 1").fetchone()  # noqa: S608 - our own
    return True


def _tables(db: sqlite3.Connection) -> set[str]:
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {row[0] for row in found}
