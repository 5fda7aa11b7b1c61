"""Small files that hold secrets: only their user may read them, and they are never half written."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""The permissions of everyone but the owner."""


class PrivateFile(NamedTuple):
    content: bytes
    """At most one byte more than was asked for."""
    stat: os.stat_result


class UntrustedFile(Exception):
    """What is in the place of a private file cannot be trusted; `str()` of it says why."""


def read_private_file(path: Path, *, max_bytes: int) -> PrivateFile:
    """The file at *path*, if it is this user's own and nobody else may read or change it.

    Raises:
        UntrustedFile: it is something else.
        OSError: it cannot be read, or there is none.
    """
    if path.is_symlink():
        msg = "it is a symbolic link, which may lead to another user's file"
        raise UntrustedFile(msg)
    if path.is_dir():
        msg = "it is a folder"
        raise UntrustedFile(msg)
    # O_NONBLOCK: a named pipe in its place must not hold the server.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, os.O_RDONLY | flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            msg = "it is not a file"
            raise UntrustedFile(msg)
        if os.name == "posix" and found.st_uid != os.geteuid():
            msg = "it belongs to another user"
            raise UntrustedFile(msg)
        if os.name == "posix" and found.st_mode & OTHERS:
            msg = "its permissions let other users read or change it"
            raise UntrustedFile(msg)
        return PrivateFile(file.read(max_bytes + 1), found)


def write_private_file(path: Path, content: bytes) -> None:
    """Put *content* into place as a whole: a crash leaves no empty or readable file.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    # A name of its own: two processes that write at once must not share a part.
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
