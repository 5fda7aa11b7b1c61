"""Files in a folder that other programs write as well: a regular one, and no link to another."""

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

_READ_FLAGS: Final[int] = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def open_regular_file(path: Path) -> BinaryIO:
    """Open the regular file at *path* without following a symbolic link.

    Raises:
        FileNotFoundError: there is none, or something else.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise FileNotFoundError(path)
    return os.fdopen(os.open(path, _READ_FLAGS), "rb")
