"""Stdout as the SDK writes messages to it: at once where the pipe has room, else on a thread.

By itself the SDK hands each message to a worker thread twice, to put it into a buffer and to flush
that. The host waits for both, and nearly every message fits into the pipe.
"""

import os
import select
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

import anyio
import anyio.to_thread


@contextmanager
def claimed_stdout() -> Generator[anyio.AsyncFile[str] | None]:
    """The host's stdout for the SDK; what else prints while the block lasts goes to stderr.

    None on Windows, where a pipe cannot be asked for room: there the SDK does the same by itself.
    """
    if sys.platform == "win32":
        yield None
        return
    import fcntl  # noqa: PLC0415 - Windows has none

    # Above the standard descriptors, one of which may be closed. It is never closed itself: a
    # worker thread may still be writing to it after the block.
    host = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        os.dup2(2, 1)
    except OSError:  # stderr is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        # The SDK does nothing with its output but write and flush.
        yield cast("anyio.AsyncFile[str]", _HostPipe(host))
    finally:
        os.dup2(host, 1)


class _HostPipe:
    """The write end of the host's pipe, or of whatever else it gave as stdout."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._taken = b""
        self._room: select.poll | None = None
        """Asked whether a pipe has room; None if it is no pipe."""
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            self._room = select.poll()
            self._room.register(descriptor, select.POLLOUT)

    async def write(self, text: str) -> None:
        """Take a message, which `flush` writes."""
        self._taken += text.encode()

    async def flush(self) -> None:
        """Return once the pipe has what was taken."""
        message, self._taken = self._taken, b""
        # A pipe that is ready takes as many bytes in one piece and without blocking.
        if self._room is not None and len(message) <= select.PIPE_BUF and self._room.poll(0):
            os.write(self._descriptor, message)
        else:
            await anyio.to_thread.run_sync(self._block_until_written, message)

    def _block_until_written(self, message: bytes) -> None:
        unwritten = memoryview(message)
        while unwritten:
            unwritten = unwritten[os.write(self._descriptor, unwritten) :]
