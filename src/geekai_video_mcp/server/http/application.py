"""The ASGI application: who is let in, in which order, and what is served behind it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Literal

from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from geekai_video_mcp.app import App
from geekai_video_mcp.config.hosting import ClientKeys, HostingSettings, Network
from geekai_video_mcp.engine import Operations
from geekai_video_mcp.server.build import OpenSource, build_server
from geekai_video_mcp.server.http.accept_json import AcceptJson
from geekai_video_mcp.server.http.address_guard import AddressGuard
from geekai_video_mcp.server.http.addresses import TrustedAddresses, trust_addresses
from geekai_video_mcp.server.http.authorization import RequireToken
from geekai_video_mcp.server.http.body_guard import BodyGuard
from geekai_video_mcp.server.http.drain_gate import DrainGate
from geekai_video_mcp.server.http.file_links import FILES_PATH, FileLinkSigner
from geekai_video_mcp.server.http.files import FileServer
from geekai_video_mcp.server.http.no_sessions import RefuseSessions
from geekai_video_mcp.server.http.principals import KEY_HEADER, IdentifyPrincipal
from geekai_video_mcp.server.http.probes import probe_routes
from geekai_video_mcp.server.http.protected_resource import metadata_routes
from geekai_video_mcp.server.http.proxies import ProxyHeaders, RestorePrefix
from geekai_video_mcp.server.http.request_apps import OpenApps, RequestApps
from geekai_video_mcp.server.http.request_limits import MAX_REQUESTS, LimitRequests
from geekai_video_mcp.server.http.session_table import IDLE_TIMEOUT, MAX_SESSIONS
from geekai_video_mcp.server.http.unread_streams import UnreadStreams
from geekai_video_mcp.server.jsonrpc import MAX_MESSAGE_BYTES

Transport = Literal["sse", "streamable-http", "http"]
BuildServer = Callable[[OpenSource], MCPServer[App]]

_UNCHECKED: Final = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""`AddressGuard` decides about Host and Origin; the SDK compares them by prefix."""


def build_http(
    open_apps: OpenApps,
    *,
    transport: Transport,
    verifier: TokenVerifier | None = None,
    auth: AuthSettings | None = None,
    trusted: TrustedAddresses | None = None,
    proxies: Sequence[Network] = (),
    root_path: str = "",
    public_url: str | None = None,
    client_keys: ClientKeys = "refuse",
    file_links: FileLinkSigner | None = None,
    operations: Operations | None = None,
    output_dir: Path | None = None,
    max_calls_per_minute: int = HostingSettings.max_calls_per_minute,
    stateless: bool = False,
    build: BuildServer = build_server,
) -> ASGIApp:
    """The ASGI application: what `probes` serves and, by *transport*, /mcp or /sse and /messages/.

    With *file_links* also /files/, for whoever has a link that it can read.

    Without a *verifier* no token is required, and everybody is the operator. *auth* is that of the
    authorisation server whose tokens the verifier takes. The headers of *proxies* are taken for
    their client's; *root_path* is the prefix that they remove, and *public_url* the server's
    address without a slash at its end, by default that of each request. *operations* is that of
    the process, and /ready requires room in *output_dir*. With *stateless*
    no session is kept over Streamable HTTP, so that any of several servers can answer any request.
    """
    trusted = trusted or trust_addresses()
    metadata = metadata_routes(auth) if auth is not None else []
    operations = operations or Operations()
    routes = [*probe_routes(operations, output_dir=output_dir), *metadata]
    served = _build_routes(
        open_apps,
        transport=transport,
        build=build,
        routes=routes,
        file_links=file_links,
        stateless=stateless,
    )
    app: ASGIApp = RestorePrefix(served)
    app = UnreadStreams(BodyGuard(AcceptJson(RefuseSessions(app) if stateless else app)))
    app = IdentifyPrincipal(app, client_keys=client_keys)
    app = LimitRequests(app, max_calls_per_minute=max_calls_per_minute)
    if verifier is not None:
        app = RequireToken(app, verifier=verifier, auth=auth)
    # Outside the token, because a preflight has none and a web page has to be able to read a 401.
    app = AddressGuard(_Cors(app, trusted=trusted), trusted=trusted)
    app = ProxyHeaders(app, proxies=proxies, root_path=root_path, public_url=public_url)
    return DrainGate(app, operations=operations)


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # No web page may read a file by script: a link is for whoever was given it.
        if scope["type"] == "http" and scope["path"].startswith(FILES_PATH):
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        return self._trusted.trust_origin(origin)


def _build_routes(
    open_apps: OpenApps,
    *,
    transport: Transport,
    build: BuildServer,
    routes: Sequence[BaseRoute],
    file_links: FileLinkSigner | None,
    stateless: bool,
) -> Starlette:
    apps = RequestApps()
    server = build(apps.as_lifespan)
    served = [*routes]
    if file_links is not None:
        served.append(FileServer(file_links, apps.find).route())
    sessions: AbstractAsyncContextManager[None] | None = None
    if transport != "sse":
        served += server.streamable_http_app(
            transport_security=_UNCHECKED,
            max_request_body_size=MAX_MESSAGE_BYTES,
            stateless_http=stateless,
            session_idle_timeout=IDLE_TIMEOUT,
            # `LimitRequests` makes room before; sessions that are being opened come on top.
            max_sessions=MAX_SESSIONS + 10 * MAX_REQUESTS,
        ).routes
        sessions = server.session_manager.run()
    if transport != "streamable-http":
        served += server.sse_app(
            transport_security=_UNCHECKED, max_request_body_size=MAX_MESSAGE_BYTES
        ).routes

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with open_apps() as apps.opened:
            if sessions is None:
                yield
                return
            async with sessions:
                yield

    return Starlette(routes=served, lifespan=lifespan)
