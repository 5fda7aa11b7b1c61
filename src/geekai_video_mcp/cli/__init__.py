"""The command line. Without arguments it serves MCP over stdio.

Only this package reads the environment and writes the process's own output. Rules about tasks
and money may not enter: they are in the packages below. stdout belongs to the protocol, so
messages for people go to stderr; only commands that serve no protocol write to stdout. Each
command is a module with `build_parser`, imported when it is called, because a host waits for the
response to `initialize`.
"""

import argparse
import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from geekai_video_mcp import __version__
from geekai_video_mcp.cli.output import INTERRUPTED, NOT_USABLE, print_notice

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_COMMAND: Final = "serve"
COMMANDS: Final[Mapping[str, str]] = {
    "serve": "run the MCP server (default, over stdio)",
    "setup": "ask for the key, folders and caps, and store them in the settings file",
    "install": "have a host, such as Cursor or Claude Code, start this server",
    "uninstall": "have a host no longer start this server",
    "doctor": "check this installation, the settings, the service, the folders and the hosts",
    "token": "print a host's configuration for the server over HTTP, with its token",
    "tokens": "make, list and revoke the tokens of others who may call the server over HTTP",
    "sandbox": "run a GeekAI-compatible mock API that renders preview videos",
    "spent": "print what was requested on each day, and what it cost by the price list",
    "join": "join finished videos into one film, on this machine and free",
    "gallery": "write one HTML page of the newest films, which opens from disk",
    "tasks": "list, show and export tasks; resolve unknown outcomes",
}
"""The module of this package that each command is, and what `--help` says of it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    # Imports create many objects and no garbage: collections would cost a tenth of the start-up.
    gc.disable()
    arguments = _parse_arguments(list(sys.argv[1:] if argv is None else argv))
    from geekai_video_mcp.errors import GeekAIVideoError, first_own_error

    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (GeekAIVideoError, BaseExceptionGroup) as exc:
        # The SDK wraps what is raised when a server starts.
        own_error = first_own_error(exc)
        if own_error is None:
            raise
        print_notice(own_error.message)
        return NOT_USABLE


def _parse_arguments(argv: list[str]) -> argparse.Namespace:
    command, *rest = argv or [DEFAULT_COMMAND]
    if command not in COMMANDS:
        return _build_parser().parse_args(argv)
    module: ModuleType = importlib.import_module(f"{__name__}.{command}")
    parser: argparse.ArgumentParser = module.build_parser(f"geekai-video-mcp {command}")
    return parser.parse_args(rest)


def _build_parser() -> argparse.ArgumentParser:
    """The parser for what names no command: it prints help or the version, or refuses."""
    parser = argparse.ArgumentParser(
        prog="geekai-video-mcp",
        description="An MCP server that generates videos with GeekAI's API. Without an API key it"
        " uses a local sandbox that renders preview videos.",
        epilog="geekai-video-mcp COMMAND --help tells about one. It is configured by GEEKAI_*"
        " environment variables and a settings file, which geekai-video-mcp setup writes.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary)
    return parser
