"""The output folder of a render: files appear only when complete.

One lock protects all temporary files, so that the thread that exits the process can remove
them all without another thread creating a new one meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Final, NoReturn

EXIT_PARENT_GONE: Final = 75
"""Exit status: EX_TEMPFAIL of sysexits.h. The plan is valid and may be rendered again."""


class Workspace:
    """Writes files to *folder* under temporary names and renames them when complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: set[Path] = set()
        # Reentrant: a signal handler runs in a thread that may hold the lock.
        self._lock = threading.RLock()

    def create_part(self, name: str) -> Path:
        """Create and return the temporary path of *name*."""
        with self._lock:
            part = self._part_path(name)
            self._parts.add(part)
            part.touch()
            return part

    def publish_part(self, name: str) -> None:
        """Make the temporary file of *name* durable, then rename it to *name*."""
        with self._lock:
            part = self._part_path(name)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(self.folder / name)
            self._parts.discard(part)

    def write_file(self, name: str, content: bytes) -> None:
        """Write a whole file durably."""
        with self._lock:
            self.create_part(name).write_bytes(content)
            self.publish_part(name)

    def remove_parts(self) -> None:
        """Remove all temporary files."""
        with self._lock:
            for part in self._parts:
                # On Windows an open file cannot be removed; pruning the task removes it later.
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
            self._parts.clear()

    def exit(self) -> NoReturn:
        """Remove the temporary files and exit at once, without waiting for other threads."""
        with self._lock:
            self.remove_parts()
            # Not sys.exit, which would wait for the encoder's thread.
            os._exit(EXIT_PARENT_GONE)

    def _part_path(self, name: str) -> Path:
        return self.folder / f".{name}.part"
