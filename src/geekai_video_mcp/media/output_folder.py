"""The output folder, tried before a request is paid: can a result be written there?

The answer only advises. The folder may change until the result is there, and the download handles
every failure itself. The file that is written has the name of a part file, so one that a crash
leaves is removed with them.

Everything here blocks; call it on a worker thread.
"""

import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Final

from geekai_video_mcp.errors import (
    StorageUnavailable,
    describe_os_error,
)
from geekai_video_mcp.quoting import quote

VARIABLE: Final = "GEEKAI_OUTPUT_DIR"
RESERVED_BYTES: Final = 256 * 1024**2
"""Bytes that a download leaves free on its disk, for the ledger and everything else."""
RESULT_BYTES: Final = 64 * 1024**2
"""Bytes of room for one result: ten seconds of 4K at 50 Mbit/s."""

_PROBE: Final = bytes(4096)
"""One block of a disk: an empty file needs no room, and would not show a full quota."""
_CREATE_FLAGS: Final[int] = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def check_output_folder(folder: Path) -> None:
    """Create the folder if necessary, and write a small file that is removed at once.

    Raises:
        StorageUnavailable: it cannot hold a result; names the path, the variable and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_probe(folder / f".{secrets.token_hex(16)}.part")
        free = shutil.disk_usage(folder).free
    except OSError as exc:
        remedy = (
            f"The operator repairs the folder, or sets {VARIABLE} to another folder and restarts"
            " this server."
        )
        raise _unusable(folder, describe_os_error(exc), remedy) from exc
    if free < RESERVED_BYTES + RESULT_BYTES:
        needed = (RESERVED_BYTES + RESULT_BYTES) / 1e6
        reason = f"its disk has {free / 1e6:.0f} MB free, and a result needs {needed:.0f} MB"
        remedy = (
            f"Free disk space, or set {VARIABLE} to another folder and restart this server; then"
            " try again."
        )
        raise _unusable(folder, reason, remedy)


def describe_output_folder(folder: Path) -> str:
    """The output folder in a message: its path and its variable."""
    return f"The output folder {quote(str(folder))} ({VARIABLE})"


def write_probe(path: Path) -> None:
    """Write a small file at *path*, and remove it."""
    descriptor = os.open(path, _CREATE_FLAGS, 0o600)
    try:
        if sys.platform != "win32":  # there an open file cannot be removed
            path.unlink()
        remaining = memoryview(_PROBE)
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _unusable(folder: Path, reason: str, remedy: str) -> StorageUnavailable:
    return StorageUnavailable(describe_output_folder(folder), reason, remedy=remedy)
