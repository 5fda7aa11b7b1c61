"""Ctrl-C, and the other signals that end a process, as the end of a block and not of the process.

What is done when a person stops a command has to be finished: a request that is under way may be
paid for. So only the block is left, and further signals change nothing.
"""

import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.abc import TaskStatus

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The last one says that the terminal was closed."""


class Interruption:
    """The block that a signal ends, and which one it was."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        """The block."""
        self._signal: signal.Signals | None = None

    @property
    def status(self) -> int:
        """The exit status, by the convention of shells."""
        return 128 + (self._signal or signal.SIGINT)

    async def watch(self, *, task_status: TaskStatus[None]) -> None:
        """Leave the block at the first signal."""
        with anyio.open_signal_receiver(*SIGNALS) as signals:
            task_status.started()
            async for number in signals:
                self._signal = self._signal or number
                self.scope.cancel()


@asynccontextmanager
async def interruptible() -> AsyncGenerator[Interruption]:
    """Receive the signals while the block lasts; its `scope` is left at the first of them.

    On Windows anyio receives none: there Ctrl-C cancels the whole, which is closed as well.
    """
    interruption = Interruption()
    async with anyio.create_task_group() as group:
        if sys.platform != "win32":
            await group.start(interruption.watch)
        yield interruption
        group.cancel_scope.cancel()
