"""`serve` over HTTP, and `token`: who may call, and the configuration that a host needs."""

import argparse
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.app import open_app
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.server.build import build_server
from geekai_video_mcp.server.http import (
    LocalTokenVerifier,
    bind_loopback,
    build_http,
    load_token,
    token_path,
    trust_loopback,
)

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

    from geekai_video_mcp.config import Settings

_PATHS: Final = {"sse": "/sse", "streamable-http": "/mcp", "http": "/mcp and /sse"}


def prepare_http(
    arguments: argparse.Namespace, settings: "Settings"
) -> "tuple[ASGIApp, socket.socket]":
    """The application and its listening socket; stderr says where it is and who may call."""
    token = None if settings.sandbox or arguments.no_token else load_token(settings.state_dir)
    listener = bind_loopback(arguments.host, arguments.port)
    app = build_http(
        partial(open_app, settings),
        transport=arguments.transport,
        verifier=LocalTokenVerifier(token) if token else None,
        trusted=trust_loopback(listener.getsockname()[0]),
        build=partial(build_server, default_models=settings.default_models),
    )
    origin = origin_url(listener)
    print_notice(f"MCP at {origin}{_PATHS[arguments.transport]} (press Ctrl-C to stop)")
    if token is not None:
        print_notice(_token_notice(arguments, settings, origin, token))
    elif not settings.sandbox:
        print_notice(
            "No token is required (--no-token): every user and every program of this machine can"
            " spend the money of the key and read the prompts and videos."
        )
    return app, listener


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


def host_configuration(origin: str, transport: str, token: str) -> str:
    """The JSON by which a host reaches the server at *origin*."""
    kind, path = ("sse", "/sse") if transport == "sse" else ("http", "/mcp")
    server = {
        "type": kind,
        "url": origin + path,
        "headers": {"Authorization": f"Bearer {token}"},
    }
    return json.dumps({"mcpServers": {"geekai-video": server}}, indent=2)


def origin_url(listener: "socket.socket") -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _token_notice(
    arguments: argparse.Namespace, settings: "Settings", origin: str, token: str
) -> str:
    """What a host needs. A log, which stderr may be, gets the file's path and not the token."""
    if sys.stderr.isatty():
        configuration = host_configuration(origin, arguments.transport, token)
        return f"A token is required. A host is configured with:\n{configuration}"
    port = origin.rpartition(":")[2]
    return (
        f"A token is required. It is in {token_path(settings.state_dir)};"
        f" geekai-video-mcp token --port {port} prints a host's configuration with it."
    )
