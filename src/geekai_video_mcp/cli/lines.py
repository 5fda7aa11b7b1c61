"""The lines of stdin as messages. A line that is not a message gets an error response here."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, cast

import anyio
import anyio.to_thread
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError

from geekai_video_mcp.messages import MAX_MESSAGE_BYTES, replace_lone_surrogates, validation_error

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

    Streams = tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]


@asynccontextmanager
async def message_streams() -> "AsyncGenerator[Streams]":
    """The SDK's `stdio_server`, whose input contains valid messages only."""
    messages = _StdinGuard(sys.stdin.buffer)
    # The SDK does nothing with its input but iterate over lines of text.
    async with stdio_server(cast("anyio.AsyncFile[str]", messages)) as (read, write):
        messages.write_stream = write
        yield read, write


class _StdinGuard:
    """Yields the lines that are messages; each other line gets a JSON-RPC error response."""

    write_stream: "WriteStream[SessionMessage]"

    def __init__(self, host: BinaryIO) -> None:
        self._host = host

    async def __aiter__(self) -> AsyncGenerator[str]:
        while line := await anyio.to_thread.run_sync(self._read_line):
            if not line.strip():
                continue
            message = replace_lone_surrogates(line)
            error = validation_error(message)
            if error is None:
                yield message.decode()
                continue
            # A host that has disconnected reads no response.
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                answer = JSONRPCError.model_validate(error)
                await self.write_stream.send(SessionMessage(answer))

    def _read_line(self) -> bytes:
        """Read one line to its end, truncated if it is too long to be a message. Blocks."""
        line = rest = self._host.readline(MAX_MESSAGE_BYTES + 1)
        while len(rest) > MAX_MESSAGE_BYTES and not rest.endswith(b"\n"):
            rest = self._host.readline(MAX_MESSAGE_BYTES + 1)
        return line
