"""The socket, and uvicorn with limits of time and number for the connections on it."""

import asyncio
import errno
import logging
import socket
import sys
from http import HTTPStatus
from typing import Final, cast

import h11
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from geekai_video_mcp.domain.public_hosts import is_loopback
from geekai_video_mcp.engine.drain import Drain
from geekai_video_mcp.errors import ConfigError, GeekAIVideoError, first_own_error
from geekai_video_mcp.server.call_limit import SOON_SECONDS, describe_retry
from geekai_video_mcp.server.http.graceful_server import GracefulServer
from geekai_video_mcp.server.http.refusals import build_refusal

logger = logging.getLogger(__name__)

HEADER_SECONDS: Final = 10.0
"""Seconds for the headers of a request, from the connection or from their first byte on; also for
the rest of a body that nobody will read, which lets its sender read the response."""
TAKE_SECONDS: Final = 60.0
"""Seconds within which a client has to take some of a response that is ready."""
MAX_HEADER_BYTES: Final = 32_768
"""Bytes of a request line and its headers: a browser's cookies for localhost are among them."""
SMALL_PIECE_BYTES: Final = 256
MAX_SMALL_PIECES: Final = 5_000
"""Pieces of one body that have fewer than `SMALL_PIECE_BYTES`. Each chunk is parsed by itself: 24
MB in chunks of a single byte would block everybody for minutes."""
MAX_CONNECTIONS: Final = 2_048
"""At once; half of the descriptors at most, for the files of paid tasks need some as well. One with
an open stream takes about 100 kB."""
REFUSING_SECONDS: Final = 1.0
"""Seconds in which a client beyond that can read that it is refused."""
MAX_REFUSING: Final = 64
"""Clients that get `REFUSAL` at the same time; the connections of others are just closed."""
REFUSAL: Final = build_refusal(
    503,
    error="service_unavailable",
    description=f"As many clients are connected to this server as it takes. {describe_retry()}",
    retry_after=SOON_SECONDS,
    headers={"Connection": "close"},
)
"""The response to a client beyond `MAX_CONNECTIONS`."""
CLOSING_SECONDS: Final = 2
"""Seconds that streams and connections have to end once every call has its response."""

if sys.platform == "win32":
    connection_limit = MAX_CONNECTIONS
else:
    import resource

    _SOFT, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connection_limit = MAX_CONNECTIONS if _SOFT < 0 else min(MAX_CONNECTIONS, _SOFT // 2)


def bind_loopback(host: str, port: int) -> socket.socket:
    """A listening socket on loopback.

    Raises:
        ConfigError: the address is not loopback, or is taken.
    """
    if not is_loopback(host):
        msg = (
            "is not a loopback address; this server serves only this machine. Use 127.0.0.1, and"
            " a tunnel or a proxy that authenticates."
        )
        raise ConfigError({f"--host {host}": msg})
    return bind_address(host, port)


def bind_address(host: str, port: int) -> socket.socket:
    """A listening socket on *host*, an address of this machine; `::` takes IPv4 as well.

    Raises:
        ConfigError: it is no address of this machine, or is taken.
    """
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is given. Without it, every response on a
    # kept connection waits for a delayed acknowledgement: 44 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind((host, port))
        # From here on an early connection waits until the server runs, and is not refused.
        listener.listen()
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRNOTAVAIL:
            msg = "is no address of this machine; use one that it has, or 0.0.0.0 for all of them"
            raise ConfigError({f"--host {host}": msg}) from exc
        raise ConfigError({f"--port {port}": f"cannot be used: {exc.strerror}"}) from exc
    return listener


def serve_http(app: ASGIApp, listener: socket.socket, *, drain: Drain | None = None) -> None:
    """Serve *app* until a signal ends the process, which then lets *drain* finish.

    Raises:
        GeekAIVideoError: the application could not start.
    """
    guarded = _StartupErrors(app)
    try:
        GracefulServer(server_config(guarded), drain=drain or Drain()).run(sockets=[listener])
    except SystemExit:  # uvicorn's exit if the application cannot start
        if guarded.error is None:
            raise
        raise guarded.error from None


class _StartupErrors:
    """An application whose own errors at start are kept, and not logged with traces."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.error: GeekAIVideoError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failures: list[Message] = []

        async def hold_failure(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except BaseException as exc:
            self.error = first_own_error(exc) if failures else None
            for message in failures:
                await send({**message, "message": ""} if self.error else message)
            raise


def server_config(app: ASGIApp) -> uvicorn.Config:
    """The configuration of uvicorn for *app*, with the limits of this module."""
    return uvicorn.Config(
        app,
        http=LimitedConnection,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )


class LimitedParser(h11.Connection):
    """A parser that takes no body in a great many small pieces."""

    _small_pieces = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._small_pieces = 0
        elif isinstance(event, h11.Data) and len(event.data) < SMALL_PIECE_BYTES:
            self._small_pieces += 1
            if self._small_pieces > MAX_SMALL_PIECES:
                msg = "too many small chunks"
                raise h11.RemoteProtocolError(msg)
        return event


class LimitedConnection(H11Protocol):
    """A connection that ends if its client sends no headers, or takes no response, in time.

    uvicorn limits only the time between two requests, and only until the first byte comes.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _take_timer: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= connection_limit:
            self._refuse(transport)
            return
        super().connection_made(transport)
        self.conn = LimitedParser(h11.SERVER, MAX_HEADER_BYTES)
        self._await_headers()

    def _refuse(self, transport: asyncio.Transport) -> None:
        """Send `REFUSAL`, whatever the request is, and close soon."""
        logger.warning("refused a connection: %d others are open", len(self.connections))
        self._refused = True
        if len(_refusing) >= MAX_REFUSING:
            transport.abort()
            return
        _refusing.add(self)
        transport.write(_encode_response(REFUSAL))
        transport.write_eof()
        # A socket that is closed before its client has sent everything resets the connection,
        # and the client may lose what it has not read.
        self._header_timer = self.loop.call_later(REFUSING_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        self._await_headers()

    def eof_received(self) -> None:
        if not self._refused:
            super().eof_received()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:  # the response has begun, or is complete: uvicorn would log a trace
            self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_headers()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._take_timer = self.loop.call_later(TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._take_timer = _cancel(self._take_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._header_timer = _cancel(self._header_timer)
        self._take_timer = _cancel(self._take_timer)
        _refusing.discard(self)
        if not self._refused:
            super().connection_lost(exc)

    def _await_headers(self) -> None:
        """Start the timer, unless it is running, while no request is in flight."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._header_timer = _cancel(self._header_timer)
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)


_refusing: Final[set[LimitedConnection]] = set()
"""The connections that get `REFUSAL`."""


def _encode_response(response: Response) -> bytes:
    status = HTTPStatus(response.status_code)
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [b"%s: %s" % header for header in response.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
