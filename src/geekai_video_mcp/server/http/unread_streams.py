"""Refuses messages to an event stream whose client does not read it.

Over SSE a message is taken at once, and its response goes into the stream. The responses to a
client that reads more slowly than it sends requests would be held in memory, more and more of them.
"""

import re
from typing import Final

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.http.messages import SSE_PATH
from geekai_video_mcp.server.http.refusals import build_overload_refusal

MAX_UNREAD: Final = 32
"""Messages to one stream since its client has ceased to read."""
_SESSION: Final = re.compile(rb"[?&]session_id=([0-9a-f]{32})")
_METHOD: Final = b'"method":"'
_BEGINNING: Final = 200
"""Bytes of an event in which a notification names its method."""


class _Stream:
    """An open event stream."""

    def __init__(self) -> None:
        self.session_id: str | None = None
        self.sending = 0
        """Events that its client would have to read first."""
        self.unread = 0
        """Messages that came meanwhile, without those whose response was sent."""

    def is_overloaded(self) -> bool:
        """Whether one more message is too many; it is counted if not."""
        if not self.sending:
            self.unread = 0
            return False
        if self.unread >= MAX_UNREAD:
            return True
        self.unread += 1
        return False


class UnreadStreams:
    """Passes on messages to streams that are read; refuses others with 429."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._streams: dict[str, _Stream] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "GET" and scope["path"] == SSE_PATH:
            await self._count_unread(scope, receive, send)
        elif scope["method"] == "POST" and self._is_overloaded(scope):
            description = (
                f"{MAX_UNREAD} messages wait for you to read the event stream of this session."
            )
            await build_overload_refusal(scope, description=description)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_overloaded(self, scope: Scope) -> bool:
        given = QueryParams(scope["query_string"]).get("session_id", "").replace("-", "").lower()
        stream = self._streams.get(given)
        return stream is not None and stream.is_overloaded()

    async def _count_unread(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = _Stream()

        async def send_counted(message: Message) -> None:
            body: bytes = message.get("body", b"")
            if stream.session_id is None and (found := _SESSION.search(body)):
                stream.session_id = session_id = found[1].decode()
                self._streams[session_id] = stream
            stream.sending += 1
            try:
                await send(message)
            finally:
                stream.sending -= 1
            if stream.unread and _METHOD not in body[:_BEGINNING]:
                stream.unread -= 1

        try:
            await self._app(scope, receive, send_counted)
        finally:
            if stream.session_id is not None:
                del self._streams[stream.session_id]
