"""A command at a terminal of its own: what a person would see."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

from support.process import MODULE, environment

LOCALE = ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONUTF8", "PYTHONIOENCODING")


def run_in_terminal(
    folder: Path,
    *command: str,
    columns: int = 80,
    typed: str = "",
    settings: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Run a command at a terminal of so many columns, with *typed* as what a person types.

    Of the locale it has what *settings* say alone. Returns (exit status, what it showed).
    """
    env = {n: v for n, v in environment(folder).items() if n not in {*LOCALE, "COLUMNS", "LINES"}}
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen(  # noqa: S603 - our own program
            [*MODULE, *command],
            env={**env, "TERM": "xterm-256color", **(settings or {})},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            os.write(ours, typed.encode())
            shown = b""
            with contextlib.suppress(OSError):  # Linux's way to say that nobody writes any more
                while chunk := os.read(ours, 65536):
                    shown += chunk
            return process.wait(timeout=30), shown.replace(b"\r\n", b"\n")
    finally:
        os.close(ours)
