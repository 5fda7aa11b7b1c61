"""How commands print (results to stdout, everything else to stderr), and their exit statuses."""

import io
import os
import sys
from collections.abc import Callable
from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The task does not exist, or what the command was called for was refused or has failed."""
NOT_USABLE: Final = 2
"""The command line or the settings are invalid; the same as argparse's."""
INTERRUPTED: Final = 130
"""After Ctrl-C, by the convention of shells; and after Ctrl-D where a question is asked."""
BROKEN_PIPE: Final = 141
"""Exit status when the reader of the output has closed it, by the convention of shells."""


def prepare_output() -> None:
    """Write UTF-8 to files and pipes; replace what a terminal's own encoding cannot show."""
    out: object = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        terminal = out.isatty()
        out.reconfigure(errors="replace") if terminal else out.reconfigure(encoding="utf-8")


def drop_output() -> None:
    """After a BrokenPipeError: else the interpreter reports it again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


notice_formats: Final[list[Callable[[str], str]]] = []
"""What a notice is formatted with, if it is a part of a log that a program reads."""


def print_notice(line: str) -> None:
    for format_notice in notice_formats[-1:]:
        line = format_notice(line)
    print_notice_line(line)


def print_notice_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
