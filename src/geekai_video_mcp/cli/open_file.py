"""Show a file in the program that the system opens such files with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from geekai_video_mcp.errors import describe_os_error

SETTLE_SECONDS: Final = 3.0
"""Seconds in which an opener that fails has ended; one that still runs has become the player."""


def open_file(path: Path) -> str | None:
    """Open the file, and go on without waiting for its program; returns the reason why not."""
    try:
        if sys.platform == "win32":
            os.startfile(path)  # noqa: S606 - the user's own choice of a program
            return None
        return _run_opener("open" if sys.platform == "darwin" else "xdg-open", path)
    except OSError as exc:
        return describe_os_error(exc)


def _run_opener(name: str, path: Path) -> str | None:
    program = shutil.which(name)
    if program is None:
        return f"{name} is not installed"
    if name == "xdg-open" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no desktop here (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    # Apart from this terminal: closing it, or Ctrl-C in it, leaves the player.
    process = subprocess.Popen(  # noqa: S603 - the system's own opener, and a path of ours
        [program, str(path.absolute())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = process.wait(SETTLE_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return f"{name} failed with status {status}" if status else None
