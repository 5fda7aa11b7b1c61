"""Whether this process should be given requests: what `/ready` reports.

Anyone may ask, as often as they like, so that at most one check a second is made, and a disk that
does not respond holds up one thread and no more. The response names no path.
"""

import time
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from geekai_video_mcp.engine import Operations
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.media.output_folder import check_output_folder

CHECK_SECONDS: Final = 2.0
"""Seconds in which the task database has to have been written."""
CHECK_INTERVAL: Final = 1.0
"""Seconds for which the result of a check is every response."""
STOPPING: Final = "The server is stopping."
STARTING: Final = "The server is starting: the task database is not open yet."
LEDGER_SLOW: Final = f"The task database could not be written within {CHECK_SECONDS:.0f} seconds."
LEDGER_FAILED: Final = (
    "The task database cannot be written. geekai-video-mcp doctor, run on the server's machine,"
    " says why."
)
FOLDER_FAILED: Final = (
    "The output folder cannot be written, or its disk has no room for another result."
    " geekai-video-mcp doctor, run on the server's machine, says why."
)


class Readiness:
    """Checks what a request needs, and keeps the result for `CHECK_INTERVAL`.

    Without *output_dir* nothing is checked but the task database.
    """

    def __init__(self, operations: Operations, *, output_dir: Path | None) -> None:
        self._operations = operations
        self._output_dir = output_dir
        self._lock = anyio.Lock()
        self._checked_at = float("-inf")
        self._problem: str | None = None
        self._checking = False

    async def find_problem(self) -> str | None:
        """Why no request should come here now, as a sentence; None if they may."""
        if self._operations.drain.started:
            return STOPPING
        ledger = self._operations.ledger
        if ledger is None:
            return STARTING
        async with self._lock:
            if time.monotonic() - self._checked_at >= CHECK_INTERVAL:
                self._problem = await self._check(ledger)
                self._checked_at = time.monotonic()
            return self._problem

    async def _check(self, ledger: Ledger) -> str | None:
        if self._checking:  # the thread of an earlier check is still waiting for the disk
            return LEDGER_SLOW
        self._checking = True
        with anyio.move_on_after(CHECK_SECONDS + 0.5):
            check = partial(self._check_disks, ledger)
            return await anyio.to_thread.run_sync(check, abandon_on_cancel=True)
        return LEDGER_SLOW

    def _check_disks(self, ledger: Ledger) -> str | None:
        try:
            started = time.monotonic()
            try:
                if self._operations.processes is not None:
                    # Without it no paid request is sent, although the database may answer.
                    self._operations.processes.ensure_own_lock()
                ledger.check_writable(max_seconds=CHECK_SECONDS)
            except StorageUnavailable:
                took = time.monotonic() - started
                return LEDGER_SLOW if took >= CHECK_SECONDS / 2 else LEDGER_FAILED
            if self._output_dir is not None:
                try:
                    check_output_folder(self._output_dir)
                except StorageUnavailable:
                    return FOLDER_FAILED
            return None
        finally:
            self._checking = False
