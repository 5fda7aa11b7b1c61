"""Which processes are alive: each holds an OS file lock while it runs.

The system frees a lock when its process ends, however it ends. So a lock that can be acquired
means that its process has ended; neither a clock nor a PID, which may be reused, is involved.
"""

import os
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger.locks import try_lock

_FOLDER: Final = "procs"
UNNAMED_LOCK_TTL: Final = 3600.0
"""Seconds after which an unnamed lock file is removed: naming one takes milliseconds."""


class ProcessRegistry:
    """The lock of this process, and those of all others, in one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / _FOLDER
        self.own_id: Final = secrets.token_hex(16)
        try:
            for folder in (state_dir, self._folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Locked before it is renamed, so that no process sees it unlocked while we run.
            # Windows renames no open file: there it is unlocked for an instant.
            final = self._lock_path(self.own_id)
            temporary = final if sys.platform == "win32" else final.with_suffix(".new")
            self._descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try_lock(self._descriptor)
            if temporary != final:
                temporary.rename(final)
        except OSError as exc:
            raise StorageUnavailable("The state folder", exc.strerror or "unknown error") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._descriptor)  # first, for Windows removes no open file
        self._lock_path(self.own_id).unlink(missing_ok=True)

    def is_alive(self, process_id: str) -> bool:
        """Whether the process with this id still runs. One without a lock file has ended."""
        if process_id == self.own_id:
            return True
        try:
            descriptor = os.open(self._lock_path(process_id), os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError:
            # For example, no descriptors are left. Work must not be taken over on a doubt.
            return True
        try:
            return not try_lock(descriptor)
        except OSError:
            return True
        finally:
            os.close(descriptor)

    def remove_stale(self) -> None:
        """Remove the lock files of processes that have ended."""
        for path in self._folder.glob("*.lock"):
            if not self.is_alive(path.stem):
                path.unlink(missing_ok=True)
        # By age and not by lock: a file that was just created is not locked yet.
        for path in self._folder.glob("*.new"):
            with suppress(FileNotFoundError):  # it was renamed meanwhile
                if time.time() - path.stat().st_mtime > UNNAMED_LOCK_TTL:
                    path.unlink()

    def _lock_path(self, process_id: str) -> Path:
        return self._folder / f"{process_id}.lock"
