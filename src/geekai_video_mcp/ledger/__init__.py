"""Every task, durable: a row is written before money is spent, and never deleted.

The one way to change a task is `Ledger.change`: it reads the row, hands it to a pure
function of `lifecycle`, and writes what comes back, in one transaction on a worker thread.
So two processes that learn something at the same moment cannot overwrite each other, and
a cancelled caller cannot leave half a change behind.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import anyio
import anyio.to_thread

from geekai_video_mcp.admission import Neighbours
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import disks
from geekai_video_mcp.ledger.journal import Journal
from geekai_video_mcp.ledger.owners import Owners
from geekai_video_mcp.ledger.sqlite import Store
from geekai_video_mcp.lifecycle import Observation, Task, advance

__all__ = ["Admission", "Change", "Ledger", "Owners"]

T = TypeVar("T")
Change = Callable[[Task], Task]
Admission = Callable[[Neighbours], Task]


class Ledger:
    """The record of every task under one state folder, shared by all its processes."""

    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        # SQLite connections take one transaction at a time; so do we, in order of asking.
        self._turn = anyio.CapacityLimiter(1)

    @classmethod
    async def open(cls, state_dir: Path) -> Self:
        """Open or create the ledger of *state_dir*.

        Raises:
            StorageUnavailable: the folder or the file cannot be used.
        """

        def opened() -> Self:
            disks.warn(state_dir)
            return cls(Store(state_dir), Journal(state_dir))

        return await anyio.to_thread.run_sync(opened)

    async def close(self) -> None:
        await self._run(self._store.close)

    async def add(self, task: Task) -> None:
        """Record a new task; when this returns, it survives a power cut.

        Raises:
            StorageUnavailable: it is not recorded.
        """
        await self._run(lambda: self._store.add(task))

    async def admit(self, task: Task, admit: Admission) -> Task:
        """Record a new task if the pure function *admit* gives it back, in one transaction.

        Gives what *admit* gave: the task, durable now, or an earlier one that it repeats.

        Raises:
            StorageUnavailable: it is not recorded.
            GeekAIVideoError: what *admit* raised; it is not recorded.
        """
        return await self._run(lambda: self._store.admit(task, admit))

    async def beside(self, task: Task) -> Neighbours:
        """What `admit` would be shown for this task now; nothing is recorded."""
        return await self._run(lambda: self._store.beside(task))

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

    async def settle(self, task_id: str, seen: Observation) -> Task:
        """Record what came of a submission; if the disk refuses, keep it in the journal.

        Raises:
            StorageUnavailable: it is not in the ledger, and in the journal unless the log says so.
            KeyError: there is no such task.
        """
        try:
            return await self.change(task_id, lambda now: advance(now, seen))
        except StorageUnavailable:
            await self._run(lambda: self._journal.write(task_id, seen))
            raise

    async def replay(self) -> None:
        """Hand what the journal keeps to the ledger.

        Raises:
            StorageUnavailable: the disk still refuses; the journal keeps it.
        """
        for note in await self._run(self._journal.notes):
            with suppress(KeyError):  # a ledger that was replaced knows nothing of it
                await self.change(note.task_id, partial(advance, seen=note.seen))
            await self._run(partial(self._journal.forget, note))

    async def unfinished(self, service: str) -> list[Task]:
        """The tasks of this service and key that somebody still has to do something for."""
        return await self._run(lambda: self._store.unfinished(service))

    async def _run(self, transaction: Callable[[], T]) -> T:
        # Never abandoned on cancel: a transaction ends before its caller does.
        return await anyio.to_thread.run_sync(transaction, limiter=self._turn)
