"""Ctrl-C, and the other signals that end a process, as the end of a block and not of the process.

What is done when a person stops a command has to be finished: a request that is under way may be
paid for. So only the block is left, and further signals change nothing.
"""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import anyio

from geekai_video_mcp.early_interrupt import leave_interrupts_to_python

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The last one says that the terminal was closed; Windows has none of it."""


class Interruption:
    """The block that a signal ends, and which one it was."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        """The block."""
        self._signal: int | None = None

    @property
    def status(self) -> int:
        """The exit status, by the convention of shells."""
        return 128 + (self._signal or signal.SIGINT)

    def leave(self, number: int) -> None:
        """Leave the block because of this signal."""
        self._signal = self._signal or number
        self.scope.cancel()


@contextmanager
def interruptible() -> Generator[Interruption]:
    """Receive the signals while the block lasts; its `scope` is left at the first of them.

    For the main thread, in its event loop. Not by `anyio.open_signal_receiver`, which Windows does
    not have.
    """
    leave_interrupts_to_python()
    interruption, loop = Interruption(), asyncio.get_running_loop()

    def receive(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(interruption.leave, number)

    # One that is ignored already, as by nohup, stays so.
    received = [one for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, receive) for number in received}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
