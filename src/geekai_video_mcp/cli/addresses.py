"""The options of a command that listens on a port, and what a host has to know of it."""

import argparse
import json
from typing import Final

LAST_PORT: Final = 65535
SERVE_PORT: Final = 8765


def add_address_options(
    parser: argparse.ArgumentParser,
    *,
    default_port: int,
    host: str = "loopback address to listen on",
    port: str = "port to listen on; 0 selects a free one",
) -> None:
    parser.add_argument("--host", default="127.0.0.1", help=f"{host} (default: 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=_parse_port,
        default=default_port,
        help=f"{port} (default: {default_port})",
    )


def host_configuration(origin: str, transport: str, token: str) -> str:
    """The JSON by which a host reaches the server at *origin*."""
    kind, path = ("sse", "/sse") if transport == "sse" else ("http", "/mcp")
    server = {
        "type": kind,
        "url": origin + path,
        "headers": {"Authorization": f"Bearer {token}"},
    }
    return json.dumps({"mcpServers": {"geekai-video": server}}, indent=2)


def _parse_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > LAST_PORT:
        msg = f"the port must be a number from 0 to {LAST_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
