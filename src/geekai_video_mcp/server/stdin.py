"""The lines of stdin, without a thread where the event loop can wait for them.

A thread that reads a line has to take the interpreter from whatever runs, and the event loop has to
be woken after it: that is as long as half of a short call.
"""

import os
import stat
import sys
from typing import BinaryIO, Final

import anyio
import anyio.to_thread

from geekai_video_mcp.server.jsonrpc import MAX_MESSAGE_BYTES

_READ_BYTES: Final = 65_536
"""Bytes read at once: what a pipe holds on Linux."""


class HostLines:
    """What the host writes, line by line; a line that is too long to be a message is truncated."""

    def __init__(self, host: BinaryIO) -> None:
        self._host = host
        kind = os.fstat(host.fileno()).st_mode
        # A file cannot be waited for, and on Windows neither can a pipe.
        self._can_wait = sys.platform != "win32" and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))
        self._unread = bytearray()

    async def read(self) -> bytes:
        """The next line, to its end; empty once the host has closed it."""
        if self._can_wait:
            return await self._wait_for_line()
        return await anyio.to_thread.run_sync(self._block_for_line)

    async def _wait_for_line(self) -> bytes:
        line = bytearray()
        while True:
            end = self._unread.find(b"\n") + 1
            taken = end or len(self._unread)
            line += self._unread[:taken]
            del self._unread[:taken], line[MAX_MESSAGE_BYTES + 1 :]
            if end:
                return bytes(line)
            await anyio.wait_readable(self._host.fileno())
            self._unread += os.read(self._host.fileno(), _READ_BYTES)
            if not self._unread:
                return bytes(line)

    def _block_for_line(self) -> bytes:
        line = rest = self._host.readline(MAX_MESSAGE_BYTES + 1)
        while len(rest) > MAX_MESSAGE_BYTES and not rest.endswith(b"\n"):
            rest = self._host.readline(MAX_MESSAGE_BYTES + 1)
        return line
