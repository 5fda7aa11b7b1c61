"""ASGI's messages: what the middleware around the SDK reads of a request, and how it wraps them."""

from collections.abc import Callable, Mapping
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.jsonrpc import ENDLESS_METHODS

MCP_PATH: Final = "/mcp"
"""Where Streamable HTTP is served, behind the prefix of a proxy."""
SSE_PATH: Final = "/sse"
SESSION_HEADER: Final = "mcp-session-id"
METHOD_HEADER: Final = "mcp-method"
"""Names the method of a message, from revision 2026-07-28 on."""


def is_stream_request(scope: Scope) -> bool:
    """Whether the response to the request lasts as long as its client stays."""
    if scope["method"] == "GET":
        return scope["path"].endswith((MCP_PATH, SSE_PATH))
    return Headers(scope=scope).get(METHOD_HEADER) in ENDLESS_METHODS


def replace_headers(scope: Scope, headers: Mapping[str, str]) -> Scope:
    """*scope* with these headers instead of those of the same names, which are in lower case."""
    replaced = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    others = [each for each in scope["headers"] if each[0] not in replaced]
    return {**scope, "headers": [*others, *replaced.items()]}


async def read_body(receive: Receive, *, max_bytes: int) -> bytes | None:
    """The whole body, or its first part, if that has more than *max_bytes* bytes.

    None if the client disconnects before the end.
    """
    body = bytearray()
    while len(body) <= max_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def replay_body(body: bytes, receive: Receive) -> Receive:
    """Receives *body* as one message, and then what *receive* does."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_replayed() -> Message:
        return messages.pop() if messages else await receive()

    return receive_replayed


def observe_start(send: Send, observe: Callable[[Message], None]) -> Send:
    """Sends as *send* does, and calls *observe* with the start of a response before it is sent."""

    async def send_observed(message: Message) -> None:
        if message["type"] == "http.response.start":
            observe(message)
        await send(message)

    return send_observed


async def send_own_request(app: ASGIApp, scope: Scope, *, body: bytes = b"") -> None:
    """Have *app* handle a request of this server's own, and drop the response."""
    await app(scope, replay_body(body, _receive_never), _drop_message)


async def _receive_never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def _drop_message(message: Message) -> None:
    del message
