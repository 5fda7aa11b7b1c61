"""Durable file writes, and a file lock that the system releases with its process.

Everything here may block; the event loop calls it through `run_in_thread`.
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
    """Run *work* on a worker thread, with a cancellation point before and after it.

    A cancelled caller waits for the thread, so work that was started is finished. The two
    checkpoints let a test cancel a caller just before a side effect, and just after one
    whose result it then never reads.
    """
    await checkpoint()
    result = await anyio.to_thread.run_sync(work, *args)
    await checkpoint()
    return result


def write_durably(path: Path, content: bytes) -> None:
    """Replace *path* by *content* atomically; the new content survives a power failure."""
    part = path.with_name(f".{path.name}.part")
    _write_file(part, content, durable=True)
    part.replace(path)
    sync_folder(path.parent)


def write_best_effort(path: Path, content: bytes) -> None:
    """Replace *path* by *content* atomically; a power failure may lose it."""
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
    """Truncate *path* and open it for writing, accessible to its owner only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb")


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable. Windows has no such call and does not need one."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class FileLock:
    """An exclusive lock on a file, released by the system when its holders have exited.

    It uses no process ids and no clocks: the lock is held exactly as long as a process has
    the descriptor open. On POSIX a child that inherited `descriptor` is a holder too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def descriptor(self) -> int | None:
        return self._fd

    def try_acquire(self) -> bool:
        """Take the lock if it is free; return whether it was."""
        return self._open_and_lock(blocking=False)

    def acquire(self) -> None:
        """Wait for the lock and take it. Only for locks that are held for milliseconds."""
        self._open_and_lock(blocking=True)

    def release(self) -> None:
        # Close and do not unlock: an explicit unlock would also release it for a child
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
    """Hold the lock on *path*, for a few milliseconds of work."""
    lock = FileLock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def ensure_private_folder(folder: Path) -> None:
    """Create *folder* if it is missing, and restrict it to its owner."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    # mkdir does not change the mode of a folder that already exists.
    with suppress(PermissionError):
        folder.chmod(PRIVATE_FOLDER)
