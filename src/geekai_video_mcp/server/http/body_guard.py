"""Reads the bodies of POST requests, within bounds of size, time and memory, and checks them.

What is passed on is a whole and valid JSON-RPC message; everything else gets a JSON-RPC error.
A body of any other request means nothing, so it is dropped as it comes.
"""

from http import HTTPStatus
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.http.messages import observe_start, read_body, replay_body
from geekai_video_mcp.server.http.refusals import build_overload_refusal, build_rpc_refusal
from geekai_video_mcp.server.jsonrpc import (
    MAX_MESSAGE_BYTES,
    TOO_LONG,
    replace_lone_surrogates,
    validation_error,
)

BODY_SECONDS: Final = 60.0
"""Seconds for a whole body, its turn included: the largest one at 3 Mbit/s, as in a tunnel."""
SMALL_BODY_BYTES: Final = 65_536
"""Bytes that uvicorn holds for each connection in any case; only a larger body takes its turn."""
MAX_HELD_BYTES: Final = 4 * MAX_MESSAGE_BYTES
"""Bytes of all larger bodies that are held at once, each until its response begins."""


class BodyGuard:
    """Passes on valid messages; refuses everything else with a JSON-RPC error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._memory = _BodyMemory()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST":
            await self._app(scope, _without_body(receive), send)
            return
        size = _announced_bytes(scope)
        if size > MAX_MESSAGE_BYTES:
            await build_rpc_refusal(413, message=TOO_LONG)(scope, receive, send)
            return
        share = _MemoryShare(self._memory, size if size > SMALL_BODY_BYTES else 0)
        try:
            with anyio.move_on_after(BODY_SECONDS) as reading:
                await share.take()
                body = await read_body(receive, max_bytes=MAX_MESSAGE_BYTES)
                if body is not None:  # None: the client has disconnected
                    reading.deadline = float("inf")
                    await self._pass_on(body, share, scope, receive, send)
            if reading.cancelled_caught:
                await _build_timeout(scope, began=share.taken)(scope, receive, send)
        finally:
            share.release()

    async def _pass_on(
        self, body: bytes, share: "_MemoryShare", scope: Scope, receive: Receive, send: Send
    ) -> None:
        message = replace_lone_surrogates(body)
        if error := validation_error(message):
            status_code = 413 if len(message) > MAX_MESSAGE_BYTES else 400
            await JSONResponse(error, status_code)(scope, receive, send)
            return
        # From the start of the response on, the message has been parsed.
        send = observe_start(send, lambda _: share.release())
        await self._app(scope, replay_body(message, receive), send)


class _BodyMemory:
    """The memory that all large bodies share."""

    def __init__(self) -> None:
        self._held_bytes = 0
        self._released = anyio.Event()

    async def take(self, size_bytes: int) -> None:
        """Return once there is room for as many bytes."""
        while self._held_bytes + size_bytes > MAX_HELD_BYTES:
            await self._released.wait()
        self._held_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes
        self._released.set()
        self._released = anyio.Event()


class _MemoryShare:
    """One body's share of that memory, taken and released once."""

    def __init__(self, memory: _BodyMemory, size_bytes: int) -> None:
        self._memory = memory
        self._size_bytes = size_bytes
        self.taken = False

    async def take(self) -> None:
        await self._memory.take(self._size_bytes)
        self.taken = True

    def release(self) -> None:
        if self.taken:
            self._memory.release(self._size_bytes)
            self._size_bytes = 0


def _announced_bytes(scope: Scope) -> int:
    """The length of the body; without a Content-Length the most that it may have."""
    headers = Headers(scope=scope)
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers or not length.isdecimal():
        return MAX_MESSAGE_BYTES
    return int(length)


def _without_body(receive: Receive) -> Receive:
    """Receives an empty body, and then only the end of the connection."""

    async def receive_disconnect() -> Message:
        while (message := await receive())["type"] == "http.request":
            pass
        return message

    return replay_body(b"", receive_disconnect)


def _build_timeout(scope: Scope, *, began: bool) -> Response:
    """The refusal of a body that did not arrive, or whose turn did not come, in time."""
    if began:
        msg = f"The body of the request did not arrive within {BODY_SECONDS:.0f} seconds"
        return build_rpc_refusal(408, message=msg, headers={"Connection": "close"})
    return build_overload_refusal(
        scope,
        description="Too many large requests are being read at the same time.",
        status_code=HTTPStatus.SERVICE_UNAVAILABLE,
    )
