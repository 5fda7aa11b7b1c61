"""Work on a worker thread that goes on while something else is awaited."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup


class WorkerThread:
    """Does one piece of work at a time."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._ended = anyio.Event()
        self._ended.set()
        self._failure: Exception | None = None

    @property
    def is_idle(self) -> bool:
        """Whether all work has ended."""
        return self._ended.is_set()

    def start(self, work: Callable[..., None], *args: object) -> None:
        """Start *work*; whatever was started before has been waited for."""
        self._ended = anyio.Event()
        self._group.start_soon(self._run, work, *args)

    async def wait(self) -> None:
        """Wait until the work has ended; raises what it has raised, each time."""
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure

    async def _run(self, work: Callable[..., None], *args: object) -> None:
        # Shielded: what was received is written, whoever has lost interest meanwhile.
        with anyio.CancelScope(shield=True):
            try:
                await anyio.to_thread.run_sync(work, *args)
            except Exception as exc:  # noqa: BLE001 - `wait` raises it
                self._failure = exc
            self._ended.set()


@asynccontextmanager
async def open_worker_thread() -> AsyncGenerator[WorkerThread]:
    """A worker thread, whose work has ended after the block, whatever has ended the block."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        try:
            yield WorkerThread(group)
        except Exception as exc:  # noqa: BLE001 - it is raised below: the group would wrap it
            failure = exc
    if failure is not None:
        raise failure
