"""One open database file: its transactions, and what is refused when the file is not as it was.

The settings are decisions, not defaults. TRUNCATE and not WAL: in most SQLite builds that
Pythons ship (3.7.0 to 3.51.2) WAL has a race between processes that can lose commits
(sqlite.org/wal.html#walresetbug, read 2026-11-22). FULL and not NORMAL: a lost row is a
video someone paid for. BEGIN IMMEDIATE for every change: a deferred transaction that starts
by reading fails with SQLITE_BUSY at its first write, whatever the time-out. `connection` applies
them. What a statement means is not known here.
"""

import logging
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from geekai_video_mcp.errors import (
    DATABASE,
    LedgerTooNew,
    StorageUnavailable,
    nothing_charged,
)
from geekai_video_mcp.ledger import schema
from geekai_video_mcp.ledger.database import Database, Params, Row
from geekai_video_mcp.ledger.row_checks import UnreadableRow
from geekai_video_mcp.ledger.sqlite import connection, database_file
from geekai_video_mcp.ledger.sqlite.database_file import Access, OpenedFile
from geekai_video_mcp.ledger.sqlite.migrations import MIGRATIONS
from geekai_video_mcp.ledger.sqlite.reader import SqliteTaskReader
from geekai_video_mcp.ledger.sqlite.worker import run_to_end
from geekai_video_mcp.quoting import quote

logger = logging.getLogger(__name__)

T = TypeVar("T")
BUSY_TIMEOUT: Final = 30.0
"""Seconds to wait for another process's transaction; 32 at once needed 2.8 at most."""
MIN_FREE_BYTES: Final = 16 * 1024 * 1024
"""Bytes that must be free before a request may leave: twice the largest request, so that its
response can be recorded as well."""


def path_in(state_dir: Path) -> Path:
    """The path of the ledger of this state folder, whether or not it exists."""
    return state_dir / "ledger.sqlite3"


class SqliteDatabase(Database):
    """One connection to one ledger file."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__()
        # An SQLite connection runs one transaction at a time; callers wait in order of arrival.
        self._limiter: Final = anyio.CapacityLimiter(1)
        self._moved: str | None = None
        database_file.create_folder(state_dir)
        self.path: Final = path_in(state_dir.resolve())
        with self._translate_errors("opened"):
            database_file.create_if_missing(self.path, connection.create_database)
            database_file.check_file(self.path)
            self._connection = connection.connect(self.path, timeout=BUSY_TIMEOUT)
            try:
                self._file = OpenedFile(self.path)
                self._check_and_migrate()
            except BaseException:
                self._connection.close()
                raise

    async def run(self, transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
        # Never abandoned on cancel: a transaction ends before its caller does.
        return await anyio.to_thread.run_sync(
            lambda: run_to_end(transaction()), limiter=self._limiter
        )

    async def run_blocking(self, work: Callable[[], T]) -> T:
        return work()  # the transaction is on a worker thread

    async def close(self) -> None:
        # Most lifespans end by cancellation, and a cancelled scope starts no thread. The shield
        # needs no time limit: a transaction ends by itself, at the latest after `BUSY_TIMEOUT`.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._connection.close, limiter=self._limiter)

    def check_writable(self, *, max_seconds: float) -> None:
        """Write to the file as every transaction does, beside those of this process."""
        with self._translate_errors("written"):
            self._require_in_place("written")
            connection.check_writable(self.path, timeout=max_seconds)

    def open_reader(self, tenant: str) -> SqliteTaskReader:
        """A second connection to the same file, which reads the tasks of *tenant*."""
        with self._translate_errors("opened"):
            return SqliteTaskReader.open(self._file, tenant)

    async def execute(self, statement: str, params: Params | None = None) -> int:
        return self._connection.execute(statement, params or {}).rowcount

    def _check_and_migrate(self) -> None:
        with self._transaction("opened"):
            if not connection.is_ours(self._connection):
                reason = "it is a database of another program, or has lost its tables"
                raise database_file.unusable_error(self.path, reason)
            version = connection.schema_version(self._connection)
            if version > len(MIGRATIONS):
                raise LedgerTooNew("created")
            connection.migrate(self._connection, from_version=version)
            if not connection.is_complete(self._connection):
                raise database_file.unusable_error(self.path, "it has lost a table or a column")

    @asynccontextmanager
    async def transaction_before_sending(self) -> AsyncGenerator[None]:
        with nothing_charged(), self._transaction():
            if connection.schema_version(self._connection) > len(MIGRATIONS):
                raise LedgerTooNew("upgraded")
            yield

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self, access: Access = "written") -> Generator[None]:
        """One transaction, rolled back as a whole if it fails.

        It also works in a database that was upgraded meanwhile: migrations only add columns, each
        with a default, and `schema.UPDATE` names the columns it knows. So the outcome of a request
        that was being sent is recorded at once, where every server finds it. If this program
        cannot read the row, the outcome goes to the journal, for the newer server.
        """
        with self._translate_errors(access):
            if access != "opened":
                self._require_in_place(access)
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if access != "opened" and connection.schema_version(self._connection) > len(
                    MIGRATIONS
                ):
                    self.warn_of_upgrade()
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself. A COMMIT that a reader blocks leaves
                # it open, and every later one would fail.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        # A full disk ends the whole transaction: `in_transaction` is false then.
        with self._translate_errors("written"):
            self._connection.execute("SAVEPOINT part")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK TO part")
                raise
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("RELEASE part")

    async def require_room(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < MIN_FREE_BYTES:
            # The response to a paid request has to be written as well.
            raise StorageUnavailable(DATABASE, f"only {free:,} bytes are free on its disk")

    async def prepare_purge(self) -> None:
        self._connection.execute("PRAGMA secure_delete=ON")

    async def compact(self) -> None:
        with self._translate_errors("written"):
            self._require_in_place("written")
            # What is written meanwhile must not stand in a folder for temporary files.
            self._connection.execute("PRAGMA temp_store=MEMORY")
            self._connection.execute("VACUUM")

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        with self._translate_errors("read"):
            self._require_in_place("read")
            yield

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[None]:
        # No other process waits to record: only its commit waits until the block ends.
        async with self.reading():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")

    def _require_in_place(self, access: Access) -> None:
        """Refuse every use of a file whose name is gone: its rows would be lost with it.

        Raises:
            StorageUnavailable: it says what happened; the log says it once, and when it is back.
        """
        moved = self._file.describe_change()
        if moved is None:
            if self._moved is not None:
                logger.warning("the task database is back: %s", quote(str(self.path)))
            self._moved = None
            return
        error = self._file.change_error(moved, access)
        if moved != self._moved:
            self._moved = moved
            logger.error(
                "%s Until then no request is sent, and outcomes are recorded nowhere: the"
                " emergency journal is in the same folder.",
                error.message,
            )
        raise error

    async def lock_account(self, account: str) -> None:
        """Nothing to do: a transaction that writes has the whole file."""

    async def select_to_change(self, task_ids: Sequence[str], *, tenant: str) -> list[Row]:
        found = [await self.select(schema.GET, {"id": each, "tenant": tenant}) for each in task_ids]
        return [row for rows in found for row in rows]

    async def execute_many(self, statement: str, params: Sequence[Params]) -> None:
        self._connection.executemany(statement, params)

    async def select(self, statement: str, params: Params | None = None) -> list[Row]:
        # `sqlite3.Row` compares a name with every column's at each access.
        names, rows = self._fetch_all(statement, params or {})
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def select_values(self, statement: str, params: Params) -> list[tuple[Any, ...]]:
        return self._fetch_all(statement, params)[1]

    def _fetch_all(self, statement: str, params: Params) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            cursor = self._connection.execute(statement, params)
            return [column[0] for column in cursor.description], cursor.fetchall()
        except sqlite3.OperationalError as exc:
            if not connection.decode_any_text(self._connection, exc):
                raise
            return self._fetch_all(statement, params)

    @contextmanager
    def _translate_errors(self, access: Access) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, UnreadableRow) as exc:
            if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED:
                moved = self._file.describe_change() or "it was moved"
                raise self._file.change_error(moved, access) from exc
            raise connection.describe_error(exc, self.path, access) from exc
        except OSError as exc:
            raise database_file.folder_error(self.path.parent, exc, access=access) from exc
