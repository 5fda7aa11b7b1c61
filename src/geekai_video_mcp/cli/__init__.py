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
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import (
    BROKEN_PIPE,
    NOT_USABLE,
    drop_output,
    drop_unread_errors,
    is_broken_pipe,
    open_closed_streams,
    prepare_output,
    write_output,
)
from geekai_video_mcp.early_interrupt import INTERRUPTED, leave_interrupts_to_python

if TYPE_CHECKING:
    from types import ModuleType

PROG: Final = "geekai-video-mcp"
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
    "generate": "generate a video, wait for it, and store it",
    "image": "generate a picture, which can be the first frame of a video",
    "view": "make a contact sheet of finished videos, and open it",
    "models": "list the models and their prices, or show all about one",
    "spent": "print what was requested by day, month or model, and its listed price",
    "join": "join finished videos into one film, on this machine and free",
    "gallery": "write one HTML page of the newest films, which opens from disk",
    "tasks": "list, show, open and export tasks; resolve unknown outcomes",
    "completion": "print the script with which a shell completes this command line",
}
"""The module of this package that each command is, and what `--help` says of it."""
_NOTE: Final = (
    f"{PROG} COMMAND --help tells about one, with examples. It is configured by GEEKAI_*"
    " environment variables and a settings file, which geekai-video-mcp setup writes.\n\n"
    "Exit status:\n"
    "    0  done\n"
    "    1  refused, failed or not found\n"
    "    2  wrong usage or settings\n"
    "    3  not known whether GeekAI took the request, which may have been charged\n"
    "  130  ended by Ctrl-C\n"
    "  141  the reader of the output has closed it"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    # Imports create many objects and no garbage: collections would cost a tenth of the start-up.
    gc.disable()
    open_closed_streams()
    prepare_output()
    try:
        try:
            return _run_command(list(sys.argv[1:] if argv is None else argv))
        finally:  # also after --help and a refusal, which argparse prints
            drop_unread_errors()
            write_output("")
    except (BrokenPipeError, BaseExceptionGroup) as exc:
        if not is_broken_pipe(exc):
            raise
        drop_output()
        return BROKEN_PIPE


def _run_command(argv: list[str]) -> int:
    arguments = _parse_arguments(argv)
    if not getattr(arguments, "receives_interrupts", False):
        leave_interrupts_to_python()
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
        from geekai_video_mcp.cli.for_people import print_for_person

        print_for_person(own_error.message, "ERROR")
        return NOT_USABLE


def _parse_arguments(argv: list[str]) -> argparse.Namespace:
    command, *rest = argv or [DEFAULT_COMMAND]
    if command not in COMMANDS:
        return _build_parser()[0].parse_args(argv)
    return build_command_parser(command).parse_args(rest)


def build_command_parser(command: str) -> argparse.ArgumentParser:
    """The parser of one of `COMMANDS`."""
    module: ModuleType = importlib.import_module(f"{__name__}.{command}")
    return module.build_parser(f"{PROG} {command}")


def build_whole_parser() -> argparse.ArgumentParser:
    """The parser that knows every command with its options; for that it imports all of them."""
    parser, commands = _build_parser()
    for name in COMMANDS:
        commands[name] = build_command_parser(name)
    return parser


def _build_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser for what names no command, and its commands, of which it knows the names alone.

    It prints help or the version, or refuses.
    """
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="An MCP server that generates videos with GeekAI's API, and its command line."
        " Without an API key it uses a local sandbox that renders preview videos.",
        **examples(
            f"{PROG} setup",
            f"{PROG} install cursor",
            f"{PROG} models --takes image --max-cny 2",
            f"{PROG} tasks --since 7d",
            note=_NOTE,
        ),
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary)
    return parser, commands.choices
