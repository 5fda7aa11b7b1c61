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

from geekai_video_mcp.engine.means import Means
from geekai_video_mcp.errors import (
    GeekAIVideoError,
    ServiceUnavailable,
    TaskNotFound,
)
from geekai_video_mcp.lifecycle import (
    DOWNLOAD_RETRY_DELAYS,
    LEASE_SECONDS,
    POLLED,
    FileStatus,
    FileUpdate,
    Status,
    Task,
    acquire_lease,
    advance,
    download_retry_delay,
    poll_due,
    record_file,
    record_missed_poll,
)

logger = logging.getLogger(__name__)

MISSED_LOOK: Final = 10.0
"""Seconds until the next look after one that was not answered, unless the service says."""

IN_LINE: Final = 1.0
"""Seconds to wait in line for a token, twice what one takes to come. A block is waited out
beside the line, so that each task's lease is renewed meanwhile."""


class Watching:
    """Watches tasks for this process."""

    def __init__(self, means: Means, *, start: Callable[..., None]) -> None:
        self._means = means
        self._start = start
        self._watched: set[str] = set()
        self._dead = Counter[str]()
        """How often a task's link was found dead, the fresh one included."""
        # In order of asking; and one in line for a token is enough to learn when there is one.
        self._line = anyio.Lock()

    def begin(self, task_id: str) -> None:
        """Watch the task to its end in the background, unless this process already does."""
        if task_id not in self._watched:
            self._watched.add(task_id)
            self._start(self._watch, task_id)

    async def _watch(self, task_id: str) -> None:
        try:
            while (task := await self._leased(task_id)) is not None:
                if task.status is Status.SUCCEED:
                    await self._fetch(task)
                elif not poll_due(task, at=self._means.clock()):
                    ahead = (task.next_poll_at or 0.0) - self._means.clock()
                    await anyio.sleep(min(max(ahead, 0.0), LEASE_SECONDS / 2))
                elif held := await self._turn():
                    await anyio.sleep(min(held, LEASE_SECONDS / 2))
                else:
                    await self._look(task)
        finally:
            self._watched.discard(task_id)
            self._dead.pop(task_id, None)

    async def _leased(self, task_id: str) -> Task | None:
        """The task, ours to watch now; None when another process does, or nobody needs to."""
        owners, clock = self._means.owners, self._means.clock
        task = await self._means.ledger.find(task_id)
        if task is None or task.settled or task.status not in POLLED | {Status.SUCCEED}:
            return None
        gone = (
            task.lease_holder
            if task.lease_holder and not owners.is_alive(task.lease_holder)
            else None
        )
        # The time is read in its turn at the ledger: by one that was read before a wait for
        # it, a lease given meanwhile would end too late to be true, and count for nothing.
        task = await self._means.ledger.change(
            task_id,
            lambda now: acquire_lease(now, holder=owners.own_id, at=clock(), dead_holder=gone),
        )
        return task if task.lease_holder == owners.own_id and not task.settled else None

    async def _turn(self) -> float:
        """Wait in line for the right to look; 0.0 with it, or the seconds to come back after."""
        async with self._line:
            while True:
                wait = await self._means.take()
                if not 0 < wait <= IN_LINE:
                    return wait
                await anyio.sleep(wait)

    async def _look(self, task: Task) -> None:
        try:
            seen = await self._means.look(task.media, str(task.provider_task_id))
        except ServiceUnavailable as exc:
            delay = max(MISSED_LOOK, exc.retry_after_seconds or 0.0)
            await self._missed(task, delay)
        except TaskNotFound:
            await self._missed(task, MISSED_LOOK * 3, forgotten=True)
        except GeekAIVideoError as exc:
            # A key that was changed or a service that forgot: the task may still be running.
            logger.warning("a look at task %s was refused: %s", task.id, type(exc).__name__)
            await self._missed(task, MISSED_LOOK * 3)
        else:
            await self._means.change(task.id, lambda now: advance(now, seen))

    async def _missed(self, task: Task, delay: float, *, forgotten: bool = False) -> None:
        missed = partial(
            record_missed_poll, at=self._means.clock(), delay=delay, not_found=forgotten
        )
        await self._means.change(task.id, missed)

    async def _fetch(self, task: Task) -> None:
        fact = FileUpdate(status=FileStatus.NONE)
        async with anyio.create_task_group() as meanwhile:
            meanwhile.start_soon(self._keep_lease, task.id)
            fact = await self._fetched(task)
            meanwhile.cancel_scope.cancel()
        task = await self._means.change(task.id, lambda now: record_file(now, fact))
        if not task.settled:
            await anyio.sleep(download_retry_delay(task.failed_downloads))

    async def _keep_lease(self, task_id: str) -> None:
        """A download may outlast a lease, and another watcher would publish a second copy."""
        while True:
            await anyio.sleep(LEASE_SECONDS / 2)
            await self._leased(task_id)

    async def _fetched(self, task: Task) -> FileUpdate:
        try:
            fetcher = (await self._means.outside()).fetcher
            fact = await fetcher.fetch(task)
            if fact.status is FileStatus.LOST:
                fact = await fetcher.fetch(await self._refreshed(task))
            if fact.status is FileStatus.LOST and not self._given_up(task.id):
                # A fresh file may need minutes to reach every edge of its host.
                fact = replace(fact, status=FileStatus.NONE)
        except ServiceUnavailable as exc:
            return FileUpdate(status=FileStatus.NONE, error=exc.reason)
        except GeekAIVideoError as exc:
            return FileUpdate(status=FileStatus.NONE, error=exc.message)
        return fact

    def _given_up(self, task_id: str) -> bool:
        """Whether a dead link has been tried often enough; other failures do not count."""
        self._dead[task_id] += 1
        return self._dead[task_id] > len(DOWNLOAD_RETRY_DELAYS)

    async def _refreshed(self, task: Task) -> Task:
        """The task with the link that the service gives now: the old one is dead."""
        service = (await self._means.outside()).service
        try:
            seen = await service.get(task.media, str(task.provider_task_id))
        except TaskNotFound:
            return task
        except ServiceUnavailable:
            raise
        except GeekAIVideoError as exc:
            # Its own words are about a request that costs nothing; this video was paid for.
            reason = f"Its link has expired, and GeekAI gave no new one ({type(exc).__name__})"
            raise ServiceUnavailable(reason) from exc
        return await self._means.change(task.id, lambda now: advance(now, seen))
