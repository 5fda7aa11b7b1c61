"""What a store needs of a database: transactions, and statements with named parameters.

There are two, `sqlite.database` and `postgres.database`. The methods are coroutines for the sake of
PostgreSQL; those of SQLite never wait for the event loop, so that a whole transaction runs on a
worker thread (`sqlite.worker`).
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from geekai_video_mcp.ledger.row_checks import UnreadableRow

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
Row = dict[str, Any]
Params = Mapping[str, Any]


class Database(ABC):
    """The tables of the ledger, for one process."""

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.time
        """The time of what is recorded, in Unix seconds: one that all processes have in common."""
        self._unreadable_rows: set[str] = set()
        """The messages about unreadable rows that were logged: sweeps read them again and again."""
        self._upgraded = False
        """Whether a newer version has upgraded the tables since they were opened."""

    @abstractmethod
    async def run(self, transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run what uses this database to its end, even if the caller is cancelled meanwhile."""

    @abstractmethod
    async def run_blocking(self, work: Callable[[], T]) -> T:
        """Run, within a transaction, what looks for files; others of this process go on."""

    @abstractmethod
    async def close(self) -> None:
        """Close the database once the transactions under way have ended."""

    @abstractmethod
    def check_writable(self, *, max_seconds: float) -> None:
        """Write something that changes nothing, beside the transactions of this process; blocks.

        Raises:
            StorageUnavailable: that is not possible, or others have it for as long.
        """

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[None]:
        """One transaction that writes, rolled back as a whole if it fails.

        Raises:
            StorageUnavailable: it failed, and nothing of it is recorded.
        """

    @abstractmethod
    def transaction_before_sending(self) -> AbstractAsyncContextManager[None]:
        """A transaction that must succeed before a paid request may leave.

        Raises:
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile: its
                rules for money may be stricter, and this program would break them.
            StorageUnavailable: it failed, and nothing of it is recorded.
        """

    @abstractmethod
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """A part of the current transaction that is undone alone if it fails."""

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether the current transaction has not ended by itself."""

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[None]:
        """Statements that read, outside a transaction."""

    @abstractmethod
    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Several statements that read, all from one moment."""

    @abstractmethod
    async def lock_account(self, account: str) -> None:
        """Let no other transaction admit requests of this service and key before this one ends."""

    @abstractmethod
    async def select_to_change(self, task_ids: Sequence[str], *, tenant: str) -> list[Row]:
        """The rows of these tasks, which no other transaction changes before this one ends.

        All that a transaction changes in one call, so that no two wait for each other.
        """

    async def select_free_to_change(
        self, task_ids: Sequence[str], *, tenant: str
    ) -> tuple[list[Row], set[str]]:
        """As `select_to_change`, but without a wait for the rows that others are changing.

        Also the ids of those; none where transactions run one at a time.
        """
        return await self.select_to_change(task_ids, tenant=tenant), set()

    @abstractmethod
    async def execute_many(self, statement: str, params: Sequence[Params]) -> None:
        """Run one statement of the current transaction with each of *params*."""

    @abstractmethod
    async def execute(self, statement: str, params: Params | None = None) -> int:
        """Run one statement of the current transaction; returns how many rows it has changed."""

    @abstractmethod
    async def select(self, statement: str, params: Params | None = None) -> list[Row]:
        """The rows that the statement finds."""

    @abstractmethod
    async def select_values(self, statement: str, params: Params) -> list[tuple[Any, ...]]:
        """The rows without the names of their columns, for thousands of them."""

    async def select_one(self, statement: str, params: Params | None = None) -> Row | None:
        """The first row that the statement finds."""
        return next(iter(await self.select(statement, params)), None)

    @abstractmethod
    async def require_room(self) -> None:
        """Refuse a transaction before sending if the response to it may find no room.

        Raises:
            StorageUnavailable: the disk is nearly full.
        """

    @abstractmethod
    async def prepare_purge(self) -> None:
        """Have what this transaction deletes overwritten, where the database can do that."""

    @abstractmethod
    async def compact(self) -> None:
        """Write the tables anew: nothing is left in them of rows that were changed or deleted.

        Raises:
            StorageUnavailable: another process holds them, or there is no room for a copy.
        """

    def warn_of_upgrade(self) -> None:
        """Log once that a newer version has upgraded the tables while this one runs."""
        if not self._upgraded:
            self._upgraded = True
            logger.warning(
                "a newer version of this server upgraded the task database: this one finishes its"
                " tasks and sends no new request. Upgrade it and start it again."
            )

    def parse_rows(self, found: Iterable[R], parse: Callable[[R], T]) -> Generator[T]:
        """These rows, without those that cannot be read, each of which is logged once."""
        for row in found:
            try:
                yield parse(row)
            except UnreadableRow as exc:
                if str(exc) not in self._unreadable_rows:
                    self._unreadable_rows.add(str(exc))
                    logger.error("%s", exc)  # noqa: TRY400 - a traceback could print the row
