"""Record, submit, watch, wake whoever waits, fetch, resume.

Everything that must outlive a tool call runs in the engine's own task group: a caller only
waits for news, and giving up ends the waiting, never the payment. `submitting` is the one
place where money moves, `watching` the one place that looks and fetches, and `Engine.follow`
the one place where anyone waits.
"""

import logging
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import anyio
from anyio.abc import TaskGroup

from geekai_video_mcp.admission import Forecast, Limits, forecast
from geekai_video_mcp.engine.listing import ModelListCache
from geekai_video_mcp.engine.means import Connections, Downloader, EngineContext, ProviderClient
from geekai_video_mcp.engine.resolving import Resolver
from geekai_video_mcp.engine.resuming import Recovery
from geekai_video_mcp.engine.submitting import PendingSubmission, Submitter
from geekai_video_mcp.engine.watching import Watcher
from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    MAYBE_CHARGED,
    GeekAIVideoError,
    ServiceUnavailable,
    StorageUnavailable,
    TaskNotFound,
    nothing_charged,
)
from geekai_video_mcp.ledger import EventNotice, Ledger, ProcessRegistry
from geekai_video_mcp.lifecycle import (
    Media,
    Observation,
    Task,
    advance,
    import_task,
    mark_delivered,
    new_task,
)
from geekai_video_mcp.statuses import UNSENT, Status
from geekai_video_mcp.wire import GenerationRequest

__all__ = [
    "Connections",
    "Downloader",
    "Engine",
    "EngineContext",
    "EventNotice",
    "ProviderClient",
    "Resolver",
    "SubmitResult",
]

logger = logging.getLogger(__name__)

Job = Callable[..., Coroutine[Any, Any, None]]


class SubmitResult(NamedTuple):
    """What became of a request."""

    task: Task
    deduplicated: bool
    """Whether it is an earlier request's task, and nothing new was sent."""


SUBMIT_TIMEOUT: Final = 15.0
"""Seconds a call waits for the service's answer to its POST; the POST itself goes on."""
FIND_TIMEOUT: Final = 15.0
"""Seconds a call waits for the ledger, and for the service's word on a task not in there."""
LEDGER_TIMEOUT: Final = 1.0
"""Seconds past its end that a call's wait for the ledger may go on."""
_RETRY_SAME_CALL: Final = (
    "Make the same call again, unchanged: it finds this request's task if it was made."
)
LEDGER_POLL_INTERVAL: Final = 1.0
"""Seconds between a waiter's looks into the ledger: another process may be the watcher."""
HEARTBEAT: Final = 3.0
"""Seconds between signs of life to whoever follows a task; clients want one in five."""
SWEEP_INTERVAL: Final = 10.0
"""Seconds between looks for tasks that a dead process left behind."""


class Engine:
    """All tasks of one service and key, carried to their end."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        processes: ProcessRegistry,
        account: str,
        connect: Callable[[], Awaitable[Connections]],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._context = EngineContext(
            ledger=ledger,
            processes=processes,
            account=account,
            limits=limits,
            connect=connect,
            clock=clock,
        )
        self.model_list = ModelListCache(self._context)
        self._submitter = Submitter(self._context)
        self._watcher = Watcher(self._context, start=self.start_background)
        self._recovery = Recovery(
            self._context,
            submitter=self._submitter,
            watcher=self._watcher,
            start=self.start_background,
        )
        self._tasks: TaskGroup | None = None

    @property
    def account(self) -> str:
        """Which service and key this engine works for."""
        return self._context.account

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[Self]:
        """Carry tasks while the block lasts, those left by earlier processes included."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._sweep_loop)
            try:
                yield self
            finally:
                await self._submitter.drain()
                self._tasks.cancel_scope.cancel()

    async def submit(
        self,
        request: GenerationRequest,
        *,
        idempotency_key: str | None = None,
        variation: int | None = None,
        task_id: str | None = None,
        wait_seconds: float = SUBMIT_TIMEOUT,
    ) -> SubmitResult:
        """Ask for a video. Costs money, at most once, and not at all if it is a repeat.

        Returns when the service has answered, or after *wait_seconds* seconds with the task
        still `submitting`; in either case the task is durable by then.

        *task_id* is one that `forecast` gave: the new task bears it, and if a task bears it
        already, that is the answer and nothing is sent. So consent to it is used once.

        How it ended, the task itself tells: `rejected` and nothing was charged, `unknown`
        and it may have been, in the words of `error_message`.

        Raises:
            RequestRefused: the key is another request's.
            CapReached: no further video may be asked for now.
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            StorageUnavailable: the disk failed, before or after it was sent, or another process
                held the ledger too long; it says which.
        """
        if task_id is not None:
            with nothing_charged():
                made = await self._context.ledger.find(task_id)
            if made is not None:
                return SubmitResult(await self._wait_for_answer(made), deduplicated=True)
        call, task = (
            PendingSubmission(request.to_json()),
            self._new_task(request, idempotency_key, variation),
        )
        task = replace(task, id=task_id or task.id)
        self.start_background(self._submit_and_watch, task, call)
        with anyio.move_on_after(wait_seconds):
            await call.answered.wait()
        if not call.recorded.is_set():
            # Another process holds the ledger. The same call finds this task, if there is one.
            msg = f"Task {task.id}"
            raise StorageUnavailable(msg, BUSY, money=MAYBE_CHARGED, remedy=_RETRY_SAME_CALL)
        if call.error is not None:
            raise call.error
        made = call.duplicate_of or task
        try:
            newest = await (
                self._wait_for_answer(made) if call.duplicate_of else self._require(made.id)
            )
        except StorageUnavailable as exc:
            msg = f"The record of task {made.id}"
            raise StorageUnavailable(msg, exc.reason, access="read", money=MAYBE_CHARGED) from exc
        return SubmitResult(newest, deduplicated=call.duplicate_of is not None)

    async def forecast(
        self,
        request: GenerationRequest,
        *,
        idempotency_key: str | None = None,
        variation: int | None = None,
    ) -> Forecast:
        """What `submit` would do now; nothing is recorded, sent or charged.

        Raises:
            RequestRefused: the key is another request's.
            StorageUnavailable: the ledger cannot be read.
        """
        means, task = self._context, self._new_task(request, idempotency_key, variation)
        beside = await means.ledger.existing_for(task)
        return forecast(task, beside, limits=means.limits, at=task.created_at)

    async def list_tasks(
        self, *, limit: int, statuses: Collection[Status] = (), before: str | None = None
    ) -> list[Task]:
        """A page of everything in the ledger, newest first; see `Ledger.list_tasks`.

        Raises:
            StorageUnavailable: the ledger cannot be read.
        """
        return await self._context.ledger.list_tasks(limit=limit, statuses=statuses, before=before)

    async def mark_delivered(self, task: Task) -> None:
        """Note that a caller was told how *task* ended: a repeat is a new wish from now on."""
        if task.settled and task.delivered_at is None:
            at = self._context.clock()
            with anyio.move_on_after(LEDGER_TIMEOUT):  # unnoted, it is found once more
                await self._context.ledger.change(task.id, lambda task: mark_delivered(task, at=at))

    def _new_task(
        self, request: GenerationRequest, idempotency_key: str | None, variation: int | None
    ) -> Task:
        return new_task(
            request=request.to_json(),
            media=request.media,
            account=self._context.account,
            owner=self._context.processes.own_id,
            at=self._context.clock(),
            idempotency_key=idempotency_key,
            variation=variation,
        )

    async def _wait_for_answer(self, task: Task) -> Task:
        """The task once the service has answered, or after as long as its first caller waits."""
        newest = task
        async with aclosing(self.follow(task.id, wait_seconds=SUBMIT_TIMEOUT)) as states:
            async for newest in states:
                if newest.status not in UNSENT:
                    break
        return newest

    async def find_or_import(self, task_id: str) -> Task:
        """The task of this id, ours or GeekAI's; one made elsewhere is taken in.

        One that was given up, though GeekAI named it, is looked at once more.

        Raises:
            TaskNotFound: neither the ledger nor the service knows it.
            NotAuthorised, ServiceUnavailable: the service could not be asked.
            StorageUnavailable: another process holds the ledger.
        """
        task = await self._read(task_id)
        if task is not None:
            return await self._recheck_unknown(task)
        try:
            with anyio.fail_after(FIND_TIMEOUT):
                media, seen = await self._lookup_at_provider(task_id)
        except TimeoutError as exc:
            raise ServiceUnavailable(
                "GeekAI did not say in time whether it knows the task"
            ) from exc
        task = import_task(
            seen, media=media, provider_task_id=task_id, account=self._context.account
        )
        await self._context.ledger.add(task)
        task = await self._require(task_id)
        self._watcher.watch(task.id)
        return task

    async def get_local(self, task_id: str) -> Task:
        """The task of this id of ours, from the ledger alone: nobody else is asked.

        Raises:
            TaskNotFound: no task has this id.
            StorageUnavailable: another process holds the ledger.
        """
        task = await self._read(task_id)
        if task is None or task.id != task_id:
            raise TaskNotFound(task_id)
        return task

    async def _read(self, task_id: str) -> Task | None:
        try:
            with anyio.fail_after(FIND_TIMEOUT):
                return await self._context.ledger.find(task_id)
        except TimeoutError as exc:
            again = "Call get_video_task again; every task goes on meanwhile."
            raise StorageUnavailable(DATABASE, BUSY, access="read", remedy=again) from exc

    async def last_event_id(self) -> int:
        """The number of what happened last; see `events_after`."""
        return await self._context.ledger.last_event_id()

    async def watch_events(self, *, after: int) -> AsyncGenerator[EventNotice]:
        """What happens to any task, by any process, from number *after* on; never ends.

        This process's doings are told at once, those of others within
        `LEDGER_POLL_INTERVAL` seconds.
        """
        while True:
            news = self._context.signals.event_for(None)
            with suppress(StorageUnavailable):  # told when the ledger can be read again
                for happening in await self._context.ledger.events_after(after=after):
                    after = happening.number
                    yield happening
            with anyio.move_on_after(LEDGER_POLL_INTERVAL):
                await news.wait()

    async def _lookup_at_provider(self, task_id: str) -> tuple[Media, Observation]:
        """What the service says of a task that is not in the ledger, whichever kind it is."""
        with suppress(TaskNotFound):
            return Media.VIDEO, await self._context.poll_now(Media.VIDEO, task_id)
        return Media.IMAGE, await self._context.poll_now(Media.IMAGE, task_id)

    async def _recheck_unknown(self, task: Task) -> Task:
        """The task; if its outcome is unknown and its name at the service is not, asked anew."""
        name, means = task.provider_task_id, self._context
        if task.status is not Status.UNKNOWN or name is None or task.account != means.account:
            return task
        with suppress(GeekAIVideoError), anyio.move_on_after(FIND_TIMEOUT):
            seen = await means.poll_now(task.media, name)
            task = await means.change(task.id, lambda task: advance(task, seen))
            self._watcher.watch(task.id)
        return task

    async def follow(self, task_id: str, *, wait_seconds: float) -> AsyncGenerator[Task]:
        """The task now, at each change of status, and every few seconds, until it settles.

        Ends after *wait_seconds* seconds in any case; the last one given is the newest known.
        """
        ends = anyio.current_time() + wait_seconds
        given: tuple[Status, float] | None = None
        while True:
            news = self._context.signals.event_for(task_id)
            task, now = await self._require(task_id), anyio.current_time()
            over = task.settled or now >= ends
            if over or given is None or given[0] != task.status or now - given[1] >= HEARTBEAT:
                given = (task.status, now)
                yield task
            if over:
                return
            with anyio.move_on_after(min(LEDGER_POLL_INTERVAL, ends - now)):
                await news.wait()

    async def _require(self, task_id: str) -> Task:
        task = await self._context.ledger.find(task_id)
        if task is None:
            raise TaskNotFound(task_id)
        return task

    async def _submit_and_watch(self, task: Task, call: PendingSubmission) -> None:
        await self._submitter.record_and_send(task, call)
        self._watcher.watch(task.id)

    async def _sweep_loop(self) -> None:
        """Take up what nobody carries: at start, and again whenever a process has died."""
        await _run_guarded(self._recovery.adopt_from_previous_key)
        while True:
            await _run_guarded(self._recovery.sweep)
            await anyio.sleep(SWEEP_INTERVAL)

    def start_background(self, job: Job, *args: object) -> None:
        """Run *job* in the background; it ends with the engine at the latest."""
        if self._tasks is None:
            msg = "the engine is not running"
            raise RuntimeError(msg)
        self._tasks.start_soon(_run_guarded, job, *args)


async def _run_guarded(job: Job, *args: object) -> None:
    """Run *job*; what it did not foresee ends it alone, and the next sweep starts over.

    The log names the kind and the place: the words of an error may hold a prompt or a link.
    """
    try:
        await job(*args)
    except Exception as exc:  # noqa: BLE001 - one task's trouble must not end all the others
        *_, last = traceback.extract_tb(exc.__traceback__)
        logger.error(  # noqa: TRY400 - its traceback would print the words as well
            "%s failed: %s at %s:%s",
            job.__qualname__,
            type(exc).__name__,
            Path(last.filename).name,
            last.lineno,
        )
