"""Limits of one principal: requests a minute, requests and streams at once, and sessions.

The headers decide: of a request that is refused nothing was begun, and nothing of its body was
read. Its sender gets 429 with Retry-After, and others are served as before.
"""

import logging
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import anyio
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.call_limit import CALL_SLOTS, MAX_CALLS, SOON_SECONDS, CallSlots
from geekai_video_mcp.server.http.authorization import is_public
from geekai_video_mcp.server.http.messages import (
    MCP_PATH,
    SESSION_HEADER,
    is_stream_request,
    observe_start,
    send_own_request,
)
from geekai_video_mcp.server.http.principals import principal_of
from geekai_video_mcp.server.http.refusals import build_overload_refusal
from geekai_video_mcp.server.http.session_table import (
    MAX_SESSIONS,
    NoRoomForSession,
    Session,
    SessionTable,
)
from geekai_video_mcp.server.http.token_bucket import TokenBucket

logger = logging.getLogger(__name__)

MIN_BURST: Final = 20
"""Requests that may come at once in any case: a client needs five until its first tool call."""
BURST_SHARE: Final = 10
"""The burst is this part of the requests of a minute."""
MAX_REQUESTS: Final = MAX_CALLS
"""Requests of one principal that are in flight at once."""
MAX_STREAMS: Final = 128
"""Open streams of one principal: each client holds one while it is connected."""
FIRST_SWEEP: Final = 1_000
"""Principals from which on those that use nothing are forgotten."""


class _Usage:
    """What one principal uses at present."""

    def __init__(self, bucket: TokenBucket) -> None:
        self.bucket = bucket
        self.requests = 0
        self.streams = 0
        self.calls = CallSlots()

    def is_idle(self, now: float) -> bool:
        in_use = self.requests or self.streams or self.calls.taken
        return not in_use and self.bucket.is_full(now)


class LimitRequests:
    """Passes on what a principal may have; refuses the rest with 429, or 503 if all is full.

    *clock* is in seconds, from any moment on.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_calls_per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._rate = max_calls_per_minute
        self._burst = max(MIN_BURST, max_calls_per_minute // BURST_SHARE)
        self._clock = clock
        self._usages: dict[str, _Usage] = {}
        self._next_sweep = FIRST_SWEEP
        self._sessions = SessionTable(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_public(scope):
            await self._app(scope, receive, send)
            return
        tenant = principal_of(Request(scope)).tenant
        usage = self._usage_of(tenant)
        scope[CALL_SLOTS] = usage.calls
        try:
            with self._admit(usage, scope):
                await self._serve(tenant, scope, receive, send)
        except _Refused as refused:
            logger.warning("refused a request of %s: %s", tenant, refused.reason)
            await refused.build_response(scope)(scope, receive, send)

    def _usage_of(self, tenant: str) -> _Usage:
        usage = self._usages.get(tenant)
        if usage is None:
            if len(self._usages) >= self._next_sweep:
                self._forget_idle()
            bucket = TokenBucket(per_second=self._rate / 60, burst=self._burst, now=self._clock())
            usage = self._usages[tenant] = _Usage(bucket)
        return usage

    def _forget_idle(self) -> None:
        now = self._clock()
        self._usages = {
            tenant: usage for tenant, usage in self._usages.items() if not usage.is_idle(now)
        }
        self._next_sweep = max(FIRST_SWEEP, 2 * len(self._usages))

    @contextmanager
    def _admit(self, usage: _Usage, scope: Scope) -> Generator[None]:
        """Count the request as in flight while the block lasts.

        Raises:
            _Refused: the principal has reached a limit.
        """
        if wait_seconds := usage.bucket.take(self._clock()):
            raise _Refused(
                f"more than {self._rate} requests a minute",
                f"This server takes {self._rate} requests a minute from one client or team.",
                retry_after=math.ceil(wait_seconds),
            )
        if is_stream_request(scope):
            if usage.streams >= MAX_STREAMS:
                raise _Refused(
                    f"{usage.streams} streams are open",
                    f"{usage.streams} streams of yours are open, the most that this server keeps."
                    " Close clients that are no longer used.",
                )
            usage.streams += 1
            try:
                yield
            finally:
                usage.streams -= 1
            return
        if usage.requests >= MAX_REQUESTS:
            raise _Refused(
                f"{usage.requests} requests are being answered",
                f"{usage.requests} requests of yours are being answered, the most at once.",
            )
        usage.requests += 1
        try:
            yield
        finally:
            usage.requests -= 1

    async def _serve(self, tenant: str, scope: Scope, receive: Receive, send: Send) -> None:
        if _opens_session(scope):
            await self._serve_opening(tenant, scope, receive, send)
            return
        session_id = Headers(scope=scope).get(SESSION_HEADER, "")
        with self._sessions.use(tenant, session_id):
            await self._app(scope, receive, send)
            if scope["method"] == "DELETE":
                self._sessions.forget(tenant, session_id)

    async def _serve_opening(self, tenant: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that may open a session, once there is room for one."""
        try:
            for session in self._sessions.make_room(tenant):
                await self._end_session(session, scope)
        except NoRoomForSession as full:
            if full.of_all:
                raise _Refused(
                    f"all {MAX_SESSIONS} sessions are in use",
                    "As many clients are connected to this server as it keeps.",
                    status_code=HTTPStatus.SERVICE_UNAVAILABLE,
                ) from None
            raise _Refused(
                f"all {full.count} sessions of it are in use",
                f"{full.count} sessions of yours are open, the most that this server keeps. End"
                " those that are no longer used (DELETE with their Mcp-Session-Id).",
            ) from None

        def record_session(start: Message) -> None:
            # Before its client knows it: the client may end it before the SDK returns from here.
            if start["status"] == HTTPStatus.OK:
                session_id = Headers(raw=start["headers"]).get(SESSION_HEADER)
                if session_id is not None:
                    self._sessions.add(tenant, Session(session_id, user=scope.get("user")))

        await self._app(scope, receive, observe_start(send, record_session))

    async def _end_session(self, session: Session, scope: Scope) -> None:
        """Have the SDK end a session, as its client could by DELETE."""
        kept = [pair for pair in scope["headers"] if pair[0] == b"host"]
        request = {
            **scope,
            "method": "DELETE",
            "headers": [*kept, (SESSION_HEADER.encode(), session.id.encode())],
        }
        if session.user is not None:
            request["user"] = session.user
        logger.warning("ended an idle session: its principal has opened too many others")
        with anyio.CancelScope(shield=True):
            await send_own_request(self._app, request)


class _Refused(Exception):
    """A request that is not begun.

    *reason* is for the log, *description* for the sender; *retry_after* is in seconds.
    """

    def __init__(
        self,
        reason: str,
        description: str,
        *,
        retry_after: int = SOON_SECONDS,
        status_code: HTTPStatus = HTTPStatus.TOO_MANY_REQUESTS,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self._description = description
        self._retry_after = retry_after
        self._status_code = status_code

    def build_response(self, scope: Scope) -> Response:
        return build_overload_refusal(
            scope,
            description=self._description,
            retry_after=self._retry_after,
            status_code=self._status_code,
        )


def _opens_session(scope: Scope) -> bool:
    """Whether the SDK may open a session for the request: in revisions that have a handshake."""
    headers = Headers(scope=scope)
    revision = headers.get("mcp-protocol-version")
    return (
        scope["method"] == "POST"
        and scope["path"] == MCP_PATH
        and SESSION_HEADER not in headers
        and (revision is None or revision in HANDSHAKE_PROTOCOL_VERSIONS)
    )
