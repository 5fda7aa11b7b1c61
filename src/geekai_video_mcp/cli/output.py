"""How commands print (results to stdout, everything else to stderr), and their exit statuses."""

import codecs
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, cast

OK: Final = 0
FAILED: Final = 1
"""The task does not exist, or what the command was called for was refused or has failed."""
NOT_USABLE: Final = 2
"""The command line or the settings are invalid; the same as argparse's."""
UNKNOWN_OUTCOME: Final = 3
"""Whether GeekAI took the request, and charges it, is not known."""
BROKEN_PIPE: Final = 141
"""Exit status when the reader of the output has closed it, by the convention of shells."""

NO_TERMINAL_WIDTH: Final = 10_000
"""Cells of a line without a terminal: nothing is truncated in a file or a pipe."""
_COERCED: Final = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})
"""What Python itself sets LC_CTYPE to in the C locale (PEP 538)."""
_IN_ASCII: Final = {"…": "~", "·": "-", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}
"""For signs of ours and of typesetters, an ASCII one of the same width."""


def open_closed_streams() -> None:
    """Give the process those standard streams that its caller has closed (`>&-`), empty ones.

    Python has None for each of them, and the next file that is opened would have its descriptor.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - as long as the process
            os.set_inheritable(stream.fileno(), True)  # noqa: FBT003 - as the interpreter's own
            setattr(sys, name, stream)


def prepare_output() -> None:
    """Write UTF-8 to files and pipes; at a terminal, replace what it cannot show."""
    codecs.register_error(_SAME_WIDTH, _replace_in_same_width)
    for stream in (sys.stdout, sys.stderr):
        out: object = stream
        if not isinstance(out, io.TextIOWrapper):
            continue
        if out.isatty():
            out.reconfigure(encoding="ascii" if _wants_ascii() else None, errors=_SAME_WIDTH)
        elif stream is sys.stdout:
            out.reconfigure(encoding="utf-8")


_SAME_WIDTH: Final = "geekai_same_width"


def _wants_ascii() -> bool:
    """Whether a person has chosen the C locale, in which Python would write UTF-8 all the same.

    Where none is set, as in many containers, the terminal is taken for one of UTF-8 as Python does.
    """
    environ = os.environ
    if sys.platform == "win32" or not {"PYTHONIOENCODING", "PYTHONUTF8"}.isdisjoint(environ):
        return False
    coerced = sys.flags.utf8_mode and environ.get("LC_CTYPE") in _COERCED
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    chosen = next(filter(None, map(environ.get, names)), None)
    return chosen in {"C", "POSIX"}


def _replace_in_same_width(error: UnicodeError) -> tuple[str, int]:
    """For what a terminal cannot show, as many question marks as it is wide: columns stay."""
    from geekai_video_mcp.cli.table import display_width

    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(each) or "?" * display_width(each) for each in text), error.end


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
    """After an error of it: else the interpreter reports it again when it flushes at exit."""
    _redirect_to_null(sys.stdout.fileno())


def drop_unread_errors() -> None:
    """The same for stderr, if its reader is gone: it must not change the exit status."""
    try:
        sys.stderr.flush()
    except OSError:
        _redirect_to_null(sys.stderr.fileno())


def is_broken_pipe(exc: BaseException) -> bool:
    """Whether it says nothing but that the reader of the output is gone."""
    if isinstance(exc, BaseExceptionGroup):
        return all(map(is_broken_pipe, cast("BaseExceptionGroup[BaseException]", exc).exceptions))
    return isinstance(exc, BrokenPipeError)


def print_line(line: str) -> None:
    print_lines([line])


def print_lines(lines: Iterable[str]) -> None:
    write_output("".join(f"{line}\n" for line in lines))


def write_output(text: str) -> None:
    """Write *text* to stdout, and whatever waits there.

    Raises:
        BrokenPipeError: nobody reads it any more.
        SystemExit: it could not be written, which was said.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:  # of a file that stdout is, on a disk that is full
        from geekai_video_mcp.errors import describe_os_error

        drop_output()
        print_notice(f"The output could not be written: {describe_os_error(exc)}.")
        raise SystemExit(FAILED) from exc


def json_line(value: object) -> str:
    """*value* as JSON in one line: a terminal executes nothing of it, and nothing is lost."""
    import json

    from geekai_video_mcp.quoting import reveal

    shows_all = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    return reveal(json.dumps(value, ensure_ascii=not shows_all))


NoticeLevel = Literal["INFO", "ERROR"]
notice_formats: Final[list[Callable[[str, NoticeLevel], str]]] = []
"""What a notice is formatted with, if it is a part of a log that a program reads."""


def print_notice(line: str, level: NoticeLevel = "INFO") -> None:
    """Print *line* to stderr; its *level* is of a log in JSON alone."""
    for format_notice in notice_formats[-1:]:
        line = format_notice(line, level)
    print_notice_line(line)


def print_notice_line(line: str) -> None:
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:  # nobody reads it, which must not end what the command does
        _redirect_to_null(sys.stderr.fileno())


def _redirect_to_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
