"""The host's lines as messages. What is no message is answered here and goes no further."""

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
    """The SDK's `stdio_server`, with nothing in its input but messages."""
    messages = _StdinGuard(sys.stdin.buffer)
    # All that it does with its input is to iterate over lines of text.
    async with stdio_server(cast("anyio.AsyncFile[str]", messages)) as (read, write):
        messages.write_stream = write
        yield read, write


class _StdinGuard:
    """The lines that are messages; each of the others is answered with a JSON-RPC error."""

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
            # A host that is gone reads no answer.
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                answer = JSONRPCError.model_validate(error)
                await self.write_stream.send(SessionMessage(answer))

    def _read_line(self) -> bytes:
        """One line, cut where it is too long to be a message, to its end. Blocks."""
        line = rest = self._host.readline(MAX_MESSAGE_BYTES + 1)
        while len(rest) > MAX_MESSAGE_BYTES and not rest.endswith(b"\n"):
            rest = self._host.readline(MAX_MESSAGE_BYTES + 1)
        return line
