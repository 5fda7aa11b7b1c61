"""A bounded pool of connections to PostgreSQL: the transactions of one process.

READ COMMITTED, and a lock where two transactions could pass the same check: one for the service and
key before requests are admitted or the budget is taken, and the rows themselves before they are
changed. In each transaction an account's lock comes after its row's, and rows are locked in the
order of their ids, so that no two wait for each other.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
import asyncpg

from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    MAYBE_CHARGED,
    LedgerTooNew,
    StorageUnavailable,
    nothing_charged,
)
from geekai_video_mcp.ledger.database import Database, Params, Row
from geekai_video_mcp.ledger.postgres.connection import (
    COMMAND_TIMEOUT,
    CONNECT_TIMEOUT,
    STATEMENT_TIMEOUT,
    read_version_and_xid,
    set_up,
)
from geekai_video_mcp.ledger.postgres.dialect import translate
from geekai_video_mcp.ledger.postgres.errors import FAILURES, describe_error
from geekai_video_mcp.ledger.postgres.migrations import MIGRATIONS
from geekai_video_mcp.ledger.row_checks import UnreadableRow

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

logger = logging.getLogger(__name__)

T = TypeVar("T")
Access = Literal["read", "written"]
POOL_SIZE: Final = 8
"""Connections of one process beside the one by which it is known to be alive."""
ADMISSIONS: Final = POOL_SIZE // 2
"""Transactions before sending at the same time: they wait for each other, and for those of other
processes, with a connection that the responses to what was sent would have to wait for."""
POOL_TIMEOUT: Final = 30.0
"""Seconds to wait for a free connection of the pool."""
COMMIT_CHECK_SECONDS: Final = 10.0
"""Seconds in which a commit whose answer was lost is asked about, while the database is away."""
COMMIT_CHECK_INTERVAL: Final = 0.2
"""Seconds between two questions about it."""
COMPACT_TIMEOUT: Final = 3600.0
"""Seconds in which a table is written anew."""
OLDER_TRANSACTIONS_SECONDS: Final = 60.0
"""Seconds in which transactions that began before a deletion are waited for, at the most."""
_OLDER_TRANSACTIONS_RUN: Final = """
    SELECT pg_snapshot_xmin(pg_current_snapshot()) <= $1::text::xid8 OR EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid != pg_backend_pid()
          AND age(backend_xmin) > age($1::text::xid8::xid)
    )
"""
"""A transaction that writes, in any database of the cluster, and a reader of this one: VACUUM keeps
the rows that were deleted since either began."""

_SELECT_TO_CHANGE: Final = translate("""
    SELECT * FROM task WHERE tenant = $1 AND id = ANY($2::text[]) ORDER BY id FOR UPDATE
""").text
_SELECT_FREE_TO_CHANGE: Final = f"{_SELECT_TO_CHANGE.rstrip()} SKIP LOCKED"
_SELECT_EXISTING: Final = "SELECT id FROM task WHERE tenant = $1 AND id = ANY($2::text[])"

# A session that the COMMIT has not reached would wait for it: it is ended. One that is committing,
# and may be waiting for a standby, is not.
_SELECT_COMMIT: Final = """
    SELECT CASE pg_xact_status($1::text::xid8)
        WHEN 'in progress' THEN (
            SELECT 'in progress' FROM (
                SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE state = 'idle in transaction'
                    AND backend_xid::text = ($1::text::numeric % 4294967296)::text
            ) AS ended
        )
        ELSE pg_xact_status($1::text::xid8)
    END
"""
_IN_PROGRESS: Final = "in progress"


_current: "ContextVar[PoolConnectionProxy[Any]]" = ContextVar("connection")
"""The connection of the transaction under way."""


class PostgresDatabase(Database):
    """The tables in a PostgreSQL database."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        super().__init__()
        self._pool: Final = pool
        self._admissions: Final = anyio.CapacityLimiter(ADMISSIONS)
        self._failing: dict[Access, set[str]] = {"read": set(), "written": set()}
        """Why it cannot be read or written, as the log has said since it last could."""

    @classmethod
    async def open(cls, url: str) -> Self:
        """Make the pool; `connection.prepare_database` has checked what it leads to."""
        pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=POOL_SIZE,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            init=set_up,
            # Otherwise our settings would be reset with each use.
            reset=_keep_settings,
            server_settings={"application_name": "geekai-video-mcp"},
        )
        return cls(await pool)

    async def run(self, transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await transaction()

    async def run_blocking(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work)

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(STATEMENT_TIMEOUT):
                await self._pool.close()
            self._pool.terminate()

    def check_writable(self, *, max_seconds: float) -> None:
        """As `Database.check_writable`, from a worker thread of the event loop."""
        anyio.from_thread.run(self._check_writable, max_seconds)

    async def _check_writable(self, max_seconds: float) -> None:
        with anyio.move_on_after(max_seconds):
            async with self.transaction():
                # It is written and synced like any other, although nothing is changed.
                await _current.get().execute("SELECT pg_current_xact_id()")
            return
        raise describe_error(TimeoutError(), "written")

    @asynccontextmanager
    async def _connection(self, access: Access) -> AsyncGenerator[None]:
        try:
            async with self._pool.acquire(timeout=POOL_TIMEOUT) as connection:
                token = _current.set(connection)
                try:
                    yield
                except TimeoutError:
                    # Its server does not answer: nor would it when the pool takes it back.
                    connection.terminate()
                    raise
                finally:
                    _current.reset(token)
        except FAILURES as exc:
            raise self._describe_error(exc, access) from exc
        if self._failing[access]:
            self._failing[access].clear()
            logger.warning("the task database can be %s again", access)

    def _describe_error(self, exc: Exception, access: Access) -> StorageUnavailable:
        """Our error for one of asyncpg's; the log says each once, until the database is back."""
        error = describe_error(exc, access)
        is_passing = error.reason == BUSY or isinstance(exc, UnreadableRow)
        if not is_passing and error.reason not in self._failing[access]:
            self._failing[access].add(error.reason)
            logger.error("%s", error.message)
        return error

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        # From its first statement on it ends before its caller does, as on SQLite. Its statements
        # have time-outs, and so the shield has an end.
        async with self._connection("written"):
            with anyio.CancelScope(shield=True):
                async with _current.get().transaction():
                    yield

    @asynccontextmanager
    async def transaction_before_sending(self) -> AsyncGenerator[None]:
        committing: str | None = None
        try:
            with nothing_charged():
                async with self._admission(), self.transaction():
                    version, xid = await read_version_and_xid(_current.get())
                    if version > len(MIGRATIONS):
                        self.warn_of_upgrade()
                        raise LedgerTooNew("upgraded")
                    yield
                    committing = xid
        except StorageUnavailable as exc:
            # Without an answer to COMMIT it may be durable. "Nothing was charged" would be wrong of
            # a request that is recorded: this server or another one sends it later.
            if committing is None:
                raise
            with anyio.CancelScope(shield=True):
                if not await self._is_committed(committing, exc):
                    raise

    @asynccontextmanager
    async def _admission(self) -> AsyncGenerator[None]:
        try:
            with anyio.fail_after(POOL_TIMEOUT):
                await self._admissions.acquire()
        except TimeoutError as exc:
            raise StorageUnavailable(DATABASE, BUSY) from exc
        try:
            yield
        finally:
            self._admissions.release()

    async def _is_committed(self, xid: str, why: StorageUnavailable) -> bool:
        """Find out, over another connection, what became of a transaction's COMMIT.

        Raises:
            StorageUnavailable: the database does not come back in time to tell.
        """
        with anyio.move_on_after(COMMIT_CHECK_SECONDS):
            while True:
                try:
                    async with self._pool.acquire(timeout=CONNECT_TIMEOUT) as connection:
                        status = await connection.fetchval(_SELECT_COMMIT, xid)
                except FAILURES:
                    status = _IN_PROGRESS
                if status != _IN_PROGRESS:
                    logger.warning("the answer to a COMMIT was lost: it is %s", status)
                    return status == "committed"
                await anyio.sleep(COMMIT_CHECK_INTERVAL)
        raise StorageUnavailable(
            DATABASE,
            f"{why.reason}, and whether the request is recorded is not known",
            money=MAYBE_CHARGED,
            remedy="Once the database is there again, repeat the same call unchanged: if the"
            " request was recorded, it returns that task.",
        ) from why

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        try:
            async with _current.get().transaction():
                yield
        except FAILURES as exc:
            raise self._describe_error(exc, "written") from exc

    @property
    def in_transaction(self) -> bool:
        connection = _current.get()
        return not connection.is_closed() and connection.is_in_transaction()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        async with self._connection("read"):
            yield

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[None]:
        async with (
            self._connection("read"),
            _current.get().transaction(isolation="repeatable_read", readonly=True),
        ):
            yield

    async def lock_account(self, account: str) -> None:
        await _current.get().execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", account
        )

    async def select_to_change(self, task_ids: Sequence[str], *, tenant: str) -> list[Row]:
        found = await _current.get().fetch(_SELECT_TO_CHANGE, tenant, list(task_ids))
        return [dict(row) for row in found]

    async def select_free_to_change(
        self, task_ids: Sequence[str], *, tenant: str
    ) -> tuple[list[Row], set[str]]:
        found = await _current.get().fetch(_SELECT_FREE_TO_CHANGE, tenant, list(task_ids))
        rows = [dict(row) for row in found]
        missing = [*set(task_ids).difference(row["id"] for row in rows)]
        if not missing:
            return rows, set()
        locked = await _current.get().fetch(_SELECT_EXISTING, tenant, missing)
        return rows, {row["id"] for row in locked}

    async def execute_many(self, statement: str, params: Sequence[Params]) -> None:
        text, names = translate(statement)
        await _current.get().executemany(text, [_values(names, each) for each in params])

    async def execute(self, statement: str, params: Params | None = None) -> int:
        text, names = translate(statement)
        done = await _current.get().execute(text, *_values(names, params))
        return int(done.rpartition(" ")[2])  # such as "UPDATE 1"

    async def select(self, statement: str, params: Params | None = None) -> list[Row]:
        text, names = translate(statement)
        return [dict(row) for row in await _current.get().fetch(text, *_values(names, params))]

    async def select_values(self, statement: str, params: Params) -> list[tuple[Any, ...]]:
        text, names = translate(statement)
        return [tuple(row) for row in await _current.get().fetch(text, *_values(names, params))]

    async def require_room(self) -> None:
        """Nothing to do: a full disk refuses this transaction, and the journal has room."""

    async def prepare_purge(self) -> None:
        """Nothing to do: `compact` writes the tables anew."""

    async def compact(self) -> None:
        async with self._connection("written"):
            connection = _current.get()
            await connection.execute(f"SET statement_timeout = '{COMPACT_TIMEOUT:.0f}s'")
            try:
                await _wait_for_older_transactions(connection)
                for table in ("task", "event", "body"):
                    await connection.execute(f"VACUUM (FULL) {table}", timeout=COMPACT_TIMEOUT)
            finally:
                if not connection.is_closed():
                    await set_up(connection)


async def _wait_for_older_transactions(connection: "PoolConnectionProxy[Any]") -> None:
    """Wait until no transaction can see any more what has been deleted: until then it is kept.

    Raises:
        StorageUnavailable: one of them goes on.
    """
    deleted_by = await connection.fetchval("SELECT pg_current_xact_id()::text")
    with anyio.move_on_after(OLDER_TRANSACTIONS_SECONDS):
        while await connection.fetchval(_OLDER_TRANSACTIONS_RUN, deleted_by):  # noqa: ASYNC110 - no event
            await anyio.sleep(COMMIT_CHECK_INTERVAL)
        return
    reason = "a transaction that began before the deletion still runs on its server"
    raise StorageUnavailable(DATABASE, reason, remedy="Wait until it has ended.")


async def _keep_settings(connection: "asyncpg.Connection[Any]") -> None:
    del connection


def _values(names: tuple[str, ...], params: Params | None) -> list[Any]:
    return [_storable(params[name]) for name in names] if params else []


def _storable(value: Any) -> Any:  # noqa: ANN401 - of any column
    """The value as PostgreSQL takes it: its text has no NUL."""
    if isinstance(value, str) and "\0" in value:
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return value
