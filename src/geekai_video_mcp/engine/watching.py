"""From an accepted task to a file on disk: one watcher per task, in all processes together.

A look is free and harmless, so the lease that keeps watchers apart may be lost without
loss. A look or a download that fails changes nothing but when to try again. Every look is
taken from the budget that all processes share.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import anyio

from geekai_video_mcp.engine.means import EngineContext
from geekai_video_mcp.errors import (
    GeekAIVideoError,
    ServiceUnavailable,
    TaskNotFound,
)
from geekai_video_mcp.lifecycle import (
    LEASE_SECONDS,
    FileUpdate,
    Task,
    acquire_lease,
    advance,
    needs_watching,
    poll_due,
    record_file,
    record_missed_poll,
)
from geekai_video_mcp.retries import DOWNLOAD_RETRY_DELAYS, download_retry_delay
from geekai_video_mcp.statuses import FileStatus, Status

logger = logging.getLogger(__name__)

POLL_RETRY_DELAY: Final = 10.0
"""Seconds until the next look after one that was not answered, unless the service says."""

MAX_QUEUE_WAIT: Final = 1.0
"""Seconds to wait in line for a token, twice what one takes to come. A block is waited out
beside the line, so that each task's lease is renewed meanwhile."""


class Watcher:
    """Watches tasks for this process."""

    def __init__(self, context: EngineContext, *, start: Callable[..., None]) -> None:
        self._context = context
        self._start = start
        self._watched: set[str] = set()
        self._dead_link_counts = Counter[str]()
        """How often a task's link was found dead, the fresh one included."""
        # In order of asking; and one in line for a token is enough to learn when there is one.
        self._queue = anyio.Lock()

    def watch(self, task_id: str) -> None:
        """Watch the task to its end in the background, unless this process already does."""
        if task_id not in self._watched:
            self._watched.add(task_id)
            self._start(self._watch_task, task_id)

    async def _watch_task(self, task_id: str) -> None:
        try:
            while (task := await self._acquire_lease(task_id)) is not None:
                if task.status is Status.SUCCEED:
                    await self._fetch_file(task)
                elif not poll_due(task, at=self._context.clock()):
                    ahead = (task.next_poll_at or 0.0) - self._context.clock()
                    await anyio.sleep(min(max(ahead, 0.0), LEASE_SECONDS / 2))
                elif held := await self._wait_for_token():
                    await anyio.sleep(min(held, LEASE_SECONDS / 2))
                else:
                    await self._poll(task)
        finally:
            self._watched.discard(task_id)
            self._dead_link_counts.pop(task_id, None)

    async def _acquire_lease(self, task_id: str) -> Task | None:
        """The task if this process watches it from now on; None if it must not or need not."""
        processes = self._context.processes

        def take_lease(task: Task) -> Task:
            if not needs_watching(task):
                return task
            holder = task.lease_holder
            gone = holder if holder is not None and not processes.is_alive(holder) else None
            # The time is read inside the transaction. Read before a wait for the ledger, it
            # would let a lease that was given meanwhile look as if a clock had been set back.
            return acquire_lease(
                task, holder=processes.own_id, at=self._context.clock(), dead_holder=gone
            )

        try:
            task = await self._context.ledger.change(task_id, take_lease)
        except KeyError:  # a duplicate, or a request that was refused, is not recorded
            return None
        return task if needs_watching(task) and task.lease_holder == processes.own_id else None

    async def _wait_for_token(self) -> float:
        """Wait in line for the right to look; 0.0 with it, or the seconds to come back after."""
        async with self._queue:
            while True:
                wait = await self._context.acquire_request_slot()
                if not 0 < wait <= MAX_QUEUE_WAIT:
                    return wait
                await anyio.sleep(wait)

    async def _poll(self, task: Task) -> None:
        try:
            seen = await self._context.poll(task.media, str(task.provider_task_id))
        except ServiceUnavailable as exc:
            delay = max(POLL_RETRY_DELAY, exc.retry_after_seconds or 0.0)
            await self._record_missed_poll(task, delay)
        except TaskNotFound:
            await self._record_missed_poll(task, POLL_RETRY_DELAY * 3, not_found=True)
        except GeekAIVideoError as exc:
            # A key that was changed or a service that forgot: the task may still be running.
            logger.warning("a look at task %s was refused: %s", task.id, type(exc).__name__)
            await self._record_missed_poll(task, POLL_RETRY_DELAY * 3)
        else:
            await self._context.change(task.id, lambda task: advance(task, seen))

    async def _record_missed_poll(
        self, task: Task, delay: float, *, not_found: bool = False
    ) -> None:
        missed = partial(
            record_missed_poll, at=self._context.clock(), delay=delay, not_found=not_found
        )
        await self._context.change(task.id, missed)

    async def _fetch_file(self, task: Task) -> None:
        fact = FileUpdate(status=FileStatus.NONE)
        async with anyio.create_task_group() as meanwhile:
            meanwhile.start_soon(self._keep_lease, task.id)
            fact = await self._download(task)
            meanwhile.cancel_scope.cancel()
        task = await self._context.change(task.id, lambda task: record_file(task, fact))
        if not task.settled:
            await anyio.sleep(download_retry_delay(task.failed_downloads))

    async def _keep_lease(self, task_id: str) -> None:
        """A download may outlast a lease, and another watcher would publish a second copy."""
        while True:
            await anyio.sleep(LEASE_SECONDS / 2)
            await self._acquire_lease(task_id)

    async def _download(self, task: Task) -> FileUpdate:
        try:
            fetcher = (await self._context.connections()).downloader
            fact = await fetcher.download(task)
            if fact.status is FileStatus.LOST:
                fact = await fetcher.download(await self._refresh_link(task))
            if fact.status is FileStatus.LOST and not self._count_dead_link(task.id):
                # A fresh file may need minutes to reach every edge of its host.
                fact = replace(fact, status=FileStatus.NONE)
        except ServiceUnavailable as exc:
            return FileUpdate(status=FileStatus.NONE, error=exc.reason)
        except GeekAIVideoError as exc:
            return FileUpdate(status=FileStatus.NONE, error=exc.message)
        return fact

    def _count_dead_link(self, task_id: str) -> bool:
        """Whether a dead link has been tried often enough; other failures do not count."""
        self._dead_link_counts[task_id] += 1
        return self._dead_link_counts[task_id] > len(DOWNLOAD_RETRY_DELAYS)

    async def _refresh_link(self, task: Task) -> Task:
        """The task with the link that the service gives now: the old one is dead."""
        service = (await self._context.connections()).client
        try:
            seen = await service.get_task(task.media, str(task.provider_task_id))
        except TaskNotFound:
            return task
        except ServiceUnavailable:
            raise
        except GeekAIVideoError as exc:
            # Its own words are about a request that costs nothing; this video was paid for.
            reason = f"Its link has expired, and GeekAI gave no new one ({type(exc).__name__})"
            raise ServiceUnavailable(reason) from exc
        return await self._context.change(task.id, lambda task: advance(task, seen))
