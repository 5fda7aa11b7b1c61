"""Files beside a result, which have its name: written whole, and never over somebody else's file.

Everything here blocks; call it on a worker thread.
"""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from geekai_video_mcp.domain.task_ids import short_id

_CREATE_FLAGS: Final[int] = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_KEY_DIGITS: Final = 32
"""Digits with which the name of a part begins; see `media.downloads.partial`."""


def write_side_file(path: Path, content: bytes, *, key: str, is_ours: Callable[[], bool]) -> bool:
    """Whether the file is now at *path*, whole; False if another file has this name.

    *key* is a task's id or the beginning of one, by which a part that a crash leaves is found.
    *is_ours* says whether the file that has the name may be replaced.

    Raises:
        OSError: it cannot be written.
    """
    # The name of a part file: one that a crash leaves is removed with those of the downloads.
    start = f"{key}{secrets.token_hex(_KEY_DIGITS // 2)}"[:_KEY_DIGITS]
    part = path.with_name(f".{start}-{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, _CREATE_FLAGS, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # after a power cut, what is incomplete would be nobody's
        if is_ours():
            part.replace(path)
            return True
        return _publish(part, path)
    finally:
        part.unlink(missing_ok=True)


def is_named_after(name: str, task_id: str) -> bool:
    """Whether *name* is that of a file of the task, by the digits of its id at the end.

    Only what the server's own names may have follows them: a number, and a part after a dot.
    """
    stem = name.partition(".")[0]
    return re.fullmatch(rf"(?:.*-)?{re.escape(short_id(task_id))}(?:-\d{{1,3}})?", stem) is not None


def _publish(part: Path, path: Path) -> bool:
    """Whether the new file has this name now, which no other file had."""
    try:
        os.link(part, path)  # it fails if the name exists; a rename would replace that file
    except FileExistsError:
        return False
    except OSError:
        # exFAT and some network shares have no links: reserve the name, then rename over it.
        try:
            os.close(os.open(path, _CREATE_FLAGS, 0o600))
        except FileExistsError:
            return False
        try:
            part.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return True
