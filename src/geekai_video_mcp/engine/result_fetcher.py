"""From a finished task to a file on disk: one download at a time for each task.

The lease of the task is kept meanwhile, so that no other process publishes a second copy. A
download that fails changes nothing except the time of the next attempt, until it has failed often
enough for the task to be `linked` or `lost`.
"""

from collections import Counter
from dataclasses import replace

import anyio

from geekai_video_mcp.domain.leases import LEASE_SECONDS
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.result_file import has_no_link, keep_copy, record_file, reopen_file
from geekai_video_mcp.domain.retries import LASTING, PASSING, UNTIL_LOST, Obstacle
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
    TaskNotFound,
    WrongService,
)


class ResultFetcher:
    """Downloads the results of this process's tasks."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._obstacles: dict[str, Counter[str]] = {}
        """How often the download of each task has met each obstacle."""

    def forget_obstacles(self, task_id: str) -> None:
        """Begin to count anew, because the task is watched no longer."""
        self._obstacles.pop(task_id, None)

    async def fetch(self, task: Task) -> Task:
        """Download the result of a task that this process has leased; the task after that."""
        update = await self._download_with_lease(task)
        return await self._context.change(task.id, lambda task: record_file(task, update))

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

    async def _download_with_lease(self, task: Task) -> FileUpdate:
        update = FileUpdate(status=FileStatus.NONE)
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_lease, task.id)
            update = await self._download(task)
            group.cancel_scope.cancel()
        outcome = "failed" if update.status is FileStatus.NONE else update.status.value
        size = update.size_bytes if update.status is FileStatus.STORED else None
        self._context.counters.count_download(task.model, outcome, size_bytes=size or 0)
        return update

    async def _keep_lease(self, task_id: str) -> None:
        """Renew the lease during a download, or another watcher would publish a second copy."""
        while True:
            await anyio.sleep(LEASE_SECONDS / 2)
            await self._context.ledger.change(task_id, self._context.take_lease)

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
        downloader = (await self._context.get_connections()).downloader
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
        met = self._obstacles.setdefault(task.id, Counter())
        met[str(code)] += 1
        return met[str(code)]

    async def _refresh_link(self, task: Task) -> Task:
        """Ask the service for a new download link, because the old one is dead."""
        client = (await self._context.get_connections()).client
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
