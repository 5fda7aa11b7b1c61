"""The file system of a folder, where the system reports it: SQLite and locks need a local one.

There is only a warning: the locks of some network file systems work, and only their operator
knows which.
"""

import logging
import re
from pathlib import Path
from typing import Final, NamedTuple

logger = logging.getLogger(__name__)

MOUNTS: Final = Path("/proc/self/mountinfo")
"""Linux's table of mounts; other systems have none, and are not checked."""
REMOTE_FILESYSTEMS: Final = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|virtiofs|fuse(\..+)?|afs|ceph|lustre"
)
"""File systems whose locks depend on another machine or on a user-space program."""
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def warn_if_remote(folder: Path) -> bool:
    """Log a warning if *folder* is on a file system whose locks may not work; whether it is."""
    kind = kind_of_filesystem(folder)
    if kind is None or not kind.remote:
        return False
    logger.warning(
        "the state folder is on a %s file system, whose locks may fail: two servers could"
        " then pay for one request. Set GEEKAI_STATE_DIR to a folder on a local disk.",
        kind.name,
    )
    return True


class FilesystemKind(NamedTuple):
    """What a file system is called, and whether its locks depend on more than this machine."""

    name: str
    remote: bool


def kind_of_filesystem(folder: Path) -> FilesystemKind | None:
    """The file system of *folder*; None where the system does not report it."""
    try:
        mounts = MOUNTS.read_text("utf-8", errors="surrogateescape")
    except OSError:
        return None
    name = filesystem_of(folder.resolve(), mounts)
    return FilesystemKind(name, bool(REMOTE_FILESYSTEMS.fullmatch(name))) if name else None


def filesystem_of(folder: Path, mounts: str) -> str | None:
    """The file system of *folder*, an absolute path, according to a table in the form of `MOUNTS`.

    Of several mounts on one mount point the last counts, because it hides the others.
    """
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        if len(fields) <= _POINT or not kind:
            continue
        point = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[_POINT]))
        if folder.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = (len(point.parts), kind)
    return found[1] if found else None


_POINT: Final = 4
"""The index of the mount point among the fields of a line; proc(5)."""
