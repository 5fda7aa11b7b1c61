"""The folder a render writes in: files appear whole or not at all, and none is left half made.

One lock guards every temporary, so that whoever notices that the parent is gone can
remove them all and end the process with nothing being created in between.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Final, NoReturn

EXIT_PARENT_GONE: Final = 75
"""Exit status: EX_TEMPFAIL of sysexits.h. The plan was good and may be rendered again."""


class Workspace:
    """Temporary names in *folder*, and their publication."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: set[Path] = set()
        # Reentrant: a signal's handler runs in the thread that may be publishing.
        self._lock = threading.RLock()

    def create_part(self, name: str) -> Path:
        """Return the temporary path under which *name* may be written."""
        with self._lock:
            part = self._part_path(name)
            self._parts.add(part)
            part.touch()
            return part

    def publish_part(self, name: str) -> None:
        """Make the temporary of *name* durable, then visible."""
        with self._lock:
            part = self._part_path(name)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(self.folder / name)
            self._parts.discard(part)

    def write_file(self, name: str, content: bytes) -> None:
        """Write a small file at once."""
        with self._lock:
            self.create_part(name).write_bytes(content)
            self.publish_part(name)

    def remove_parts(self) -> None:
        """Remove what was begun and not finished."""
        with self._lock:
            for part in self._parts:
                # On Windows an open file cannot be removed; the service sweeps the folder later.
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
            self._parts.clear()

    def exit(self) -> NoReturn:
        """Remove the temporaries and end the process now, whatever its other threads do."""
        with self._lock:
            self.remove_parts()
            # Not sys.exit: it would wait for a codec that no one wants to hear from any more.
            os._exit(EXIT_PARENT_GONE)

    def _part_path(self, name: str) -> Path:
        return self.folder / f".{name}.part"
