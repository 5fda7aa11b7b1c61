"""The ledger in one SQLite file. Synchronous on purpose: a transaction per call, on one thread.

The settings are decisions, not defaults. TRUNCATE and not WAL: in most SQLite builds that
Pythons ship (3.7.0 to 3.51.2) WAL has a race between processes that can lose commits
(sqlite.org/wal.html#walresetbug, read 2026-11-22). FULL and not NORMAL: a lost row is a
video someone paid for. BEGIN IMMEDIATE always: a deferred transaction that starts by
reading fails with SQLITE_BUSY at its first write, whatever the time-out.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import rows
from geekai_video_mcp.lifecycle import Task
from geekai_video_mcp.pace import NEWEST, Budget, Span

T = TypeVar("T")

BUSY_TIMEOUT: Final = 30.0
"""Seconds to wait for another process's transaction; 32 at once needed 2.8 at most."""

_MIGRATIONS: Final = (rows.SCHEMA, rows.PACE)
"""One script per version of the schema, in order; a released one is never edited."""


class Store:
    """One connection to one ledger file, for one process."""

    def __init__(self, state_dir: Path) -> None:
        with _spoken():
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = state_dir.resolve() / "ledger.sqlite3"
            # Created here with its mode, or SQLite would create it with the umask's.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(
                path, isolation_level=None, timeout=BUSY_TIMEOUT, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        self._db.close()

    def add(self, task: Task) -> None:
        with self._transaction():
            if self._db.execute(rows.INSERT, rows.to_row(task)).rowcount:
                self._note(task, at=task.created_at)

    def find(self, task_id: str) -> Task | None:
        with _spoken():
            found = self._db.execute(rows.FIND, {"id": task_id}).fetchone()
        return rows.from_row(dict(found)) if found else None

    def change(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        with self._transaction():
            found = self._db.execute(rows.GET, {"id": task_id}).fetchone()
            if found is None:
                raise KeyError(task_id)
            before = rows.from_row(dict(found))
            after = change(before)
            if after != before:
                self._db.execute(rows.UPDATE, rows.to_row(after))
                if rows.story(before) != rows.story(after):
                    self._note(after, at=time.time())
            return after

    def unfinished(self, service: str) -> list[Task]:
        with _spoken():
            found = self._db.execute(rows.UNFINISHED, {"service": service}).fetchall()
        return [rows.from_row(dict(row)) for row in found]

    def history(self, service: str, kind: str) -> list[Span]:
        asked = {"service": service, "kind": kind, "newest": NEWEST}
        with _spoken():
            found = self._db.execute(rows.HISTORY, asked).fetchall()
        return [rows.to_span(dict(row)) for row in found]

    def budget(self, service: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        with self._transaction():
            found = self._db.execute(rows.BUDGET, {"service": service}).fetchone()
            before = rows.to_budget(dict(found)) if found else Budget(service=service)
            after, answer = change(before)
            if after != before:
                self._db.execute(rows.SPEND, asdict(after))
            return answer

    def _note(self, task: Task, *, at: float) -> None:
        self._db.execute(rows.NOTE, {"at": at, **rows.story(task)})

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=TRUNCATE")
        self._db.execute("PRAGMA synchronous=FULL")
        # macOS: fsync alone leaves the data in the drive's cache. No effect elsewhere.
        self._db.execute("PRAGMA fullfsync=ON")
        with self._transaction():
            version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
            for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
                for statement in script:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={number}")

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with _spoken():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself; a COMMIT that a reader holds
                # up leaves it open, and every later one would fail.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


@contextmanager
def _spoken() -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise StorageUnavailable("The ledger", str(exc)) from exc
