"""`geekai-video-mcp token`: the configuration of a host for the server over HTTP."""

import argparse

from geekai_video_mcp.cli.addresses import SERVE_PORT, add_address_options
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.start import load_settings


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Print a host's configuration for the server over HTTP, with its token.",
        **examples(f"{prog}", f"{prog} --raw"),
    )
    parser.add_argument(
        "--transport",
        choices=["sse", "streamable-http", "http"],
        default="http",
        help="the one that the host is to use (default: http, which is Streamable HTTP)",
    )
    add_address_options(parser, default_port=SERVE_PORT)
    parser.add_argument("--raw", action="store_true", help="print the token alone")
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.http import print_token

    return print_token(arguments, load_settings())
