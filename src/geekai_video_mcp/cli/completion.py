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
            f"{prog} bash > geekai-video-mcp.bash",
            f"{prog} zsh > ~/.zfunc/_geekai-video-mcp",
            note="The first line is for ~/.bashrc. A new version needs the script anew, unless it"
            " is made at each start as there.",
        ),
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    import shtab

    from geekai_video_mcp.cli import build_whole_parser

    parser = build_whole_parser()
    _tell_values(parser, shtab.FILE, shtab.DIRECTORY)
    print_line(shtab.complete(parser, shell=arguments.shell))
    return OK


def _tell_values(parser: argparse.ArgumentParser, file: object, folder: object) -> None:
    """Tell shtab which arguments are files, folders or models; the rest it sees by itself."""
    from geekai_video_mcp.domain import catalogue

    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to its arguments
        if isinstance(action.choices, dict):  # the commands
            for command in cast("dict[str, argparse.ArgumentParser]", action.choices).values():
                _tell_values(command, file, folder)
        elif action.dest in _FILES | _FOLDERS:
            cast("Any", action).complete = file if action.dest in _FILES else folder
        elif action.dest == "model":
            action.choices = list(catalogue.models())
