"""How commands print (results to stdout, everything else to stderr), and their exit statuses."""

import io
import os
import shutil
import sys
from collections.abc import Callable
from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The task does not exist, or what the command was called for was refused or has failed."""
NOT_USABLE: Final = 2
"""The command line or the settings are invalid; the same as argparse's."""
UNKNOWN_OUTCOME: Final = 3
"""Whether GeekAI took the request, and charges it, is not known."""
INTERRUPTED: Final = 130
"""After Ctrl-C, by the convention of shells; and after Ctrl-D where a question is asked."""
BROKEN_PIPE: Final = 141
"""Exit status when the reader of the output has closed it, by the convention of shells."""

NO_TERMINAL_WIDTH: Final = 10_000
"""Cells of a line without a terminal: nothing is truncated in a file or a pipe."""


def prepare_output() -> None:
    """Write UTF-8 to files and pipes; replace what a terminal's own encoding cannot show."""
    out: object = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        terminal = out.isatty()
        out.reconfigure(errors="replace") if terminal else out.reconfigure(encoding="utf-8")


def terminal_width() -> int:
    """Cells of a line of the terminal; without a terminal, more than any line needs."""
    return shutil.get_terminal_size((NO_TERMINAL_WIDTH, 0)).columns


def notice_width() -> int:
    """Cells of a line on stderr, as `terminal_width` on stdout."""
    if not sys.stderr.isatty():
        return NO_TERMINAL_WIDTH
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or NO_TERMINAL_WIDTH
    except OSError:
        return NO_TERMINAL_WIDTH


def drop_output() -> None:
    """After a BrokenPipeError: else the interpreter reports it again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def json_line(value: object) -> str:
    """*value* as JSON in one line: a terminal executes nothing in it and loses nothing of it."""
    import json

    from geekai_video_mcp.quoting import reveal

    shows_all = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    return reveal(json.dumps(value, ensure_ascii=not shows_all))


notice_formats: Final[list[Callable[[str], str]]] = []
"""What a notice is formatted with, if it is a part of a log that a program reads."""


def print_notice(line: str) -> None:
    for format_notice in notice_formats[-1:]:
        line = format_notice(line)
    print_notice_line(line)


def print_notice_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
