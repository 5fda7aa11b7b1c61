"""Read a small file that a person wrote: whatever is in its place is an error in words."""

import codecs
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from geekai_video_mcp.errors import describe_os_error

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class SmallFile(NamedTuple):
    text: str
    mode: int
    """Its permissions, as in `stat.st_mode`."""


def read_small_file(path: Path, *, max_bytes: int) -> SmallFile:
    """The text of a file in UTF-8, with or without a mark of the order of bytes.

    Raises:
        ValueError: why it cannot be read, in words that follow the name of the file.
        FileNotFoundError, NotADirectoryError: there is none.
    """
    content, mode = _read_bytes(path, max_bytes)
    if content.startswith(_UTF16) or b"\0" in content:
        msg = "is not in UTF-8, but probably in UTF-16; save it again with the encoding UTF-8"
        raise ValueError(msg)
    text = _decode(content.removeprefix(codecs.BOM_UTF8))
    if text is None:
        msg = "is not in UTF-8; save it again with the encoding UTF-8"
        raise ValueError(msg)
    return SmallFile(text, mode)


def _decode(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:  # which holds the whole content
        return None


def _read_bytes(path: Path, max_bytes: int) -> tuple[bytes, int]:
    try:
        if path.is_dir():
            msg = "is a folder and not a file"
            raise ValueError(msg)
        # O_NONBLOCK: a named pipe in its place must not hold the server.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                msg = "is not a file, but a pipe or a device"
                raise ValueError(msg)
            content = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as exc:
        msg = f"cannot be read: {describe_os_error(exc)}"
        raise ValueError(msg) from exc
    if len(content) > max_bytes:
        msg = f"has more than {max_bytes >> 10} kB, which is too large; is it another file?"
        raise ValueError(msg)
    return content, mode
