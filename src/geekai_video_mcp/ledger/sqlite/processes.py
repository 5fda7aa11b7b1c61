"""Which processes are alive: each holds an OS file lock while it runs.

The system frees a lock when its process ends, however it ends. So a lock that can be acquired
means that its process has ended; neither a clock nor a PID, which may be reused, is involved.
"""

import logging
import os
import secrets
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import anyio

from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.file_locks import try_lock
from geekai_video_mcp.ledger.sqlite.database_file import VARIABLE, create_folder, folder_error
from geekai_video_mcp.quoting import quote

logger = logging.getLogger(__name__)

_FOLDER: Final = "procs"
UNNAMED_LOCK_TTL: Final = 3600.0
"""Seconds after which an unnamed lock file is removed: naming one takes milliseconds."""
RECREATION_TIME: Final = 30.0
"""Seconds in which every server has created a removed lock file again: three of its sweeps."""


class ProcessRegistry:
    """The lock of this process, and those of all others, in one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._folder = state_dir / _FOLDER
        self.own_id: Final = secrets.token_hex(16)
        create_folder(state_dir)
        self._descriptor = self._create_lock()
        self._recreated_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._descriptor)  # first, for Windows removes no open file
        with suppress(OSError):  # the folder may be gone; a stale file is removed by the next sweep
            self._lock_path(self.own_id).unlink()

    def ensure_own_lock(self) -> None:
        """Create the lock file of this process again if somebody has removed it.

        Without it the other processes take this one for dead, and take over its tasks.

        Raises:
            StorageUnavailable: it is gone and cannot be created.
        """
        path = self._lock_path(self.own_id)
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(self._descriptor)):
                return
        before = self._descriptor
        self._descriptor = self._create_lock()
        self._recreated_at = time.monotonic()
        os.close(before)
        logger.warning("the lock file of this process was removed: %s", quote(str(path)))

    def _in_doubt(self) -> bool:
        """Whether a missing lock file may be that of a live process."""
        if time.monotonic() - self._recreated_at < RECREATION_TIME:
            return True
        return not self._lock_path(self.own_id).exists()

    def _create_lock(self) -> int:
        final = self._lock_path(self.own_id)
        # Locked before it is renamed, so that no process sees it unlocked while we run.
        # Windows renames no open file: there it is unlocked for an instant.
        temporary = final if sys.platform == "win32" else final.with_suffix(".new")
        descriptor: int | None = None
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try_lock(descriptor)
            if temporary != final:
                temporary.rename(final)
        except OSError as exc:
            if descriptor is not None:
                os.close(descriptor)
            what = f"The folder {quote(str(self._folder))} in the state folder ({VARIABLE})"
            raise folder_error(self._state_dir, exc, what=what) from exc
        return descriptor

    def is_alive(self, process_id: str) -> bool:
        """Whether the process with this id still runs. One without a lock file has ended.

        Unless all lock files were removed: work must not be taken over on a doubt.
        """
        if process_id == self.own_id:
            return True
        try:
            descriptor = os.open(self._lock_path(process_id), os.O_RDWR)
        except FileNotFoundError:
            return self._in_doubt()
        except OSError:
            # For example, no descriptors are left. Work must not be taken over on a doubt.
            return True
        try:
            return not try_lock(descriptor)
        except OSError:
            return True
        finally:
            os.close(descriptor)

    async def refresh(self, about: Iterable[str] = ()) -> None:
        """Remove the lock files of all processes that have ended; *about* changes nothing."""
        del about
        with suppress(StorageUnavailable):  # the next request is refused with the reason
            self.ensure_own_lock()
        for path in self._folder.glob("*.lock"):
            with suppress(OSError):  # a damaged folder must not stop the sweep of the tasks
                if not self.is_alive(path.stem):
                    path.unlink()
        # By age and not by lock: a file that was just created is not locked yet.
        for path in self._folder.glob("*.new"):
            with suppress(OSError):  # it was renamed meanwhile
                if time.time() - path.stat().st_mtime > UNNAMED_LOCK_TTL:
                    path.unlink()

    async def wait_for_end(self) -> None:
        """Never return: a lock file says nothing when it is unlocked."""
        await anyio.sleep_forever()

    def _lock_path(self, process_id: str) -> Path:
        return self._folder / f"{process_id}.lock"
