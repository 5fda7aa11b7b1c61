"""What kind of disk a folder is on, where the system says it: SQLite and locks need a local one.

A warning and never a refusal: some network disks keep their locks, and only their operator
knows.
"""

import logging
import re
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

MOUNTS: Final = Path("/proc/self/mountinfo")
"""Linux's table of mounts; other systems have none, and nothing is said there."""
REMOTE_FILESYSTEMS: Final = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|virtiofs|fuse(\..+)?|afs|ceph|lustre"
)
"""Kinds whose locks another machine, or a program of anyone's making, has to keep."""
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def warn_if_remote(folder: Path) -> None:
    """Say once, in the log, that *folder* is on a disk that may not keep its locks."""
    try:
        mounts = MOUNTS.read_text("utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = filesystem_of(folder.resolve(), mounts)
    if kind is not None and REMOTE_FILESYSTEMS.fullmatch(kind):
        logger.warning(
            "the state folder is on a %s file system, whose locks may fail: two servers could"
            " then pay for one request. Set GEEKAI_STATE_DIR to a folder on a local disk.",
            kind,
        )


def filesystem_of(folder: Path, mounts: str) -> str | None:
    """The file system of *folder*, an absolute path, by a table as `MOUNTS` is one.

    Of mounts on one point the last counts, for it hides the others.
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
"""Which field of a line is the mount point; proc(5)."""
