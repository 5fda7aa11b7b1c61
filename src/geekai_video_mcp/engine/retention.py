"""Delete the files of tasks that ended long ago, as GEEKAI_KEEP_DAYS says; their records stay.

Any number of processes may do this at once: a file is deleted first and recorded after that, so
that after a crash the next sweep records what it finds missing. If the ledger is of several
machines, what is missing here may be on another one, which then deletes and records it.
"""

import logging
from dataclasses import replace
from typing import Final

import anyio
import anyio.to_thread

from geekai_video_mcp.domain.spending import DAY
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.storage import Deleted, delete_file, is_in_use
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.engine.exceptions import log_exception
from geekai_video_mcp.engine.file_copies import FileCopies
from geekai_video_mcp.errors import GeekAIVideoError, TaskNotFound, describe_os_error

logger = logging.getLogger(__name__)

RETENTION_INTERVAL: Final = 3600.0
"""Seconds between two sweeps: a file that is kept for days may be kept an hour longer."""
BATCH: Final = 50
"""Tasks that are read in one transaction."""


class Retention:
    """Deletes the old files of one tenant."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._left = set[str]()
        """Tasks whose file is another than the recorded one: it is not read again every hour."""

    async def run(self) -> None:
        """Sweep every hour while the engine runs, if there is anything to delete by a rule."""
        keep_days, copies = self._context.keep_days, self._context.copies
        if keep_days is None and copies is None:
            return
        while True:
            try:
                if keep_days is not None:
                    await self._sweep(keep_days)
                if copies is not None:
                    await self._sweep_copies(copies, keep_days)
            except GeekAIVideoError as exc:  # the ledger is busy, or its disk fails
                logger.warning("old files were not deleted: %s", exc.message)
            except Exception as exc:  # noqa: BLE001 - the next sweep may succeed
                log_exception(self._sweep, exc)
            await anyio.sleep(RETENTION_INTERVAL)

    async def _sweep(self, keep_days: int) -> None:
        before, after = self._context.clock() - keep_days * DAY, (0.0, "")
        deleted = 0
        while tasks := await self._context.ledger.old_files(
            before=before, after=after, limit=BATCH
        ):
            unfinished = await self._context.ledger.all_unfinished()
            for task in tasks:
                if task.id not in self._left and not is_in_use(task, unfinished):
                    deleted += await self._delete(task, keep_days)
            after = (tasks[-1].ended_at or 0.0, tasks[-1].id)
        if deleted:
            logger.info(
                "deleted the files of %d tasks of %s that ended more than %d days ago",
                deleted,
                self._context.tenant,
                keep_days,
            )

    async def _delete(self, task: Task, keep_days: int) -> bool:
        """Whether the file was deleted now."""
        if (copies := self._context.copies) is not None:
            place, is_here = await anyio.to_thread.run_sync(copies.place_of_original, task)
            if not is_here and not self._is_old(task, keep_days + 1):
                return False  # the machine that has it deletes it
            task = replace(task, file_path=place)
        try:
            outcome = await anyio.to_thread.run_sync(self._context.delete_file, task)
        except OSError as exc:
            logger.warning(
                "the file of task %s could not be deleted: %s", task.id, describe_os_error(exc)
            )
            return False
        if outcome is Deleted.KEPT:
            self._left.add(task.id)
            logger.warning(
                "the file of task %s is not as it was stored, and is left where it is", task.id
            )
            return False
        deleted = outcome is Deleted.DELETED
        # Who of several machines has deleted it is not known.
        found = deleted or copies is not None
        await self._context.change(
            task.id, lambda task: delete_file(task, keep_days=keep_days, found=found)
        )
        return deleted

    async def _sweep_copies(self, copies: FileCopies, keep_days: int | None) -> None:
        """Delete the copies of files that are deleted themselves, or have to be."""
        for beginning in await anyio.to_thread.run_sync(copies.list_fetched):
            try:
                task = await self._context.ledger.find_by_any_id(beginning)
            except TaskNotFound:
                task = None
            kept = task is not None and task.file_status is FileStatus.STORED
            if task is not None and keep_days is not None:
                kept = kept and not self._is_old(task, keep_days)
            if not kept:
                await anyio.to_thread.run_sync(copies.discard_fetched, beginning)

    def _is_old(self, task: Task, days: int) -> bool:
        """Whether it ended more than *days* ago."""
        return (task.ended_at or 0.0) < self._context.clock() - days * DAY
