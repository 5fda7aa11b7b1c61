"""Submit, watch, recover and resolve tasks; the only room where money moves.

Everything that must outlive a tool call runs in the engine's own task group: a caller only
waits for changes, and cancelling the call ends the waiting, never the payment. `submitter` is
the one module that spends, `watcher` the one that polls and downloads, and `follower` the
one place where a caller waits. MCP and HTTP may not enter.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self

import anyio
from anyio.abc import TaskGroup

from geekai_video_mcp.domain.admission import Forecast
from geekai_video_mcp.domain.films import FilmPart
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.log_context import log_context
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import MIN_DIGITS
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.engine.context import (
    Connections,
    Downloader,
    EngineContext,
    JoinedParts,
    JoinPlan,
    ProviderClient,
)
from geekai_video_mcp.engine.delivery_recorder import DeliveryRecorder
from geekai_video_mcp.engine.exceptions import Job, run_guarded
from geekai_video_mcp.engine.film_maker import FilmMaker, FilmResult
from geekai_video_mcp.engine.finder import TaskFinder
from geekai_video_mcp.engine.follower import Follower, Until
from geekai_video_mcp.engine.forecaster import Forecaster
from geekai_video_mcp.engine.local_files import LocalFiles
from geekai_video_mcp.engine.model_list import ModelListCache
from geekai_video_mcp.engine.operations import Operations
from geekai_video_mcp.engine.outcome_recorder import OutcomeRecorder
from geekai_video_mcp.engine.pending_submission import SubmitResult
from geekai_video_mcp.engine.process_work import ProcessWork
from geekai_video_mcp.engine.recovery import Recovery
from geekai_video_mcp.engine.releaser import Releaser
from geekai_video_mcp.engine.requester import SUBMIT_TIMEOUT, Requester
from geekai_video_mcp.engine.resolver import Resolver
from geekai_video_mcp.engine.retention import Retention
from geekai_video_mcp.engine.submitter import Submitter
from geekai_video_mcp.engine.watcher import Watcher

if TYPE_CHECKING:
    from geekai_video_mcp.ledger import EventNotice

__all__ = [
    "SUBMIT_TIMEOUT",
    "Connections",
    "Downloader",
    "Engine",
    "EngineContext",
    "FilmResult",
    "JoinPlan",
    "JoinedParts",
    "Operations",
    "ProcessWork",
    "ProviderClient",
    "Resolver",
    "SubmitResult",
    "Until",
]


SWEEP_INTERVAL: Final = 10.0
"""Seconds between searches for tasks that a dead process left behind."""


class Engine:
    """Every task of one account, followed to its end."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self.model_list = ModelListCache(context)
        self._forecaster = Forecaster(context)
        self._submitter = Submitter(context)
        self._watcher = Watcher(context, start=self.start_background)
        self._local_files = LocalFiles(context, start=self.start_background)
        self._film_maker = FilmMaker(context, self._local_files, start=self.start_background)
        self._follower = Follower(context, start=self.start_background)
        self._finder = TaskFinder(context, self._watcher, start=self.start_background)
        self._delivery_recorder = DeliveryRecorder(context, start=self.start_background)
        self._releaser = Releaser(
            context,
            submitter=self._submitter,
            watcher=self._watcher,
            start=self.start_background,
        )
        self._recovery = Recovery(
            context,
            submitter=self._submitter,
            watcher=self._watcher,
            releaser=self._releaser,
            start=self.start_background,
        )
        self._requester = Requester(
            context,
            forecaster=self._forecaster,
            submitter=self._submitter,
            watcher=self._watcher,
            releaser=self._releaser,
            follower=self._follower,
            start=self.start_background,
        )
        self._tasks: TaskGroup | None = None

    @property
    def account(self) -> str:
        """The service and key that this engine works for."""
        return self._context.account

    @property
    def may_import(self) -> bool:
        """Whether a task that only the service knows is taken for this tenant's own."""
        return self._context.may_import

    @property
    def has_copies(self) -> bool:
        """Whether the ledger is of several machines."""
        return self._context.copies is not None

    def apply(self, *, limits: Limits | None, may_import: bool) -> None:
        """Judge by these from the next request on."""
        self._context.limits = limits
        self._context.may_import = may_import

    @property
    def tenant(self) -> str:
        """Whose tasks this engine makes and sees."""
        return self._context.tenant

    @asynccontextmanager
    async def run(self, *, sweep: bool = True) -> AsyncGenerator[Self]:
        """Run background work while the block lasts; with *sweep*, also what others left behind."""
        async with anyio.create_task_group() as self._tasks:
            if sweep:
                self.start_background(self._sweep_loop)
                self.start_background(Retention(self._context).run)
            try:
                with self._context.drain.notifying(self._context.signals.notify_all):
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
        """Request a video. Costs money at most once, and nothing if it is a duplicate.

        Returns when the service has answered, or after *wait_seconds* with the task still
        `submitting`; in either case the task is durable by then. A request that uses the result of
        an unfinished task is only recorded, as `waiting`, and sent when that has finished.

        *task_id* is one that `forecast` gave: the new task gets this id, and if a task has it
        already, that task is returned and nothing is sent. So consent is used once.

        The outcome stands in the task: `rejected` (nothing was charged) or `unknown` (it may have
        been charged), explained by `error_message`.

        Raises:
            RequestRefused: the key is another request's.
            CapReached: no further video may be requested now.
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            StorageUnavailable: the disk failed, before or after it was sent, or another process
                held the ledger too long; it says which.
        """
        return await self._requester.submit(
            request,
            idempotency_key=idempotency_key,
            variation=variation,
            task_id=task_id,
            wait_seconds=wait_seconds,
        )

    async def make_film(self, parts: Sequence[FilmPart], audio: str | None) -> FilmResult:
        """Join videos of this machine into a film, in the background; local and free.

        *audio* is a file or `task:ID`, whose sound replaces that of the parts. Returns once the
        film is recorded: it may not be finished.

        Raises:
            RequestRefused: a part or the sound cannot be used; it says which and why.
            StorageUnavailable: the film cannot be recorded, and is not made.
        """
        return await self._film_maker.make_film(parts, audio)

    def film_share(self, film_id: str) -> float | None:
        """The share of the film that is done, 0 to 1; None if this process does not make it."""
        return self._film_maker.share_done(film_id)

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
        return await self._forecaster.forecast(request, idempotency_key, variation)

    async def find_sent(
        self,
        forms: Sequence[GenerationRequest],
        *,
        idempotency_key: str | None = None,
        variation: int | None = None,
    ) -> GenerationRequest | None:
        """The first of these forms of one request that `submit` would find sent already, if any.

        Raises:
            StorageUnavailable: the ledger cannot be read.
        """
        return await self._forecaster.find_sent(forms, idempotency_key, variation)

    async def list_tasks(
        self,
        *,
        limit: int,
        statuses: Collection[Status] = (),
        before: str | None = None,
        query: str | None = None,
        since: float | None = None,
    ) -> list[Task]:
        """A page of everything in the ledger, newest first; see `Ledger.list_tasks`.

        *before* may be the beginning of an id, as in `find_or_import`.

        Raises:
            TaskNotFound: *before* is the beginning of several ids.
            StorageUnavailable: the ledger cannot be read.
        """
        ledger = self._context.ledger
        last = await ledger.find_by_any_id(before) if before is not None else None
        return await ledger.list_tasks(
            limit=limit,
            statuses=statuses,
            before=last.id if last is not None else before,
            query=query,
            since=since,
        )

    async def mark_delivered(self, *tasks: Task) -> None:
        """Record that a caller was shown how they ended: repeats are new requests from now on."""
        await self._delivery_recorder.record_delivery(*tasks)

    async def withdraw(self, task_id: str) -> Task | None:
        """Let a request of this process not be sent any more; nothing else is begun either.

        The answer to one that is under way is waited for, as at the end of the process. The task
        as it is then; None if the request was not recorded.
        """
        self._context.drain.start()
        await self._submitter.drain()
        return await OutcomeRecorder(self._context).record_withdrawal(task_id)

    async def take_up(self, task: Task, *, may_send: bool = False) -> None:
        """Go on with this task if no live process does; for a process that does not sweep.

        Only with *may_send* is a request sent that a dead process has recorded.
        """
        if task.media is Media.FILM:
            self._film_maker.resume_orphan(task)
        else:
            await self._recovery.take_up(task.id, may_send=may_send)

    async def find_or_import(self, task_id: str, *, minimum: int = MIN_DIGITS) -> Task:
        """The task of this id, ours or GeekAI's; one made elsewhere is imported.

        The beginning of an id of ours is enough, of *minimum* digits. A task of unknown outcome
        that has a GeekAI id is polled once more.

        Raises:
            TaskNotFound: neither the ledger nor the service knows it, or the ledger knows several.
            NotAuthorised, ServiceUnavailable: the service could not be asked.
            StorageUnavailable: another process holds the ledger.
        """
        return await self._finder.find_or_import(task_id, minimum=minimum)

    async def fetch_again(self, task_id: str) -> Task:
        """Download a finished task's result once more, and return the task after that.

        For a person who has removed the obstacle; a file that is stored already is not touched.

        Raises:
            InvalidDecision: the task is not finished, belongs to another key, or is being
                downloaded by a server now.
            StorageUnavailable: the ledger cannot be read or written.
        """
        return await self._watcher.fetch_again(task_id)

    async def locate_file(self, task: Task, *, wait_seconds: float) -> Task:
        """The task with the path of its file on this machine, which may be fetched anew for it.

        Raises:
            FileElsewhere: the file is not here, or not yet.
        """
        return await self._local_files.locate(task, wait_seconds=wait_seconds)

    async def get_local(self, task_id: str) -> Task:
        """The task of this id of ours, from the ledger alone: the service is not asked.

        Raises:
            TaskNotFound: no task has this id.
            StorageUnavailable: another process holds the ledger.
        """
        return await self._finder.get_local(task_id)

    async def find_local(self, task_id: str) -> Task:
        """The task of this id, ours or GeekAI's, or of its beginning, from the ledger alone.

        Raises:
            TaskNotFound: no recorded task has this id, or several do.
            StorageUnavailable: another process holds the ledger.
        """
        return await self._finder.find_local(task_id)

    async def event_cursor(self) -> str:
        """The cursor behind all events of now, to pass to `watch_events`."""
        return await self._context.ledger.event_cursor()

    def watch_events(self, cursor: str) -> "AsyncGenerator[EventNotice]":
        """Every change of any task behind *cursor*; see `Follower.watch_events`."""
        return self._follower.watch_events(cursor)

    def follow(
        self, *tasks: Task, wait_seconds: float, until: Until = "all"
    ) -> AsyncGenerator[tuple[Task, ...]]:
        """These tasks, and as they change until they settle or time is up; see `Follower`."""
        return self._follower.follow_tasks(tasks, wait_seconds=wait_seconds, until=until)

    async def _sweep_loop(self) -> None:
        """Resume what no process works on: at start, and again whenever a process has died."""
        await run_guarded(self._recovery.adopt_from_previous_key)
        while True:
            await run_guarded(self._recovery.sweep)
            await run_guarded(self._film_maker.resume_orphans)
            with anyio.move_on_after(SWEEP_INTERVAL):
                await self._context.processes.wait_for_end()

    def start_background(self, job: Job, *args: object) -> None:
        """Run *job* in the background; it ends with the engine at the latest."""
        if self._tasks is None:
            msg = "the engine is not running"
            raise RuntimeError(msg)
        with log_context(tenant=self._context.tenant):
            self._tasks.start_soon(run_guarded, job, *args)
