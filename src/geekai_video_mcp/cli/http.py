"""`serve` over HTTP, and `token`: who may call, and the configuration that a host needs."""

import argparse
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from geekai_video_mcp.app import open_app
from geekai_video_mcp.cli.access import (
    Access,
    decide_access,
    describe_access,
    is_exposed,
    refuse_to_be_open,
)
from geekai_video_mcp.cli.addresses import host_configuration
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.cli.replicas import require_common_settings
from geekai_video_mcp.config.tokens_file import LiveTokens
from geekai_video_mcp.domain.public_hosts import is_loopback
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.engine import Operations
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.server.build import build_server
from geekai_video_mcp.server.http import (
    FileLinkSigner,
    SignedFileLinks,
    bind_address,
    bind_loopback,
    build_http,
    load_token,
    token_path,
    trust_addresses,
)
from geekai_video_mcp.server.http.request_state import seal_request_state
from geekai_video_mcp.tenant_apps import open_tenant_apps

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from mcp.server.mcpserver import MCPServer
    from starlette.types import ASGIApp

    from geekai_video_mcp.app import App, LedgerBase
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.server.http.application import Transport

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is bound, not to bind
"""The address by which this machine reaches a listener on all of its addresses."""
_PATHS: Final = {"sse": "/sse", "streamable-http": "/mcp", "http": "/mcp and /sse"}


def prepare_http(
    arguments: argparse.Namespace,
    settings: "Settings",
    *,
    build: "Callable[..., MCPServer[Any]]" = build_server,
) -> "tuple[ASGIApp, socket.socket, Operations]":
    """The application and its listening socket; stderr says where it is and who may call.

    Raises:
        ConfigError: it would be open to whoever reaches it, or the address cannot be used.
    """
    transport = choose_transport(arguments, settings)
    live = LiveTokens(settings)
    tokens = live.read()
    require_common_settings(settings, tokens)
    refuse_to_be_open(arguments, settings, tokens)
    access = decide_access(
        settings, live, no_token=arguments.no_token, exposed=is_exposed(arguments, settings)
    )
    on_loopback = is_loopback(arguments.host)
    bind = bind_loopback if on_loopback else bind_address
    listener = bind(arguments.host, arguments.port)
    hosting = settings.hosting
    signer = FileLinkSigner(hosting.secret, clock=time.time)
    links = SignedFileLinks(signer, public_url=hosting.public_url)
    # On loopback a path is enough for the operator.
    for_operator = None if on_loopback and not hosting.public_url else links

    def open_with_links(
        settings: "Settings", *, base: "LedgerBase", may_import: bool
    ) -> "AbstractAsyncContextManager[App]":
        its_links = for_operator if settings.tenant == LOCAL_TENANT else links
        return open_app(settings, base=base, may_import=may_import, links=its_links)

    public_host = urlsplit(hosting.public_url).hostname if hosting.public_url else None
    operations = Operations()
    app = build_http(
        partial(open_tenant_apps, settings, live, operations=operations, open_app=open_with_links),
        transport=transport,
        stateless=settings.hosting.database_url is not None,
        verifier=access.verifier,
        auth=access.auth,
        trusted=trust_addresses(
            listening=listener.getsockname()[0],
            allowed=[*hosting.allowed_hosts, *([public_host] if public_host else [])],
        ),
        proxies=hosting.trusted_proxies,
        root_path=arguments.root_path or urlsplit(hosting.public_url or "").path,
        public_url=hosting.public_url,
        client_keys=hosting.client_keys,
        file_links=signer,
        operations=operations,
        output_dir=settings.output_dir,
        max_calls_per_minute=hosting.max_calls_per_minute,
        build=partial(
            build,
            default_models=settings.default_models,
            request_state=seal_request_state(hosting.secret),
        ),
    )
    origin = origin_url(listener)
    print_notice(f"MCP at {origin}{_PATHS[transport]} (press Ctrl-C to stop)")
    if transport != arguments.transport:
        print_notice(
            "SSE is off, because with GEEKAI_DATABASE_URL several servers answer, and a session"
            " over SSE lives in one of them: --sse serves it as well, if the proxy sends each"
            " client to the same server every time."
        )
    if access.verifier is not None:
        print_notice(_token_notice(arguments, settings, origin, access))
    elif not settings.sandbox:
        print_notice(
            "No token is required (--no-token): every user and every program of this machine can"
            " spend the money of the key and read the prompts and videos."
        )
    return app, listener, operations


def choose_transport(arguments: argparse.Namespace, settings: "Settings") -> "Transport":
    """What is served over HTTP: several servers on one database have no SSE unless it is asked for.

    Raises:
        ConfigError: SSE alone was asked for, and not that it may be one of several servers.
    """
    transport: Transport = arguments.transport
    if settings.hosting.database_url is None or arguments.sse:
        return transport
    if transport == "sse":
        msg = (
            "with GEEKAI_DATABASE_URL, a session over SSE lives in one of several servers: add"
            " --sse if the proxy sends each client to the same server every time"
        )
        raise ConfigError({"--transport sse": msg})
    return "streamable-http"


def print_token(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Print a host's configuration with the token, or the token alone, to stdout."""
    token = load_token(settings.state_dir)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    text = (
        token
        if arguments.raw
        else host_configuration(f"http://{host}:{arguments.port}", arguments.transport, token)
    )
    try:
        print_line(text)
    except OSError as exc:
        # Otherwise the interpreter reports the error again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print_notice(f"The output could not be written: {exc.strerror}.")
        return FAILED
    if settings.sandbox:
        print_notice(
            "Without GEEKAI_API_KEY the server runs the sandbox, which requires no token and"
            " ignores this one."
        )
    return OK


def origin_url(listener: "socket.socket") -> str:
    """The address by which this machine itself reaches the listener."""
    bound, port = listener.getsockname()[:2]
    host = _LOOPBACK.get(bound) or str(bound)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _token_notice(
    arguments: argparse.Namespace, settings: "Settings", origin: str, access: "Access"
) -> str:
    """What a host needs. A log, which stderr may be, gets the file's path and not the token."""
    others = "".join(f"\n{said}" for said in describe_access(settings, access))
    if access.local_token is None:
        return f"A token is required.{others}"
    if sys.stderr.isatty():
        configuration = host_configuration(origin, arguments.transport, access.local_token)
        return f"A token is required. A host is configured with:\n{configuration}{others}"
    port = origin.rpartition(":")[2]
    return (
        f"A token is required. It is in {token_path(settings.state_dir)};"
        f" geekai-video-mcp token --port {port} prints a host's configuration with it.{others}"
    )
