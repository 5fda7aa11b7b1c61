"""What a worker does beside the product: count what is unfinished, pause before transactions."""

import asyncio
import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self

import asyncpg
from asyncpg.transaction import Transaction

NOT_KNOWN: Final = 1
"""How many tasks are unfinished while the database cannot say."""


class CountingThread:
    """Counts tasks of a PostgreSQL database over a connection and in a thread of its own.

    So the loop and the threads of the worker make no other system calls than the product's.
    """

    def __init__(self, url: str, condition: str) -> None:
        self._url: Final = url
        self._statement: Final = f"SELECT count(*) FROM geekai_video.task WHERE {condition}"  # noqa: S608 - words of `worker`
        self._thread: Final = ThreadPoolExecutor(1)
        self._runner: asyncio.Runner | None = None
        self._connection: asyncpg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Not waited for, nor closed: the process is about to exit.
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def count(self) -> int:
        """How many tasks fulfil the condition."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._count)

    def _count(self) -> int:
        self._runner = self._runner or asyncio.Runner()
        try:
            return self._runner.run(self._select())
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection = None
            return NOT_KNOWN

    async def _select(self) -> int:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url)
        return int(await self._connection.fetchval(self._statement))


def pause_before_transactions(max_seconds: float) -> None:
    """Pause before each transaction, as may happen on a busy machine.

    A process that waits for SQLite's lock sleeps, so without a pause the process that had the
    lock usually takes it again, and work that is wrongly split into two transactions rarely
    fails. In PostgreSQL the pause is before each statement of a transaction as well, so that two
    transactions are in the same place more often.
    """
    connect: Any = sqlite3.connect

    def pause(statement: str) -> None:
        if statement.startswith("BEGIN"):
            time.sleep(random.uniform(0.0, max_seconds))  # noqa: S311 - a test's own dice

    def connect_with_pauses(*args: Any, **more: Any) -> sqlite3.Connection:  # noqa: ANN401 - its own
        connection = connect(*args, **more)
        connection.set_trace_callback(pause)
        return connection

    sqlite3.connect = connect_with_pauses  # pyright: ignore[reportAttributeAccessIssue]
    for name in ("fetch", "execute"):
        _pause_before(asyncpg.Connection, name, max_seconds)
    _pause_before(Transaction, "start", max_seconds)


def _pause_before(owner: type, name: str, max_seconds: float) -> None:
    method: Any = getattr(owner, name)

    async def paused(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - its own
        await asyncio.sleep(random.uniform(0.0, max_seconds))  # noqa: S311 - a test's own dice
        return await method(*args, **more)

    setattr(owner, name, paused)
