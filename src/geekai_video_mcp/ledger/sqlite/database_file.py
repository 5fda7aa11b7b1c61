"""The file of the task database: created whole, recognised, and still where it was opened.

SQLite takes an empty file for a new database, and would go on reading one whose name is gone.
Here a missing row can mean a second payment, so a new file gets its schema under another name
and appears complete or not at all. An empty file, or another program's, is never used.
"""

import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from geekai_video_mcp.errors import (
    DATABASE,
    StorageUnavailable,
    describe_os_error,
)
from geekai_video_mcp.quoting import quote

Access = Literal["opened", "read", "written"]
"""What was being done to the file when it failed."""

VARIABLE: Final = "GEEKAI_STATE_DIR"
"""The variable that sets the state folder."""
LEFTOVER_TTL: Final = 3600.0
"""Seconds after which an unfinished new file is removed: creating one takes milliseconds."""
MOVE_AWAY: Final = (
    "The operator stops every server that uses it, and restores it from a backup; or moves it"
    " away, and the next start creates a new one. The new one does not know the tasks that were"
    " paid for, and its caps count from zero."
)
"""The way out for a database that cannot be used as it is."""

_SUFFIX: Final = ".new"


def describe_state_folder(folder: Path) -> str:
    """The state folder in a message: its path and its variable."""
    return f"The state folder {quote(str(folder))} ({VARIABLE})"


def create_folder(folder: Path) -> None:
    """Create the state folder, private to the user, if it does not exist.

    Raises:
        StorageUnavailable: it cannot be created.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise folder_error(folder, exc, access="opened") from exc


def folder_error(
    folder: Path, exc: OSError, *, access: Access = "written", what: str | None = None
) -> StorageUnavailable:
    """The error for a state folder, or for *what* in it, that the operating system refuses."""
    return StorageUnavailable(
        what or describe_state_folder(folder),
        describe_os_error(exc),
        access=access,
        remedy=f"The operator repairs it, or sets {VARIABLE} to another folder, and starts this"
        " server again.",
    )


def create_if_missing(path: Path, fill: Callable[[Path], None]) -> None:
    """Create the database at *path* with *fill*, unless the name is taken.

    Several processes may do so at once: one of their files gets the name, complete and synced,
    and the others are removed. After a crash there is no file of that name, or a complete one.
    """
    _remove_leftovers(path)
    if os.path.lexists(path):
        return
    temporary = path.with_name(f"{path.name}-{secrets.token_hex(8)}{_SUFFIX}")
    try:
        # Created here with its mode, or SQLite would create it with the umask's.
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        fill(temporary)
        _sync_file(temporary, os.O_RDWR)
        _give_name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if sys.platform != "win32":
        _sync_file(path.parent, os.O_RDONLY)


def check_file(path: Path) -> None:
    """Refuse a name that leads to no usable database file.

    Raises:
        StorageUnavailable: it is empty, no regular file, or cannot be read and written.
    """
    try:
        status = path.stat()
    except OSError as exc:
        reason = describe_os_error(exc)
        if exc.errno == errno.ENOENT:
            reason = "it is a symbolic link to a file that does not exist"
        raise unusable_error(path, reason) from exc
    if stat.S_ISDIR(status.st_mode):
        raise unusable_error(path, "a folder is in its place")
    if not stat.S_ISREG(status.st_mode):
        raise unusable_error(path, "it is not a regular file")
    if status.st_size == 0:
        raise unusable_error(path, "it is empty, and this server never leaves an empty one")
    # Not by opening it: closing any descriptor of the file would end SQLite's locks on it.
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageUnavailable(
            DATABASE,
            f"this user has no permission for {quote(str(path))}",
            access="opened",
            remedy="The operator gives the user who runs this server the permission to read and"
            " write it, and starts this server again.",
        )


def unusable_error(path: Path, reason: str) -> StorageUnavailable:
    """The error for a file that can only be restored or moved away."""
    return StorageUnavailable(
        DATABASE, f"{quote(str(path))} cannot be used: {reason}", access="opened", remedy=MOVE_AWAY
    )


def exists(path: Path) -> bool:
    """Whether there is anything at *path*.

    Raises:
        StorageUnavailable: that cannot be found out, so it must not be taken for absent.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise folder_error(path.parent, exc, access="opened") from exc
    return True


class OpenedFile:
    """The file that was opened at a path, for comparison with what has the name later."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._name = os.fspath(path)
        self._identity = _identity(path.stat())

    def describe_change(self) -> str | None:
        """What has happened to the name since the file was opened; None if nothing has."""
        try:
            # Before every read, so without what `Path` adds.
            if _identity(os.stat(self._name)) == self._identity:  # noqa: PTH116
                return None
        except FileNotFoundError:
            return "it was deleted or moved while this server was running"
        except OSError as exc:
            return f"it cannot be reached any more: {describe_os_error(exc)}"
        return "it was replaced by another file while this server was running"

    def change_error(self, change: str, access: Access) -> StorageUnavailable:
        """The error for every use of the file until it is back."""
        return StorageUnavailable(
            DATABASE,
            f"{quote(str(self.path))} is not the file that was opened: {change}",
            access=access,
            remedy="The operator puts the file back, and this server goes on; or restarts this"
            " server, which then uses what it finds there. What GeekAI has accepted goes on at"
            " GeekAI meanwhile.",
        )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)


def _give_name(temporary: Path, path: Path) -> None:
    """Give the complete file its name, unless another process was faster."""
    with suppress(FileExistsError):
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, such as FAT
            if sys.platform == "win32" or not os.path.lexists(path):
                temporary.rename(path)


def _remove_leftovers(path: Path) -> None:
    """Remove the files of processes that died while they created the database."""
    with suppress(OSError):
        for leftover in path.parent.glob(f"{path.name}-*{_SUFFIX}"):
            if time.time() - leftover.lstat().st_mtime > LEFTOVER_TTL:
                leftover.unlink()


def _sync_file(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
