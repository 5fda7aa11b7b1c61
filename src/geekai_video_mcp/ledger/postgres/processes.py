"""Which processes are alive: each holds a session lock of the database while it runs.

The database frees a lock when its session ends, however its process ends. Every second each process
reads which locks are held. A process is taken for dead only if its lock was seen, or it was asked
about, before the lock was found missing, so that one that has just begun is never taken for dead. A
process that loses its own session is dead to the others until it is back: what it was sending
becomes `unknown`, and its late answer still counts. After a restart of the database all have lost
theirs, so nobody judges in the first seconds after that.
"""

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio

from geekai_video_mcp.errors import DATABASE, StorageUnavailable
from geekai_video_mcp.ledger.postgres.connection import connect
from geekai_video_mcp.ledger.postgres.errors import FAILURES, describe_failure

if TYPE_CHECKING:
    import asyncpg

logger = logging.getLogger(__name__)

READ_INTERVAL: Final = 1.0
"""Seconds between two reads of the locks that are held."""
READ_TIMEOUT: Final = 5.0
"""Seconds after which a session that does not answer is given up."""
RECONNECTION_SECONDS: Final = 10.0
"""Seconds after the loss of its own session in which a process takes nobody else for dead: they may
have lost theirs as well."""
MAX_RETRY_DELAY: Final = 4.0
"""Seconds between attempts to connect again, at the most."""
CLOCK_READ_SECONDS: Final = 1.0
"""Seconds that a read may take for the time in it to count: half of them is its error."""

_SELECT_LOCKS: Final = """
    SELECT array(
        SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS keys, extract(epoch FROM clock_timestamp())::double precision AS now
"""


class PostgresProcesses:
    """The lock of this process, and those of all others, in one database."""

    def __init__(self, url: str) -> None:
        self._url: Final = url
        self.own_id: Final = secrets.token_hex(16)
        self._connection: asyncpg.Connection[Any] | None = None
        self._lock: Final = anyio.Lock()
        self._watched: set[int] = set()
        """The locks that were once held, or asked about."""
        self._held = frozenset[int]()
        self._gone: set[int] = set()
        """Those of them that were found missing."""
        self._ended = anyio.Event()
        """Set, and replaced, when another one is found missing."""
        self._judges_from = 0.0
        """When a lock that is missing means that its process has ended; monotonic seconds."""
        self._clock_offset: float | None = None

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Hold the lock of this process while the block lasts.

        Raises:
            StorageUnavailable: the database cannot be reached.
        """
        await self.refresh()
        self.ensure_own_lock()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_reading)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await self._end_session()

    def clock(self) -> float:
        """The time of the database, which all processes have in common, in Unix seconds."""
        return time.time() + (self._clock_offset or 0.0)

    def is_alive(self, process_id: str) -> bool:
        """Whether the process with this id still runs, or may still run for all that is known."""
        key = _lock_key(process_id)
        if process_id == self.own_id or key in self._held:
            return True
        self._watched.add(key)
        return self._connection is None or key not in self._gone

    async def wait_for_end(self) -> None:
        """Return when the lock of another process is found to be free, a second later at most."""
        await self._ended.wait()

    def ensure_own_lock(self) -> None:
        """Refuse new requests while the others take this process for dead.

        Raises:
            StorageUnavailable: the session is lost, and is being opened again.
        """
        if self._connection is None or self._connection.is_closed():
            raise StorageUnavailable(
                DATABASE,
                "the connection to its server was lost",
                access="read",
                remedy="This server reconnects by itself; try again in a few seconds.",
            )

    async def refresh(self, about: Iterable[str] = ()) -> None:
        """Read which locks are held, over a new session if the last one was lost.

        Those of *about* count as asked about before: what is read of them holds.
        """
        async with self._lock:
            self._watched.update(map(_lock_key, about))
            watched = frozenset(self._watched)  # before the locks are read
            try:
                with anyio.fail_after(READ_TIMEOUT):
                    if self._connection is None:
                        self._connection = await self._register()
                    began = time.time()
                    row = await self._connection.fetchrow(_SELECT_LOCKS)
            except FAILURES as exc:
                if self._connection is not None:
                    logger.warning("the task database: %s", describe_failure(exc))
                self._give_up_session()
                return
            assert row is not None  # noqa: S101 - it selects one row
            now = time.time()
            if self._clock_offset is None or 0 <= now - began <= CLOCK_READ_SECONDS:
                self._clock_offset = row["now"] - (began + now) / 2
            self._take_locks(frozenset(row["keys"]), watched=watched)

    def _take_locks(self, held: frozenset[int], *, watched: frozenset[int]) -> None:
        self._held = held
        self._watched |= held
        self._gone -= held
        missing = watched - held - self._gone
        if missing and time.monotonic() >= self._judges_from:
            self._gone |= missing
            self._ended.set()
            self._ended = anyio.Event()

    async def _register(self) -> "asyncpg.Connection[Any]":
        connection = await connect(self._url)
        try:
            # Shared with itself alone: the server may believe for a while that the session that was
            # lost still has it.
            await connection.execute("SELECT pg_advisory_lock_shared($1)", _lock_key(self.own_id))
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _end_session(self) -> None:
        """Free the lock: the others need not wait until the database notices."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAILURES):
                await connection.close(timeout=READ_TIMEOUT)

    def _give_up_session(self) -> None:
        connection, self._connection = self._connection, None
        self._judges_from = time.monotonic() + RECONNECTION_SECONDS
        if connection is not None:
            connection.terminate()

    async def _keep_reading(self) -> None:
        delay = READ_INTERVAL
        while True:
            await anyio.sleep(delay)
            await self.refresh()
            connected = self._connection is not None
            delay = READ_INTERVAL if connected else min(2 * delay, MAX_RETRY_DELAY)


def _lock_key(process_id: str) -> int:
    """The number of a process's lock; the id may be of an earlier ledger, and then is no number."""
    digits = process_id[:16]
    try:
        return int.from_bytes(bytes.fromhex(digits.zfill(16)), signed=True)
    except ValueError:
        return 0
