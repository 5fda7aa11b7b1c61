"""Reads of single tasks that neither wait nor write, and so need no thread of their own.

Handing a read to a worker thread and back takes longer than the read, and it would be queued
behind the transactions of this process. This connection has no time-out and is read-only: while
another process commits, or after one has died in the middle, SQLite refuses at once. Whatever it
refuses is read by the `Store` on its thread, which waits, repairs, or says what is wrong.

Every read sees what any process has committed: nothing is kept between two of them.
"""

import sqlite3
from typing import Any, Self

from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.ledger import conversion, schema
from geekai_video_mcp.ledger.reads import NotAtOnce
from geekai_video_mcp.ledger.row_checks import UnreadableRow
from geekai_video_mcp.ledger.sqlite.database_file import OpenedFile


class SqliteTaskReader:
    """A second, read-only connection to a ledger file that is open."""

    def __init__(self, file: OpenedFile, connection: sqlite3.Connection, tenant: str) -> None:
        self._file = file
        self._connection = connection
        self._tenant = tenant

    @classmethod
    def open(cls, file: OpenedFile, tenant: str) -> Self:
        """Connect to the file, for the tasks of *tenant*."""
        # In the event loop's thread alone, although it is opened by another.
        connection = sqlite3.connect(
            f"{file.path.as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            timeout=0,
            check_same_thread=False,
        )
        return cls(file, connection, tenant)

    def of_tenant(self, tenant: str) -> "SqliteTaskReader":
        """The same connection, for the tasks of another tenant; it is closed with this one."""
        return SqliteTaskReader(self._file, self._connection, tenant)

    def close(self) -> None:
        self._connection.close()

    async def find(self, task_id: str) -> Task | None:
        """As `Store.find`.

        Raises:
            NotAtOnce: ask the `Store`.
        """
        return next(iter(self._read_tasks(schema.FIND, {"id": task_id})), None)

    async def find_by_prefix(self, prefix: str, *, limit: int) -> list[Task]:
        """As `Store.find_by_prefix`.

        Raises:
            NotAtOnce: ask the `Store`.
        """
        return self._read_tasks(schema.SELECT_BY_PREFIX, {"start": prefix, "limit": limit})

    def _read_tasks(self, statement: str, params: dict[str, Any]) -> list[Task]:
        if self._file.describe_change() is not None:
            raise NotAtOnce
        try:
            # All rows first: until the last one is fetched, no process can commit.
            bound = {**params, "tenant": self._tenant}
            rows = self._connection.execute(statement, bound).fetchall()
            # As this connection decodes text, all of it is UTF-8: it refuses a row with other text.
            return list(map(conversion.from_values, rows))
        except (sqlite3.Error, UnreadableRow) as exc:
            raise NotAtOnce from exc
