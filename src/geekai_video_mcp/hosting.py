"""The server over HTTP: SSE, Streamable HTTP, or both on one port. Loopback only.

One engine serves every connection: the SDK enters a server's lifespan once per SSE
connection, and a paid request must not depend on a connection. Host and Origin are checked
on every transport, or a web page could reach this server by DNS rebinding.
"""

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp import __version__
from geekai_video_mcp.app import App, AppFactory
from geekai_video_mcp.config import is_loopback
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.messages import MAX_MESSAGE_BYTES, replace_lone_surrogates, validation_error
from geekai_video_mcp.server import build_server

Transport = Literal["sse", "streamable-http", "http"]
BuildServer = Callable[[AppFactory], MCPServer[App]]

_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
SECURITY: Final = TransportSecuritySettings(
    # With and without a port: a client on port 80 sends none.
    allowed_hosts=[*_LOOPBACK_NAMES, *(f"{name}:*" for name in _LOOPBACK_NAMES)],
    allowed_origins=[f"http://{name}{port}" for name in _LOOPBACK_NAMES for port in ("", ":*")],
)


class _SharedApp:
    """One `App`, opened by the HTTP application and shared by all connections."""

    def __init__(self) -> None:
        self.app: App | None = None

    @asynccontextmanager
    async def get(self) -> AsyncGenerator[App]:
        if self.app is None:
            msg = "the HTTP application is not running"
            raise RuntimeError(msg)
        yield self.app


def build_http(
    open_app: AppFactory, *, transport: Transport, build: BuildServer = build_server
) -> Starlette:
    """The ASGI application with /health and, by *transport*, /mcp or /sse and /messages/ or all."""
    shared = _SharedApp()
    server = build(shared.get)
    routes: list[BaseRoute] = [Route("/health", _report_health)]
    sessions: AbstractAsyncContextManager[None] | None = None
    if transport != "sse":
        routes += server.streamable_http_app(
            transport_security=SECURITY, max_request_body_size=MAX_MESSAGE_BYTES
        ).routes
        sessions = server.session_manager.run()
    if transport != "streamable-http":
        routes += server.sse_app(
            transport_security=SECURITY, max_request_body_size=MAX_MESSAGE_BYTES
        ).routes

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with open_app() as shared.app:
            if sessions is None:
                yield
                return
            async with sessions:
                yield

    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(_JsonRpcGuard)])


class _JsonRpcGuard:
    """Passes valid messages on; answers everything else with a JSON-RPC error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:  # the client has disconnected
            return
        message = replace_lone_surrogates(body)
        if error := validation_error(message):
            status = 413 if len(message) > MAX_MESSAGE_BYTES else 400
            await JSONResponse(error, status)(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": message, "more_body": False}]

        async def receive_again() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, receive_again, send)


async def _read_body(receive: Receive) -> bytes | None:
    """The body, or enough of it to show that it is too long; None if the client disconnected."""
    body = bytearray()
    while len(body) <= MAX_MESSAGE_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


async def _report_health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})


def bind_loopback(host: str, port: int) -> socket.socket:
    """A listening socket on loopback.

    Raises:
        ConfigError: the address is not loopback, or is taken.
    """
    if not is_loopback(host):
        msg = (
            "is not a loopback address; this server has no authentication yet and serves"
            " only this machine. Use 127.0.0.1, and a tunnel or a proxy that authenticates."
        )
        raise ConfigError({f"--host {host}": msg})
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on an early connection waits until the server runs, and is not refused.
        listener.listen()
    except OSError as exc:
        listener.close()
        raise ConfigError({f"--port {port}": f"cannot be used: {exc.strerror}"}) from exc
    return listener
