"""One open database file: its transactions, and what is refused when the file is not as it was.

The settings are decisions, not defaults: see `sqlite`. What a statement means is not known here.
"""

import logging
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from geekai_video_mcp.errors import (
    LedgerTooNew,
    nothing_charged,
)
from geekai_video_mcp.ledger import connection, database_file
from geekai_video_mcp.ledger.database_file import Access, OpenedFile
from geekai_video_mcp.ledger.migrations import MIGRATIONS
from geekai_video_mcp.ledger.reader import TaskReader
from geekai_video_mcp.quoting import quote

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
BUSY_TIMEOUT: Final = 30.0
"""Seconds to wait for another process's transaction; 32 at once needed 2.8 at most."""


def path_in(state_dir: Path) -> Path:
    """The path of the ledger of this state folder, whether or not it exists."""
    return state_dir / "ledger.sqlite3"


class Database:
    """One connection to one ledger file."""

    def __init__(self, state_dir: Path) -> None:
        self._upgraded = False
        """Whether a newer version has upgraded the file since it was opened."""
        self._unreadable_rows: set[str] = set()
        """The messages about unreadable rows that were logged: sweeps read them again and again."""
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

    def close(self) -> None:
        self._connection.close()

    def check_writable(self, *, max_seconds: float) -> None:
        """Write to the file as every transaction does, beside those of this process."""
        with self._translate_errors("written"):
            self._require_in_place("written")
            connection.check_writable(self.path, timeout=max_seconds)

    def open_reader(self, tenant: str) -> TaskReader:
        """A second connection to the same file, which reads the tasks of *tenant*."""
        with self._translate_errors("opened"):
            return TaskReader.open(self._file, tenant)

    def execute(self, statement: str, params: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        """Run one statement of the current transaction."""
        return self._connection.execute(statement, params or {})

    def _check_and_migrate(self) -> None:
        with self.transaction(access="opened"):
            if not connection.is_ours(self._connection):
                reason = "it is a database of another program, or has lost its tables"
                raise database_file.unusable_error(self.path, reason)
            version = connection.schema_version(self._connection)
            if version > len(MIGRATIONS):
                raise LedgerTooNew("created")
            connection.migrate(self._connection, from_version=version)
            if not connection.is_complete(self._connection):
                raise database_file.unusable_error(self.path, "it has lost a table or a column")

    def _warn_of_upgrade(self) -> None:
        if not self._upgraded:
            self._upgraded = True
            logger.warning(
                "a newer version of this server upgraded the task database: this one finishes its"
                " tasks and sends no new request. Upgrade it and start it again."
            )

    @contextmanager
    def transaction_before_sending(self) -> Generator[None]:
        """A transaction that must succeed before a paid request may leave.

        It is refused once a newer version of this server has upgraded the database while this one
        was running: its rules for money may be stricter, and this program would break them.
        """
        with nothing_charged(), self.transaction():
            if connection.schema_version(self._connection) > len(MIGRATIONS):
                raise LedgerTooNew("upgraded")
            yield

    @contextmanager
    def transaction(self, access: Access = "written") -> Generator[None]:
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
                    self._warn_of_upgrade()
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself. A COMMIT that a reader blocks leaves
                # it open, and every later one would fail.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """A part of the current transaction that is undone alone if it fails.

        Raises:
            StorageUnavailable: it failed. If that has ended the whole transaction, as a full disk
                does, `in_transaction` is false, and nothing more may be written.
        """
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

    def compact(self) -> None:
        """Write the whole file anew: nothing is left in it of rows that were changed or deleted.

        Raises:
            StorageUnavailable: another process holds it, or there is no room for a copy.
        """
        with self._translate_errors("written"):
            self._require_in_place("written")
            # What is written meanwhile must not stand in a folder for temporary files.
            self._connection.execute("PRAGMA temp_store=MEMORY")
            self._connection.execute("VACUUM")

    @property
    def in_transaction(self) -> bool:
        """Whether the current transaction has not ended by itself."""
        return self._connection.in_transaction

    @contextmanager
    def reading(self) -> Generator[None]:
        """One statement that reads, outside a transaction."""
        with self._translate_errors("read"):
            self._require_in_place("read")
            yield

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

    def select(
        self, statement: str, params: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        # `sqlite3.Row` compares a name with every column's at each access.
        names, rows = self._fetch_all(statement, params or {})
        return [dict(zip(names, row, strict=True)) for row in rows]

    def select_values(self, statement: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows without the names of their columns, for thousands of them."""
        return self._fetch_all(statement, params)[1]

    def _fetch_all(
        self, statement: str, params: Mapping[str, Any]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            cursor = self._connection.execute(statement, params)
            return [column[0] for column in cursor.description], cursor.fetchall()
        except sqlite3.OperationalError as exc:
            if not connection.decode_any_text(self._connection, exc):
                raise
            return self._fetch_all(statement, params)

    def select_one(
        self, statement: str, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        return next(iter(self.select(statement, params)), None)

    def parse_rows(
        self,
        found: Iterable[R],
        parse: Callable[[R], T],
    ) -> Generator[T]:
        """These rows, without those that cannot be read, each of which is logged once."""
        for row in found:
            try:
                yield parse(row)
            except sqlite3.DataError as exc:
                if str(exc) not in self._unreadable_rows:
                    self._unreadable_rows.add(str(exc))
                    logger.error("%s", exc)  # noqa: TRY400 - a traceback could print the row

    @contextmanager
    def _translate_errors(self, access: Access) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED:
                moved = self._file.describe_change() or "it was moved"
                raise self._file.change_error(moved, access) from exc
            raise connection.describe_error(exc, self.path, access) from exc
        except OSError as exc:
            raise database_file.folder_error(self.path.parent, exc, access=access) from exc
