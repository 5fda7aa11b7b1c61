"""The outermost middleware: counts what is answered, and lets a stopping process end.

A stopping process answers what it has begun, and what only reads. New streams are refused,
because they would be cut a moment later; every answer asks its client to connect anew, to a
process that has just been started. What would spend money is refused where it is recorded, in
`engine.submitter`.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.domain.log_context import log_context
from geekai_video_mcp.engine import Operations
from geekai_video_mcp.engine.counters import HTTP_REFUSALS, HTTP_REQUESTS
from geekai_video_mcp.engine.drain import RETRY_AFTER
from geekai_video_mcp.server.http.refusals import build_temporary_refusal
from geekai_video_mcp.server.jsonrpc import ENDLESS_METHODS

COUNTED_REFUSALS: Final = frozenset({401, 403, 408, 413, 421, 429, 503})
_STREAM_PATHS: Final = ("/sse", "/mcp")


class DrainGate:
    """Passes on every request but new streams of a stopping process."""

    def __init__(self, app: ASGIApp, *, operations: Operations) -> None:
        self._app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        drain = self._operations.drain

        started = False

        async def send_counted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                if started:  # the SDK answers once more when it has ended a stream of events
                    return
                started = True
                self._count(message["status"])
                if drain.started:
                    headers = MutableHeaders(scope=message)
                    headers["Connection"] = "close"
                    headers.setdefault("Retry-After", str(RETRY_AFTER))
            await send(message)

        counters = self._operations.counters
        counters.http_in_flight += 1
        try:
            with log_context(method=scope["method"]):
                await self._pass_on(scope, receive, send_counted)
        finally:
            counters.http_in_flight -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        drain = self._operations.drain
        if not _is_stream(scope):
            with drain.track_call():
                await self._app(scope, receive, send)
        elif drain.started:
            await _build_refusal(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _count(self, status_code: int) -> None:
        counters = self._operations.counters
        counters.add(HTTP_REQUESTS, f"{status_code // 100}xx")
        if status_code in COUNTED_REFUSALS:
            counters.add(HTTP_REFUSALS, str(status_code))


def _is_stream(scope: Scope) -> bool:
    """Whether the request asks for a stream of events that ends with the connection."""
    if scope["method"] == "GET":
        return scope["path"].endswith(_STREAM_PATHS)
    return Headers(scope=scope).get("mcp-method") in ENDLESS_METHODS


def _build_refusal(scope: Scope) -> Response:
    return build_temporary_refusal(
        scope,
        status_code=503,
        error="stopping",
        description="This server is stopping. Connect again in"
        f" {RETRY_AFTER} seconds: it may have been started again by then.",
        retry_after=RETRY_AFTER,
    )
