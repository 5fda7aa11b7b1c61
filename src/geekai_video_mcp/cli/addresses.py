"""The options of a command that listens on a port."""

import argparse
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


def _parse_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > LAST_PORT:
        msg = f"the port must be a number from 0 to {LAST_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
