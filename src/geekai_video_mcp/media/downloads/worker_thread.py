"""A thread beside the event loop, for work that goes on while something else is awaited."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread


class WorkerThread:
    """A thread that does one piece of work at a time.

    `anyio.to_thread` would need a task for each piece, and a group of tasks wraps whatever is
    raised beside it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="download")
        self._work: Future[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Shielded: nobody may close the file that is being written.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._thread.shutdown)

    def start(self, work: Callable[..., None], *args: object) -> None:
        """Start *work*; whatever was started before has been waited for."""
        self._work = self._thread.submit(work, *args)

    async def wait(self) -> None:
        """Wait until the work has ended; raises what it has raised, each time."""
        if self._work is None:
            return
        if not self._work.done():
            await anyio.to_thread.run_sync(self._work.exception)
        self._work.result()
