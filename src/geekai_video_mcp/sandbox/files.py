"""Files that outlive a crash, and a lock that does not outlive its process.

Everything here may block; the event loop reaches it through `run_in_thread`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, TypeVarTuple

import anyio.to_thread
from anyio.lowlevel import checkpoint

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600


async def run_in_thread(work: Callable[[*Ts], T], *args: *Ts) -> T:
    """Run *work* on a worker thread, with a point of cancellation on either side.

    A cancelled caller waits for the thread: work that was begun is done. The two
    checkpoints let a test see what happens when a caller vanishes just before a
    side effect, and just after one whose answer it will never read.
    """
    await checkpoint()
    result = await anyio.to_thread.run_sync(work, *args)
    await checkpoint()
    return result


def write_durably(path: Path, content: bytes) -> None:
    """Replace *path* by *content*, whole or not at all, even through a power cut."""
    part = path.with_name(f".{path.name}.part")
    _write_file(part, content, durable=True)
    part.replace(path)
    sync_folder(path.parent)


def write_best_effort(path: Path, content: bytes) -> None:
    """Replace *path* by *content*, whole or not at all; may be lost in a power cut."""
    part = path.with_name(f".{path.name}.part")
    _write_file(part, content, durable=False)
    part.replace(path)


def _write_file(path: Path, content: bytes, *, durable: bool) -> None:
    with open_private(path) as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def open_private(path: Path) -> BinaryIO:
    """Open *path* empty for writing, readable by its owner alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb")


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable. Windows has no such call, and needs none."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class FileLock:
    """An exclusive lock on a file, released by the system when its holders are gone.

    No process ids and no clocks: a lock is held exactly as long as somebody has
    the descriptor open. On POSIX a child that was given `descriptor` is a holder too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def descriptor(self) -> int | None:
        return self._fd

    def try_acquire(self) -> bool:
        """Take the lock if it is free; say whether it was."""
        return self._open_and_lock(blocking=False)

    def acquire(self) -> None:
        """Take the lock when it becomes free. Only for locks held for milliseconds."""
        self._open_and_lock(blocking=True)

    def release(self) -> None:
        # Closing, not unlocking: an explicit unlock would also take it from a child
        # that still holds the same open file.
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def _open_and_lock(self, *, blocking: bool) -> bool:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            _lock_descriptor(fd, blocking=blocking)
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True


if sys.platform == "win32":
    import msvcrt

    def _lock_descriptor(fd: int, *, blocking: bool) -> None:
        try:
            msvcrt.locking(fd, msvcrt.LK_LOCK if blocking else msvcrt.LK_NBLCK, 1)
        except PermissionError as exc:
            raise BlockingIOError from exc
else:
    import fcntl

    def _lock_descriptor(fd: int, *, blocking: bool) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock on *path* for a few milliseconds' work."""
    lock = FileLock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def ensure_private_folder(folder: Path) -> None:
    """Make *folder* if need be, and keep it to its owner."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    # mkdir's mode does not reach a folder that was there before.
    with suppress(PermissionError):
        folder.chmod(PRIVATE_FOLDER)
