"""The lines of stdin as messages. A line that is not a message gets an error response here.

Reading stops while too many requests have no response on stdout yet: a host that sends requests
and does not read the responses would otherwise make this process grow without bound.
"""

import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar, cast

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse

from geekai_video_mcp.server.jsonrpc import (
    MAX_MESSAGE_BYTES,
    InvalidMessage,
    parse_message,
    replace_lone_surrogates,
)
from geekai_video_mcp.server.stdin import HostLines
from geekai_video_mcp.server.stdout import claimed_stdout

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

    Streams = tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]

MAX_OPEN_REQUESTS: Final = 100
"""Requests without a written response, after which nothing more is read. A host that reads its
responses has as many only if it makes as many calls at once; below that, a cancellation of a
running call is always read."""
MAX_OPEN_BYTES: Final = 8 * MAX_MESSAGE_BYTES
"""Bytes of those requests: a few may have pictures in them, a hundred may not."""


@asynccontextmanager
async def message_streams(on_response: Callable[[], None]) -> "AsyncGenerator[Streams]":
    """The SDK's `stdio_server`, whose input contains valid messages only and is not unlimited.

    *on_response* is called for each response that is being written.
    """
    open_requests = _OpenRequests()
    messages = _StdinGuard(HostLines(sys.stdin.buffer), open_requests)
    # The SDK does nothing with its input but iterate over lines of text.
    stdin = cast("anyio.AsyncFile[str]", messages)
    with claimed_stdout() as stdout:
        async with stdio_server(stdin, stdout) as (read, write):
            messages.write_stream = _ResponseWriter(write, open_requests, on_response)
            yield read, messages.write_stream


class _OpenRequests:
    """The requests that were read and whose responses are not written yet."""

    def __init__(self) -> None:
        # By id; a host may use an id twice. "1" and 1 are one id, as in the SDK's cancellations.
        self._running: dict[str, list[int]] = {}
        self._unwritten = 0
        self._room = anyio.Event()
        """Made anew by a reader that waits, and set whenever a request has been answered."""

    def add(self, message: Mapping[str, object], size_bytes: int) -> None:
        """Record a message that was read: a request is open, a cancelled one no longer is."""
        method, params = message.get("method"), message.get("params")
        if method is not None and "id" in message:
            self._running.setdefault(str(message["id"]), []).append(size_bytes)
        elif method == "notifications/cancelled" and isinstance(params, dict):
            # The SDK sends no response to a cancelled request.
            self._remove_request(cast("dict[str, object]", params).get("requestId"))

    def start_response(self, request_id: int | str | None) -> None:
        """From now on the response waits to be written, even if its request is cancelled."""
        self._unwritten += 1
        self._remove_request(request_id)

    def end_response(self) -> None:
        self._unwritten -= 1
        self._room.set()

    async def wait_for_room(self) -> None:
        """Return once another request may be read."""
        while self._is_full():
            self._room = anyio.Event()
            await self._room.wait()

    def _is_full(self) -> bool:
        sizes = [size for each in self._running.values() for size in each]
        return len(sizes) + self._unwritten >= MAX_OPEN_REQUESTS or sum(sizes) >= MAX_OPEN_BYTES

    def _remove_request(self, request_id: object) -> None:
        key = str(request_id)
        if sizes := self._running.get(key):
            sizes.pop()
            if not sizes:
                del self._running[key]
            self._room.set()


class _Closable(Protocol):
    async def aclose(self) -> None: ...


S = TypeVar("S", bound=_Closable)


class WrappedStream(Generic[S]):
    """One of the SDK's streams with more to it; the end of a block closes it."""

    def __init__(self, stream: S) -> None:
        self._stream = stream

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.aclose()


class _ResponseWriter(WrappedStream["WriteStream[SessionMessage]"]):
    """The SDK's write stream; it reports to `_OpenRequests` which responses were written."""

    def __init__(
        self,
        stream: "WriteStream[SessionMessage]",
        open_requests: _OpenRequests,
        on_response: Callable[[], None],
    ) -> None:
        super().__init__(stream)
        self._open_requests = open_requests
        self._on_response = on_response

    async def send(self, item: SessionMessage, /) -> None:
        message = item.message
        if not isinstance(message, JSONRPCResponse | JSONRPCError):
            await self._stream.send(item)
            return
        self._open_requests.start_response(message.id)
        try:
            await self._stream.send(item)
        finally:
            self._open_requests.end_response()
            self._on_response()


class _StdinGuard:
    """Yields the lines that are messages; each other line gets a JSON-RPC error response."""

    write_stream: "WriteStream[SessionMessage]"

    def __init__(self, lines: HostLines, open_requests: _OpenRequests) -> None:
        self._lines = lines
        self._open_requests = open_requests

    async def __aiter__(self) -> AsyncGenerator[str]:
        while line := await self._read_line():
            if not line.strip():
                continue
            message = replace_lone_surrogates(line)
            try:
                self._open_requests.add(parse_message(message), len(message))
            except InvalidMessage as exc:
                # A host that has disconnected reads no response.
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    answer = JSONRPCError.model_validate(exc.error)
                    await self.write_stream.send(SessionMessage(answer))
                continue
            yield message.decode()

    async def _read_line(self) -> bytes:
        await self._open_requests.wait_for_room()
        return await self._lines.read()
