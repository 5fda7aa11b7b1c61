"""Every task, durable: a row is written before money is spent, and never deleted.

The one way to change a task is `Ledger.change`: it reads the row, hands it to a pure
function of `lifecycle`, and writes what comes back, in one transaction on a worker thread.
So two processes that learn something at the same moment cannot overwrite each other, and
a cancelled caller cannot leave half a change behind.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import anyio
import anyio.to_thread

from geekai_video_mcp.ledger.owners import Owners
from geekai_video_mcp.ledger.sqlite import Store
from geekai_video_mcp.lifecycle import Task
from geekai_video_mcp.pace import Budget, Span

__all__ = ["Change", "Ledger", "Owners"]

T = TypeVar("T")
Change = Callable[[Task], Task]


class Ledger:
    """The record of every task under one state folder, shared by all its processes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # SQLite connections take one transaction at a time; so do we, in order of asking.
        self._turn = anyio.CapacityLimiter(1)

    @classmethod
    async def open(cls, state_dir: Path) -> Self:
        """Open or create the ledger of *state_dir*.

        Raises:
            StorageUnavailable: the folder or the file cannot be used.
        """
        return cls(await anyio.to_thread.run_sync(Store, state_dir))

    async def close(self) -> None:
        await self._run(self._store.close)

    async def add(self, task: Task) -> None:
        """Record a new task; when this returns, it survives a power cut.

        Raises:
            StorageUnavailable: it is not recorded.
        """
        await self._run(lambda: self._store.add(task))

    async def find(self, task_id: str) -> Task | None:
        """The task of this id, ours or the provider's."""
        return await self._run(lambda: self._store.find(task_id))

    async def change(self, task_id: str, change: Change) -> Task:
        """Replace the task by what the pure function *change* makes of it; return the new one.

        Raises:
            StorageUnavailable: the change is not recorded.
            KeyError: there is no such task.
        """
        return await self._run(lambda: self._store.change(task_id, change))

    async def unfinished(self, service: str) -> list[Task]:
        """The tasks of this service and key that somebody still has to do something for."""
        return await self._run(lambda: self._store.unfinished(service))

    async def history(self, service: str, kind: str) -> list[Span]:
        """The newest finished tasks of this kind, as their looks measured them."""
        return await self._run(lambda: self._store.history(service, kind))

    async def budget(self, service: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        """Replace the budget that all processes share by what the pure function *change* makes.

        Gives what else *change* gave.

        Raises:
            StorageUnavailable: the change is not recorded.
        """
        return await self._run(lambda: self._store.budget(service, change))

    async def _run(self, transaction: Callable[[], T]) -> T:
        # Never abandoned on cancel: a transaction ends before its caller does.
        return await anyio.to_thread.run_sync(transaction, limiter=self._turn)
