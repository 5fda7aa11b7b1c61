"""The outermost middleware: counts responses, and lets a stopping process end.

A stopping process serves what it has begun, and what only reads. New streams are refused, because
they would be cut a moment later; every response makes its client connect anew, to a process that
has just been started. What would spend money is refused where it is recorded, in
`engine.submitter`.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.domain.log_context import log_context
from geekai_video_mcp.engine import Operations
from geekai_video_mcp.engine.counters import HTTP_REFUSALS, HTTP_REQUESTS
from geekai_video_mcp.engine.drain import RETRY_AFTER
from geekai_video_mcp.server.http.messages import is_stream_request, observe_start
from geekai_video_mcp.server.http.refusals import build_temporary_refusal

COUNTED_REFUSALS: Final = frozenset({401, 403, 408, 413, 421, 429, 503})
"""The statuses that are counted one by one."""


class DrainGate:
    """Passes on every request but those for new streams of a stopping process."""

    def __init__(self, app: ASGIApp, *, operations: Operations) -> None:
        self._app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _drop_second_start(observe_start(send, self._count_response))
        counters = self._operations.counters
        counters.http_in_flight += 1
        try:
            with log_context(method=scope["method"]):
                await self._pass_on(scope, receive, send)
        finally:
            counters.http_in_flight -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        drain = self._operations.drain
        if not is_stream_request(scope):
            with drain.track_call():
                await self._app(scope, receive, send)
        elif drain.started:
            await _build_refusal(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _count_response(self, start: Message) -> None:
        status_code, counters = start["status"], self._operations.counters
        counters.add(HTTP_REQUESTS, f"{status_code // 100}xx")
        if status_code in COUNTED_REFUSALS:
            counters.add(HTTP_REFUSALS, str(status_code))
        if self._operations.drain.started:
            headers = MutableHeaders(scope=start)
            headers["Connection"] = "close"
            headers.setdefault("Retry-After", str(RETRY_AFTER))


def _drop_second_start(send: Send) -> Send:
    """Sends one response: the SDK starts another when it has ended a stream of events."""
    started = False

    async def send_first(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start":
            if started:
                return
            started = True
        await send(message)

    return send_first


def _build_refusal(scope: Scope) -> Response:
    return build_temporary_refusal(
        scope,
        status_code=503,
        error="stopping",
        description="This server is stopping. Connect again in"
        f" {RETRY_AFTER} seconds: it may have been started again by then.",
        retry_after=RETRY_AFTER,
    )
