"""Which processes are alive: an OS file lock each, held for life.

The system frees a lock when its process ends, however it ends. So a lock that can be
taken means a dead owner, with no clock to trust and no PID to be reused.
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
"""Seconds a lock may go without its name: a process needs milliseconds to give it one."""


class ProcessRegistry:
    """This process's lock, and a look at everyone else's, under one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / _FOLDER
        self.own_id: Final = secrets.token_hex(16)
        try:
            for folder in (state_dir, self._folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Locked before it has its name: nobody may ever see it unlocked while we live.
            # Windows renames no open file: there it is seen unlocked for an instant.
            named = self._lock_path(self.own_id)
            unborn = named if sys.platform == "win32" else named.with_suffix(".new")
            self._descriptor = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try_lock(self._descriptor)
            if unborn != named:
                unborn.rename(named)
        except OSError as exc:
            raise StorageUnavailable("The state folder", exc.strerror or "unknown error") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._descriptor)  # first: Windows removes no open file
        self._lock_path(self.own_id).unlink(missing_ok=True)

    def is_alive(self, owner: str) -> bool:
        """Whether the process of this name still runs. One without a file is gone."""
        if owner == self.own_id:
            return True
        try:
            descriptor = os.open(self._lock_path(owner), os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError:
            # Out of descriptors, say. What cannot be told must not end someone else's work.
            return True
        try:
            return not try_lock(descriptor)
        except OSError:
            return True
        finally:
            os.close(descriptor)

    def remove_stale(self) -> None:
        """Remove what dead processes left behind."""
        for path in self._folder.glob("*.lock"):
            if not self.is_alive(path.stem):
                path.unlink(missing_ok=True)
        # By age and not by lock: one that was just made is not locked yet.
        for path in self._folder.glob("*.new"):
            with suppress(FileNotFoundError):  # it has its name by now
                if time.time() - path.stat().st_mtime > UNNAMED_LOCK_TTL:
                    path.unlink()

    def _lock_path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"
