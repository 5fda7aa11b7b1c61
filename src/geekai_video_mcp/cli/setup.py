"""`geekai-video-mcp setup`: store the key, folders and caps in the settings file.

In a terminal it asks; elsewhere the values are options. It checks the key by reads alone, which
cost nothing, and writes once, at the end.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import (
    FAILED,
    NOT_USABLE,
    OK,
    prepare_output,
    print_line,
    print_notice,
)
from geekai_video_mcp.cli.start import resume_gc
from geekai_video_mcp.early_interrupt import INTERRUPTED

if TYPE_CHECKING:
    from pathlib import Path

    from geekai_video_mcp.cli.setup_values import Draft
    from geekai_video_mcp.config.settings_file import SettingsFile

OPTIONS: Final[Mapping[str, str]] = {
    "key_file": "GEEKAI_API_KEY_FILE",
    "base_url": "GEEKAI_BASE_URL",
    "output_dir": "GEEKAI_OUTPUT_DIR",
    "image_dirs": "GEEKAI_IMAGE_DIRS",
    "max_videos_per_day": "GEEKAI_MAX_VIDEOS_PER_DAY",
    "max_cny_per_day": "GEEKAI_MAX_CNY_PER_DAY",
}
"""The settings that options set, by the option's name in the namespace."""


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Store the key, folders and caps in the settings file, which every host and"
        " every command reads. In a terminal it asks for what no option gives.",
        **examples(
            f"{prog}",
            f"{prog} --max-cny-per-day 20 --output-dir ~/Videos/geekai",
            f"{prog} --key-stdin --yes < key.txt",
            note="An option with - removes its setting. The key is checked at the service, which"
            " costs nothing.",
        ),
    )
    parser.add_argument("--key-stdin", action="store_true", help="read the key from standard input")
    parser.add_argument(
        "--key-file", metavar="PATH", help="a file that holds the key, and keeps it"
    )
    parser.add_argument("--base-url", metavar="URL", help="the service: co, dev, sandbox or a URL")
    parser.add_argument("--output-dir", metavar="PATH", help="folder for finished videos")
    parser.add_argument(
        "--image-dirs", metavar="PATHS", help="folders of pictures, separated as in PATH"
    )
    parser.add_argument(
        "--max-videos-per-day", metavar="N", help="videos and pictures per 24 hours"
    )
    parser.add_argument(
        "--max-cny-per-day", metavar="CNY", help="spending per 24 hours, such as 20"
    )
    parser.add_argument(
        "--no-check", action="store_true", help="store the key without asking the service"
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing: store what options give")
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.for_people import print_for_person
    from geekai_video_mcp.config import VARIABLES, read_settings_file, settings_path
    from geekai_video_mcp.errors import ConfigError, StorageUnavailable

    path = settings_path(os.environ)
    if path is None:
        print_for_person(
            "There is no place for settings: GEEKAI_SETTINGS_FILE rules a file out, or this user"
            " has no folder for one. Name a file with GEEKAI_SETTINGS_FILE, as an absolute path."
        )
        return NOT_USABLE
    file = read_settings_file(path, known=VARIABLES)
    if file.problems:
        raise ConfigError(dict(file.problems))
    for warning in file.warnings:
        print_notice(warning)
    resume_gc()
    prepare_output()
    try:
        return _set_up(arguments, path, file)
    except (KeyboardInterrupt, EOFError):
        print_line("")
        print_notice("Nothing was written.")
        return INTERRUPTED
    except StorageUnavailable as exc:
        print_notice(exc.message)
        return FAILED


def _set_up(arguments: argparse.Namespace, path: "Path", file: "SettingsFile") -> int:
    from geekai_video_mcp.cli.setup_questions import ask_all
    from geekai_video_mcp.cli.setup_values import Draft

    asks = not arguments.yes and sys.stdin.isatty() and sys.stdout.isatty()
    given = _read_given(arguments)
    if not given and not asks:
        print_notice(_no_terminal_text(path, asked_not_to=arguments.yes))
        return NOT_USABLE
    draft = Draft(path, file, given, checks=not arguments.no_check, environ=os.environ)
    return ask_all(draft) if asks else _store(draft)


def _store(draft: "Draft") -> int:
    """Write what options give; a key is stored if the service accepts it."""
    from geekai_video_mcp.config import write_settings
    from geekai_video_mcp.config.names import BASE_URL, KEY, KEY_FILE

    key = draft.read_key() if {KEY, KEY_FILE, BASE_URL} & draft.given.keys() else None
    if key is not None and draft.checks and draft.urls_to_check():
        checks = draft.check_key(key)
        for check in checks:
            print_notice(check.message)
        if not draft.accept(checks):
            print_notice("Nothing was written. With --no-check the key is stored unchecked.")
            return FAILED
    write_settings(draft.path, draft.changes)
    print_line(f"Written to {draft.path}")
    return OK


def _read_given(arguments: argparse.Namespace) -> dict[str, str | None]:
    """The settings that options give; None for one that is to be removed.

    Raises:
        ConfigError: one of them is wrong.
    """
    from geekai_video_mcp.cli.setup_values import check_value
    from geekai_video_mcp.config.names import KEY
    from geekai_video_mcp.errors import ConfigError

    given: dict[str, str | None] = {}
    problems: dict[str, str] = {}
    for option, name in OPTIONS.items():
        value: str | None = getattr(arguments, option)
        if value is not None:
            try:
                given[name] = check_value(name, value)
            except ValueError as exc:
                problems[f"--{option.replace('_', '-')}"] = str(exc)
    if arguments.key_stdin and not sys.stdin.isatty():
        try:
            given[KEY] = _read_key()
        except ValueError as exc:
            problems["--key-stdin"] = str(exc)
    if problems:
        raise ConfigError(problems)
    return given


def _read_key() -> str:
    """The key on standard input.

    Raises:
        ValueError: there is none, in words that follow the option.
    """
    from geekai_video_mcp.cli.setup_values import check_key_text
    from geekai_video_mcp.config.keys import MAX_KEY_BYTES

    content = sys.stdin.buffer.read(MAX_KEY_BYTES + 1)
    lines = content.decode("utf-8-sig", errors="replace").split("\n")
    filled = [line for line in lines if line.strip()]
    if len(content) > MAX_KEY_BYTES or len(filled) > 1:
        msg = "gives more than one line; it must give the key alone"
        raise ValueError(msg)
    key = check_key_text(filled[0]) if filled else None
    if key is None:
        msg = "gives nothing; it must give the key"
        raise ValueError(msg)
    return key


def _no_terminal_text(path: "Path", *, asked_not_to: bool) -> str:
    reason = "No option gives a value" if asked_not_to else "There is no terminal to ask in"
    return (
        f"{reason}. Give the values as options (--key-stdin, --base-url, --output-dir and others:"
        f" see --help), set variables such as GEEKAI_API_KEY, or write them into {path}"
    )
