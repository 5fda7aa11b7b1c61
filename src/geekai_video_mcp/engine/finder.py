"""Which task a caller means by an id: one of the ledger, or one that only the service knows.

The service is asked for what the ledger does not know, and never for what can be no id there; nor
where the key is not this tenant's alone, because an id says nothing about whose task it is.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import anyio

from geekai_video_mcp.domain.lifecycle import (
    advance,
    import_task,
)
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import MIN_DIGITS, may_be_provider_id
from geekai_video_mcp.domain.tasks import (
    Media,
    Observation,
    Task,
)
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.engine.watcher import Watcher
from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    GeekAIVideoError,
    ServiceUnavailable,
    StorageUnavailable,
    TaskNotFound,
)

FIND_TIMEOUT: Final = 15.0
"""Seconds a call waits for the ledger and for the service to answer about an unknown id."""


class TaskFinder:
    """Finds tasks, and records those that were made elsewhere."""

    def __init__(
        self, context: EngineContext, watcher: Watcher, *, start: Callable[..., None]
    ) -> None:
        self._context = context
        self._watcher = watcher
        self._start = start

    async def find_or_import(self, task_id: str, *, minimum: int) -> Task:
        """See `Engine.find_or_import`."""
        task_id, ends = task_id.strip(), anyio.current_time() + FIND_TIMEOUT
        task = await self._read(task_id, minimum=minimum)
        if task is not None:
            return await self._recheck_unknown(task, ends=ends)
        if not self._context.may_import:
            # The service knows the tasks of everybody with the same key.
            raise TaskNotFound(task_id, where="here")
        if not may_be_provider_id(task_id):
            raise TaskNotFound(task_id)
        imported = await self._run_until(ends, partial(self._import, task_id))
        if imported is None:
            # Which of them it was is not known: the job waits for both.
            why = "did not answer in time, or another process holds the task database"
            raise ServiceUnavailable(f"{self._context.service} {why}")
        return imported

    async def get_local(self, task_id: str) -> Task:
        """See `Engine.get_local`."""
        task = await self._read(task_id)
        if task is None or task.id != task_id:
            raise TaskNotFound(task_id)
        return task

    async def find_local(self, task_id: str) -> Task:
        """See `Engine.find_local`."""
        task = await self._read(task_id, minimum=MIN_DIGITS)
        if task is None:
            raise TaskNotFound(task_id)
        return task

    async def _read(self, task_id: str, *, minimum: int | None = None) -> Task | None:
        """The task of this id; with *minimum*, of an id that begins with as many digits."""
        try:
            with anyio.fail_after(FIND_TIMEOUT):
                return await self._context.find_task(task_id, minimum=minimum)
        except TimeoutError as exc:
            again = "Call get_video_task again; every task goes on meanwhile."
            raise StorageUnavailable(DATABASE, BUSY, access="read", remedy=again) from exc

    async def _import(self, task_id: str) -> Task:
        """Record a task that was made elsewhere, and watch it."""
        media, observation = await self._lookup_at_provider(task_id)
        task = import_task(
            observation,
            media=media,
            provider_task_id=task_id,
            account=self._context.account,
            tenant=self._context.tenant,
        )
        task = await self._context.ledger.add(task)
        self._watcher.watch(task.id)
        return task

    async def _lookup_at_provider(self, task_id: str) -> tuple[Media, Observation]:
        """Poll a task that is not in the ledger, as a video and then as an image."""
        with suppress(TaskNotFound):
            return Media.VIDEO, await self._context.poll_now(Media.VIDEO, task_id)
        return Media.IMAGE, await self._context.poll_now(Media.IMAGE, task_id)

    async def _recheck_unknown(self, task: Task, *, ends: float) -> Task:
        """Poll *task* once more if its outcome is unknown although GeekAI has given it an id."""
        provider_id, context = task.provider_task_id, self._context
        own = task.account == context.account
        if task.status is not Status.UNKNOWN or provider_id is None or not own:
            return task

        async def recheck() -> Task:
            observation = await context.poll_now(task.media, provider_id)
            newest = await context.change(task.id, partial(advance, observation=observation))
            self._watcher.watch(task.id)
            return newest

        with suppress(GeekAIVideoError):
            return await self._run_until(ends, recheck) or task
        return task

    async def _run_until(self, ends: float, job: Callable[[], Awaitable[Task]]) -> Task | None:
        """What *job* returns; None if it needs longer than *ends*, and it goes on meanwhile.

        It runs in the background because it writes, and a transaction cannot be abandoned: while
        another process holds the ledger, the caller must be answered all the same.
        """
        outcome: list[Task | GeekAIVideoError] = []
        ended = anyio.Event()

        async def run() -> None:
            try:
                outcome.append(await job())
            except GeekAIVideoError as exc:
                outcome.append(exc)
            finally:
                ended.set()

        self._start(run)
        with anyio.move_on_after(ends - anyio.current_time()):
            await ended.wait()
        found = outcome[0] if outcome else None
        if isinstance(found, GeekAIVideoError):
            raise found
        return found
