"""The ASGI application: who is let in, in which order, and what is served behind it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Literal

from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from geekai_video_mcp import __version__
from geekai_video_mcp.app import App, AppFactory
from geekai_video_mcp.config.hosting import ClientKeys, HostingSettings, Network
from geekai_video_mcp.server.build import build_server
from geekai_video_mcp.server.http.accept_json import AcceptJson
from geekai_video_mcp.server.http.address_guard import AddressGuard
from geekai_video_mcp.server.http.addresses import TrustedAddresses, trust_addresses
from geekai_video_mcp.server.http.authorization import RequireToken
from geekai_video_mcp.server.http.body_guard import BodyGuard
from geekai_video_mcp.server.http.principals import KEY_HEADER, IdentifyPrincipal
from geekai_video_mcp.server.http.protected_resource import metadata_routes
from geekai_video_mcp.server.http.proxies import ProxyHeaders, RestorePrefix
from geekai_video_mcp.server.http.request_limits import MAX_REQUESTS, LimitRequests
from geekai_video_mcp.server.http.session_table import IDLE_TIMEOUT, MAX_SESSIONS
from geekai_video_mcp.server.http.unread_streams import UnreadStreams
from geekai_video_mcp.server.jsonrpc import MAX_MESSAGE_BYTES

Transport = Literal["sse", "streamable-http", "http"]
BuildServer = Callable[[AppFactory], MCPServer[App]]

_UNCHECKED: Final = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""`AddressGuard` decides about Host and Origin; the SDK compares them by prefix."""


class _SharedApp:
    """One `App`, opened by the HTTP application and shared by all connections.

    The SDK enters a server's lifespan once per SSE connection, and a paid request must not depend
    on a connection.
    """

    def __init__(self) -> None:
        self.app: App | None = None

    @asynccontextmanager
    async def get(self) -> AsyncGenerator[App]:
        if self.app is None:
            msg = "the HTTP application is not running"
            raise RuntimeError(msg)
        yield self.app


def build_http(
    open_app: AppFactory,
    *,
    transport: Transport,
    verifier: TokenVerifier | None = None,
    auth: AuthSettings | None = None,
    trusted: TrustedAddresses | None = None,
    proxies: Sequence[Network] = (),
    root_path: str = "",
    public_url: str | None = None,
    client_keys: ClientKeys = "refuse",
    max_calls_per_minute: int = HostingSettings.max_calls_per_minute,
    build: BuildServer = build_server,
) -> ASGIApp:
    """The ASGI application with /health and, by *transport*, /mcp or /sse and /messages/ or all.

    Without a *verifier* no token is required, and everybody is the operator. *auth* says which
    authorisation server's tokens the verifier takes. *proxies* are believed what they say about
    a client; *root_path* is the prefix that they remove.
    """
    trusted = trusted or trust_addresses()
    metadata = metadata_routes(auth) if auth is not None else []
    app: ASGIApp = RestorePrefix(_build_routes(open_app, transport, build, metadata))
    app = UnreadStreams(BodyGuard(AcceptJson(app)))
    app = IdentifyPrincipal(app, client_keys=client_keys)
    app = LimitRequests(app, max_calls_per_minute=max_calls_per_minute)
    if verifier is not None:
        app = RequireToken(app, verifier=verifier, auth=auth)
    # Outside the token, because a preflight has none and a web page has to be able to read a 401.
    app = AddressGuard(_Cors(app, trusted=trusted), trusted=trusted)
    return ProxyHeaders(app, proxies=proxies, root_path=root_path, public_url=public_url)


class _Cors(CORSMiddleware):
    """Lets web pages of trusted origins call, and read what they need of a response."""

    def __init__(self, app: ASGIApp, *, trusted: TrustedAddresses) -> None:
        super().__init__(
            app,
            allow_methods=["GET", "POST", "DELETE"],
            # The headers of the protocol's revisions from 2025-03-26 to 2026-07-28.
            allow_headers=[
                "Accept",
                "Authorization",
                "Content-Type",
                "Last-Event-ID",
                "MCP-Protocol-Version",
                "Mcp-Method",
                "Mcp-Name",
                "Mcp-Session-Id",
                KEY_HEADER,
            ],
            expose_headers=["Mcp-Session-Id", "WWW-Authenticate", "Retry-After"],
        )
        self._trusted = trusted

    def is_allowed_origin(self, origin: str) -> bool:
        return self._trusted.trust_origin(origin)


def _build_routes(
    open_app: AppFactory, transport: Transport, build: BuildServer, metadata: list[BaseRoute]
) -> Starlette:
    shared = _SharedApp()
    server = build(shared.get)
    routes: list[BaseRoute] = [Route("/health", _report_health), *metadata]
    sessions: AbstractAsyncContextManager[None] | None = None
    if transport != "sse":
        routes += server.streamable_http_app(
            transport_security=_UNCHECKED,
            max_request_body_size=MAX_MESSAGE_BYTES,
            session_idle_timeout=IDLE_TIMEOUT,
            # `LimitRequests` makes room before; sessions that are being opened come on top.
            max_sessions=MAX_SESSIONS + 10 * MAX_REQUESTS,
        ).routes
        sessions = server.session_manager.run()
    if transport != "streamable-http":
        routes += server.sse_app(
            transport_security=_UNCHECKED, max_request_body_size=MAX_MESSAGE_BYTES
        ).routes

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with open_app() as shared.app:
            if sessions is None:
                yield
                return
            async with sessions:
                yield

    return Starlette(routes=routes, lifespan=lifespan)


async def _report_health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})
