"""OS file locks, which the system frees when their process ends, however it ends."""

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_TAKEN: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
"""The errors by which the systems report that another process holds the lock."""

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    @contextmanager
    def exclusive_lock(descriptor: int) -> Generator[None]:
        """Hold the lock of the file, after waiting for it; Windows gives up after ten seconds."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @contextmanager
    def exclusive_lock(descriptor: int) -> Generator[None]:
        """Hold the lock of the file, after waiting for it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def try_lock(descriptor: int) -> bool:
    """Lock an open file for as long as it is open; False if another process holds the lock.

    Raises:
        OSError: the file system supports no locks.
    """
    try:
        _lock(descriptor)
    except OSError as exc:
        if exc.errno in _TAKEN:
            return False
        raise
    return True
