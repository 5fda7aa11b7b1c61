"""`geekai-video-mcp completion`: what makes a shell complete commands, options and their values."""

import argparse
from typing import Any, Final, cast

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import OK, print_line
from geekai_video_mcp.cli.tool_options import FILES

SHELLS: Final = ("bash", "zsh", "tcsh")
_FILES: Final = frozenset({"file", "audio", "key_file", "api_key_file", "output", *FILES})
"""The arguments that name a file."""
_FOLDERS: Final = frozenset({"output_dir", "folder"})


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Print the script with which a shell completes commands, options, statuses and"
        " the names of models.",
        **examples(
            f'eval "$({prog} bash)"',
            f"{prog} zsh > ~/.zfunc/_geekai-video-mcp",
            f"{prog} tcsh > ~/.geekai-video-mcp.tcsh",
            note="The first line is for ~/.bashrc, and with zsh for ~/.zshrc, below compinit. A new"
            " version needs the script anew, unless it is made at each start as there.",
        ),
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    import shtab

    from geekai_video_mcp.cli import COMMANDS, build_whole_parser

    parser = build_whole_parser()
    for name, command in _commands_of(parser).items():
        command.description = COMMANDS[name]  # zsh shows it beside the name, in one line
        _tell_values(command, name, file=shtab.FILE, folder=shtab.DIRECTORY)
    print_line(shtab.complete(parser, shell=arguments.shell))
    return OK


def _commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser by name; argparse has no other way to them."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action.choices, dict):
            return cast("dict[str, argparse.ArgumentParser]", action.choices)
    return {}


def _tell_values(
    parser: argparse.ArgumentParser, name: str, *, file: object, folder: object
) -> None:
    """Tell shtab the values of the arguments of the command *name*; the rest it sees by itself."""
    from geekai_video_mcp.cli.hosts import HOSTS, PRINTED
    from geekai_video_mcp.domain import catalogue

    models = catalogue.image_models() if name == "image" else catalogue.models()
    hosts = {"install": [*HOSTS, *PRINTED], "uninstall": [*HOSTS]}
    for command in _commands_of(parser).values():
        _tell_values(command, name, file=file, folder=folder)
    for action in parser._actions:  # noqa: SLF001 - as above
        if action.dest in _FILES | _FOLDERS:
            cast("Any", action).complete = file if action.dest in _FILES else folder
        elif action.dest == "model":
            action.choices = list(models)
        elif action.dest == "host" and name in hosts:
            action.choices = hosts[name]
