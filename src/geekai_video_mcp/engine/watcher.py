"""From an accepted task to a file on disk: one watcher per task, in all processes together.

A poll is free and harmless, so losing the lease that keeps watchers apart does no damage. A
poll or a download that fails changes nothing except the time of the next attempt. Every poll
takes a token from the budget that all processes share.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import anyio

from geekai_video_mcp.domain.leases import LEASE_SECONDS
from geekai_video_mcp.domain.lifecycle import (
    advance,
    needs_watching,
    poll_due,
)
from geekai_video_mcp.domain.obstacles import (
    UNANSWERED,
    end_stall,
    record_missed_poll,
    record_stall,
)
from geekai_video_mcp.domain.result_file import has_no_link, keep_copy, record_file, reopen_file
from geekai_video_mcp.domain.retries import (
    LASTING,
    PASSING,
    UNTIL_LOST,
    Obstacle,
    download_retry_delay,
)
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Media,
    Task,
)
from geekai_video_mcp.engine.context import OTHER_ACCOUNT, EngineContext
from geekai_video_mcp.engine.exceptions import describe_exception, log_exception
from geekai_video_mcp.errors import (
    DownloadFailed,
    GeekAIVideoError,
    InvalidDecision,
    NotAuthorised,
    ServiceUnavailable,
    StorageUnavailable,
    TaskNotFound,
    WrongService,
)
from geekai_video_mcp.quoting import as_sentence

logger = logging.getLogger(__name__)

POLL_RETRY_DELAY: Final = 10.0
"""Seconds until the next poll after one without an answer, unless the service asks for more."""

CRASHES_UNTIL_STALLED: Final = 3
"""Exceptions in a row until a task is shown as stalled: a busy disk may cause one."""

MAX_CRASH_DELAY: Final = 300.0
"""Seconds after which a watch that has ended with an exception is begun again, at the latest."""

MAX_QUEUE_WAIT: Final = 1.0
"""Seconds to wait in the queue for a token, twice the time in which one is refilled. A longer
pause is waited out outside the queue, so that the lease of each task is renewed meanwhile."""


class Watcher:
    """Polls and downloads the tasks of this process."""

    def __init__(self, context: EngineContext, *, start: Callable[..., None]) -> None:
        self._context = context
        self._start = start
        self._watched: set[str] = set()
        self._crash_counts = Counter[str]()
        """How often in a row the watch of a task has ended with an exception."""
        self._obstacles = Counter[tuple[str, str]]()
        """How often the download of a task has met each obstacle."""
        # First come, first served; and one caller is enough to learn when there is a token.
        self._queue = anyio.Lock()

    def watch(self, task_id: str, *, leased: Task | None = None) -> None:
        """Watch the task in the background until it settles, unless this process already does.

        *leased* is the task as it was just recorded, with the lease if that was to be had.
        """
        if task_id not in self._watched:
            self._watched.add(task_id)
            held = leased if leased is not None and self._context.has_lease(leased) else None
            self._start(self._watch_task, task_id, held)

    async def _watch_task(self, task_id: str, leased: Task | None) -> None:
        """Follow the task until it settles; an exception is no reason to stop, only to wait."""
        try:
            while True:
                try:
                    return await self._follow_task(task_id, leased)
                except Exception as exc:  # noqa: BLE001 - the task was paid for, whatever fails here
                    leased = None
                    await self._record_crash(task_id, exc)
        finally:
            self._watched.discard(task_id)
            self._crash_counts.pop(task_id, None)
            for met in [met for met in self._obstacles if met[0] == task_id]:
                del self._obstacles[met]

    async def _follow_task(self, task_id: str, leased: Task | None) -> None:
        while (task := leased or await self._acquire_lease(task_id)) is not None:
            leased = None
            if task.status is Status.SUCCEED:
                await self._fetch_file(task)
            elif not poll_due(task, at=self._context.clock()):
                ahead = (task.next_poll_at or 0.0) - self._context.clock()
                await anyio.sleep(min(max(ahead, 0.0), LEASE_SECONDS / 2))
                continue
            elif wait := await self._wait_for_token():
                await anyio.sleep(min(wait, LEASE_SECONDS / 2))
                continue
            else:
                await self._poll(task)
            await self._end_stall(task)

    async def _end_stall(self, task: Task) -> None:
        """Forget the exceptions of earlier rounds: this one has worked."""
        self._context.stalls.pop(task.id, None)
        stalled = self._crash_counts.pop(task.id, 0) >= CRASHES_UNTIL_STALLED
        if stalled and task.status is Status.SUCCEED:  # a poll itself ends the stall of others
            await self._context.change(task.id, end_stall)

    async def _record_crash(self, task_id: str, exc: Exception) -> None:
        """Wait after an exception; after some in a row, show the task as stalled.

        The reason names the exception's class and place: its text may hold a prompt or a link.
        """
        self._crash_counts[task_id] += 1
        count = self._crash_counts[task_id]
        log_exception(self._watch_task, exc)
        if count >= CRASHES_UNTIL_STALLED:
            what = exc.message if isinstance(exc, GeekAIVideoError) else describe_exception(exc)
            reason = f"This server could not follow it, {count} times in a row: {as_sentence(what)}"
            stall = partial(record_stall, at=self._context.clock(), reason=reason)
            try:
                await self._context.change(task_id, stall)
            except StorageUnavailable:  # it may be what fails, so memory has to do
                self._context.stalls.setdefault(task_id, stall)
                self._context.signals.notify(task_id)
        await anyio.sleep(min(download_retry_delay(count), MAX_CRASH_DELAY))

    async def _acquire_lease(self, task_id: str) -> Task | None:
        """The task if this process watches it from now on; None if it must not or need not."""
        try:
            task = await self._context.ledger.change(task_id, self._context.take_lease)
        except KeyError:  # a duplicate, or a request that was refused, is not recorded
            return None
        return task if self._context.has_lease(task) else None

    async def _wait_for_token(self) -> float:
        """Wait for a token to poll; return 0.0 with it, or the seconds after which to ask again."""
        async with self._queue:
            while True:
                wait = await self._context.acquire_request_slot()
                if not 0 < wait <= MAX_QUEUE_WAIT:
                    return wait
                await anyio.sleep(wait)

    async def _poll(self, task: Task) -> None:
        try:
            observation = await self._context.poll(task.media, str(task.provider_task_id))
        except ServiceUnavailable as exc:
            delay = max(POLL_RETRY_DELAY, exc.retry_after_seconds or 0.0)
            answered = exc.raw_response is not None
            reason = exc.reason if answered else f"{UNANSWERED}: {exc.reason}"
            await self._record_missed_poll(task, delay, reason, exc, unusable=answered)
        except TaskNotFound as exc:
            reason = f"{self._context.service} answered that it knows no such task (HTTP 404)"
            await self._record_missed_poll(task, POLL_RETRY_DELAY * 3, reason, exc, not_found=True)
        except GeekAIVideoError as exc:
            # The key was changed, or the service lost the task: it may still be running.
            logger.warning("polling task %s was refused: %s", task.id, type(exc).__name__)
            await self._record_missed_poll(task, POLL_RETRY_DELAY * 3, exc.message, exc)
        else:
            await self._context.change(task.id, lambda task: advance(task, observation))

    async def _record_missed_poll(
        self,
        task: Task,
        delay: float,
        reason: str,
        exc: GeekAIVideoError,
        *,
        not_found: bool = False,
        unusable: bool = False,
    ) -> None:
        missed = partial(
            record_missed_poll,
            at=self._context.clock(),
            delay=delay,
            reason=as_sentence(reason),
            raw_response=exc.raw_response,
            not_found=not_found,
            unusable=unusable,
        )
        await self._context.change(task.id, missed)

    async def fetch_again(self, task_id: str) -> Task:
        """Download a finished task's result once more, whatever became of it before.

        Raises:
            InvalidDecision: it is not finished, or another process is downloading it.
        """
        before = await self._context.require_task(task_id)
        task = await self._context.change(task_id, self._reopen_and_lease)
        update = await self._download_with_lease(task)
        if update.status is FileStatus.NONE:  # there is no other attempt that could end otherwise
            lost = FileStatus.LOST if before.file_status is FileStatus.LOST else FileStatus.LINKED
            update = replace(update, status=lost)
        if has_no_link(before) and update.status is FileStatus.LOST:
            update = replace(update, error=before.file_error, error_code=before.file_error_code)
        return await self._context.change(
            task_id, lambda task: keep_copy(record_file(task, update), before)
        )

    def _reopen_and_lease(self, task: Task) -> Task:
        """The task with its file to be downloaded again, leased to this process."""
        if task.media is Media.FILM:
            msg = "A film has nothing to download; join_videos with the same parts makes it again"
            raise InvalidDecision(msg)
        if task.account != self._context.account:
            raise InvalidDecision(OTHER_ACCOUNT)
        if task.status is not Status.SUCCEED:
            msg = f"The task is {task.status.value}; only a finished one has a file to fetch"
            raise InvalidDecision(msg)
        if task.settled:  # whoever holds its lease still has nothing more to do
            task = replace(reopen_file(task), lease_holder=None)
        leased = self._context.take_lease(task)
        if leased.lease_holder != self._context.processes.own_id:
            msg = "A server is downloading it now"
            raise InvalidDecision(msg)
        return leased

    async def _fetch_file(self, task: Task) -> None:
        update = await self._download_with_lease(task)
        task = await self._context.change(task.id, lambda task: record_file(task, update))
        if needs_watching(task):
            await anyio.sleep(download_retry_delay(task.failed_downloads))

    async def _download_with_lease(self, task: Task) -> FileUpdate:
        update = FileUpdate(status=FileStatus.NONE)
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_lease, task.id)
            update = await self._download(task)
            group.cancel_scope.cancel()
        return update

    async def _keep_lease(self, task_id: str) -> None:
        """Renew the lease during a download, or another watcher would publish a second copy."""
        while True:
            await anyio.sleep(LEASE_SECONDS / 2)
            await self._acquire_lease(task_id)

    async def _download(self, task: Task) -> FileUpdate:
        """Try once; the update says `lost` or `linked` only after enough attempts."""
        try:
            update = await self._try_download(task)
        except DownloadFailed as exc:
            return self._update_after_obstacle(task, exc)
        except GeekAIVideoError as exc:
            reason = exc.reason if isinstance(exc, ServiceUnavailable) else exc.message
            unreachable = DownloadFailed(reason, code=Obstacle.UNREACHABLE, attempts=PASSING)
            return self._update_after_obstacle(task, unreachable)
        except Exception as exc:  # noqa: BLE001 - a bug here must not keep the user from the link
            log_exception(self._download, exc)
            msg = f"This server failed while it downloaded it ({describe_exception(exc)})"
            return self._update_after_obstacle(
                task, DownloadFailed(msg, code=Obstacle.INTERNAL, attempts=LASTING)
            )
        if (
            update.status is FileStatus.LOST
            and self._count_obstacle(task, update.error_code) < UNTIL_LOST
        ):
            return replace(update, status=task.file_status)
        return update

    async def _try_download(self, task: Task) -> FileUpdate:
        downloader = (await self._context.connections()).downloader
        update = await downloader.download(task)
        if update.status is not FileStatus.LOST:
            return update
        try:
            refreshed = await self._refresh_link(task)
        except ServiceUnavailable as exc:
            raise DownloadFailed(exc.reason, code=Obstacle.NO_NEW_LINK, attempts=PASSING) from exc
        return await downloader.download(refreshed)

    def _update_after_obstacle(self, task: Task, obstacle: DownloadFailed) -> FileUpdate:
        met, status = self._count_obstacle(task, obstacle.code), task.file_status
        if met >= obstacle.attempts or task.failed_downloads + 1 >= PASSING:
            status = FileStatus.LINKED
        return FileUpdate(status=status, error=obstacle.reason, error_code=obstacle.code)

    def _count_obstacle(self, task: Task, code: str | None) -> int:
        """How often the download has met this obstacle now: others do not count towards it."""
        self._obstacles[task.id, str(code)] += 1
        return self._obstacles[task.id, str(code)]

    async def _refresh_link(self, task: Task) -> Task:
        """Ask the service for a new download link, because the old one is dead."""
        client = (await self._context.connections()).client
        try:
            observation = await client.get_task(task.media, str(task.provider_task_id))
        except TaskNotFound:
            return task
        except ServiceUnavailable:
            raise
        except (NotAuthorised, WrongService) as exc:
            # The message of the error is about the poll, which is free; this video was paid for.
            service = self._context.service
            reason = f"Its link has expired, and {service} gave no new one ({exc.code})"
            raise ServiceUnavailable(reason) from exc
        return await self._context.change(task.id, lambda task: advance(task, observation))
