"""From a recorded request to its response: the only code that spends money.

A row is durable before a byte leaves. The ledger grants the claim to send once for each attempt.
The POST and the recording of its response are in one cancellation shield, so no cancellation can
come between them. Only a request that certainly was not executed is attempted again.
"""

import logging
import math
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import anyio

from geekai_video_mcp.domain.admission import Admission, ExistingTasks, admit, claim_at_once
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.polling import Budget, typical_duration
from geekai_video_mcp.domain.retries import INTENT_TTL, retry_delay
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import ShortIdTaken, new_task_id
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
    with_typical_duration,
)
from geekai_video_mcp.engine.context import RATE_LIMIT_MESSAGE, EngineContext, ProviderClient
from geekai_video_mcp.engine.drain import stopping_error
from geekai_video_mcp.engine.exceptions import describe_exception
from geekai_video_mcp.engine.outcome_recorder import OutcomeRecorder
from geekai_video_mcp.engine.pending_submission import PendingSubmission
from geekai_video_mcp.errors import (
    NOT_CHARGED,
    RATE_LIMITED,
    CapReached,
    GeekAIVideoError,
    LedgerTooNew,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    StorageUnavailable,
    SubmissionUnknown,
    WrongService,
    nothing_charged,
)

logger = logging.getLogger(__name__)

CLAIM_RETRY_DELAY: Final = 5.0
"""Seconds between attempts to record, on a failing disk, that a request is about to leave."""
CLAIM_SECONDS: Final = 5.0
"""Seconds after a claim in which its request may leave without another look at the task. This
process may have stood still since then, or have waited for a database that was cut off: others may
have taken it for dead, and a person may have had the request sent again."""

_TRY_AGAIN: Final = "Try again; if the error persists, report it to the operator."


class _NotClaimed(Exception):
    """The disk refused to record the claim; nothing was sent, and another attempt may work."""


class Submitter:
    """Sends the requests of this process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._outcomes = OutcomeRecorder(context)
        self._posts: dict[anyio.CancelScope, anyio.Event] = {}
        self._stopped = False
        """Whether nothing more is sent, because the engine is about to cancel it."""

    def is_active(self, task_id: str) -> bool:
        """Whether this process is submitting the task now."""
        return self._context.work.submissions[task_id] > 0

    async def record_and_send(self, task: Task, pending: PendingSubmission) -> None:
        """Record a new task, then send it; a duplicate is neither recorded nor sent."""
        try:
            unusable = await self._find_unusable_folder()
            connected = await self._can_connect()
            while True:
                with suppress(ShortIdTaken):
                    return await self._record_and_send(task, pending, unusable, connected=connected)
                task = replace(task, id=new_task_id())
        except (
            StorageUnavailable,
            LedgerTooNew,
            RequestRefused,
            ServiceUnavailable,
            CapReached,
        ) as exc:
            outcome = "capped" if isinstance(exc, CapReached) else "refused"
            self._context.counters.count_submission(task.model, outcome)
            pending.finish(exc)
        except Exception as exc:
            if pending.recorded_as is None:  # so nothing was sent, and nothing will be
                why = f"an unexpected error ({type(exc).__name__}), of which the log has the place"
                pending.finish(
                    StorageUnavailable("The request", why, money=NOT_CHARGED, remedy=_TRY_AGAIN)
                )
            raise
        finally:
            pending.finish()

    async def _record_and_send(
        self,
        task: Task,
        pending: PendingSubmission,
        unusable: StorageUnavailable | None,
        *,
        connected: bool,
    ) -> None:
        """Record the task under its id, then send it.

        Usually one transaction records the task, claims its first attempt and takes a token of
        the request budget, and the POST follows at once. While requests are paused, or where no
        connection can be prepared, it is only recorded, and claimed when it can be sent.

        Raises:
            ShortIdTaken: it needs another id; it is not recorded.
        """

        def decide(existing: ExistingTasks, budget: Budget) -> Admission:
            admitted = admit(task, existing, at=task.created_at)
            if admitted is not task:
                return Admission(task=admitted, is_new=False)
            if unusable is not None:
                raise unusable  # not for a duplicate, which costs nothing
            if self._context.drain.started:
                raise stopping_error()
            new = with_typical_duration(task, typical_duration(existing.durations))
            if not connected or self._stopped:
                return Admission(task=new, is_new=True)
            return claim_at_once(
                new,
                budget,
                at=self._context.clock(),
                per_second=self._context.requests_per_second,
            )

        attempts, delay = Counter[bool](), None
        with self._marked_active(task.id):
            with self._shielded():
                admission = await self._context.admit(
                    task, body=pending.body, admit=decide, fixed_id=pending.fixed_id
                )
                if not admission.is_new:
                    pending.duplicate_of = admission.task
                    self._context.counters.count_submission(task.model, "duplicate")
                    return
                pending.recorded_as = task.id
                pending.recorded.set()
                recorded = admission.task
                if recorded.status is Status.SUBMITTING:
                    recorded, delay = await self._send_claimed(recorded, pending.body, attempts)
            if recorded.status is Status.INTENDED:
                await self._context.drain.sleep(delay or 0.0)
                recorded = await self._send_until_settled(
                    recorded, attempts, folders_checked=not attempts
                )
            pending.outcome = recorded

    async def send(self, task: Task) -> Task | None:
        """POST until the request has left once, or certainly will not; record the outcome.

        Returns the task with it; None if that is not for this process to find out.

        Raises:
            StorageUnavailable: the outcome could not be recorded.
        """
        with self._marked_active(task.id):
            return await self._send_until_settled(task, Counter(), folders_checked=False)

    async def _find_unusable_folder(self) -> StorageUnavailable | None:
        try:
            await self._context.require_folders()
        except StorageUnavailable as exc:
            return exc
        return None

    async def _can_connect(self) -> bool:
        """Whether the connections are there; they are made before the claim, and may fail."""
        try:
            await self._context.get_connections()
        except ServiceUnavailable:
            return False  # the first attempt fails with the same error, and that is recorded
        return True

    async def _send_claimed(
        self, task: Task, body: Mapping[str, Any], attempts: Counter[bool]
    ) -> tuple[Task, float | None]:
        """POST once and record the outcome; returns what `_record_not_sent` does."""
        try:
            return await self._post_and_record(task, dict(body)), None
        except ServiceUnavailable as exc:
            return await self._record_not_sent(task, exc, attempts)

    async def _send_until_settled(
        self, task: Task, attempts: Counter[bool], *, folders_checked: bool
    ) -> Task | None:
        while True:
            claimed: Task | None = None
            delay: float | None = CLAIM_RETRY_DELAY
            try:
                await self._wait_until_allowed(task)
                unusable = None if folders_checked else await self._find_unusable_folder()
                if unusable is not None:
                    return await self._outcomes.record_failure(task, Status.REJECTED, unusable)
                folders_checked = False
                if self._context.drain.started:
                    return None  # it is recorded as not sent, and the next process sends it
                with self._shielded():
                    with self._retry_while_unsent(task):
                        body = dict(await self._context.ledger.request_body(task))
                    claimed = await self._claim_attempt(task)
                    if claimed is None:
                        return None
                    return await self._post_and_record(claimed, body)
            except _NotClaimed:
                pass
            except LedgerTooNew as exc:
                if task.owner != self._context.processes.own_id:
                    raise  # a request that a dead process recorded: the newer server may send it
                return await self._outcomes.record_failure(task, Status.REJECTED, exc)
            except ServiceUnavailable as exc:
                task, delay = await self._record_not_sent(claimed or task, exc, attempts)
            if delay is None:
                return task
            await self._context.drain.sleep(delay)

    async def _record_not_sent(
        self, task: Task, why: ServiceUnavailable, attempts: Counter[bool]
    ) -> tuple[Task, float | None]:
        """Record that the request was certainly not executed.

        Returns the task, and the seconds until the next attempt; None after the last one.
        *attempts* counts those that were refused for the rate of requests, and all others.
        """
        claimed, limited = task.status is Status.SUBMITTING, why.code == RATE_LIMITED
        delay = retry_delay(
            tried=attempts[limited], limited=limited, retry_after_seconds=why.retry_after_seconds
        )
        attempts[limited] += 1
        status = Status.REJECTED if delay is None else Status.INTENDED
        task = await self._outcomes.record_failure(task, status, why)
        if claimed and limited:
            requested = why.retry_after_seconds
            await self._context.pause_requests(delay if requested is None else requested)
        return task, delay

    async def _wait_until_allowed(self, task: Task) -> None:
        """Wait until requests are allowed, and then take a slot before every background poll.

        Returns at once, without one, when this process stops.

        Raises:
            ServiceUnavailable: the task is too old to be sent now.
        """
        while not self._context.drain.started and (wait := await self._acquire_slot()):
            if self._context.clock() - task.sendable_since > INTENT_TTL:
                raise ServiceUnavailable(
                    RATE_LIMIT_MESSAGE, code=RATE_LIMITED, retry_after_seconds=math.inf
                )
            await self._context.drain.sleep(wait)

    async def _acquire_slot(self) -> float:
        try:
            return await self._context.acquire_request_slot()
        except StorageUnavailable:
            return 0.0  # the claim comes next, and raises the same error

    async def drain(self) -> None:
        """Wait a moment for the responses to POSTs that were sent, then stop shielding them."""
        with anyio.move_on_after(self._context.drain.seconds_left, shield=True):
            while self._posts:  # one may begin while another ends
                await next(iter(self._posts.values())).wait()
        self._stopped = True
        for scope in self._posts:
            scope.shield = False

    @contextmanager
    def _retry_while_unsent(self, task: Task) -> Generator[None]:
        """Turn a disk failure before the request was sent into another attempt, within limits."""
        context = self._context
        try:
            with nothing_charged():
                yield
        except StorageUnavailable as exc:
            # The next process would send a row recorded here, so its caller must not be asked to
            # call again: the task will be sent late.
            fresh = context.clock() - task.sendable_since <= INTENT_TTL
            if task.owner == context.processes.own_id and fresh:
                raise _NotClaimed from exc
            raise

    async def _claim_attempt(self, task: Task) -> Task | None:
        """The task, for this process to send; None if another process has it or it has ended."""
        claim = Observation(
            status=Status.SUBMITTING,
            at=self._context.clock(),
            owner=self._context.processes.own_id,
            attempt=task.attempt + 1,
        )
        before: list[Task] = []

        def take_claim(task: Task) -> Task:
            before.append(task)
            return advance(task, claim)

        with self._retry_while_unsent(task):
            claimed = await self._context.claim(task.id, take_claim)
        # Whether this very change was made counts: the task may bear our name and attempt already.
        return None if claimed is before[-1] else claimed

    @contextmanager
    def _marked_active(self, task_id: str) -> Generator[None]:
        active = self._context.work.submissions
        active[task_id] += 1
        try:
            yield
        finally:
            active[task_id] -= 1
            if not active[task_id]:
                del active[task_id]

    @contextmanager
    def _shielded(self) -> Generator[None]:
        """Shield the block from cancellation, from the claim until the response is recorded."""
        with anyio.CancelScope(shield=True) as scope:
            self._posts[scope] = anyio.Event()
            try:
                yield
            finally:
                self._posts.pop(scope).set()

    async def _find_lost_claim(self, task: Task) -> Task | None:
        """The task as others have changed it since it was claimed; None if it is to be sent.

        Raises:
            StorageUnavailable: it is not known, so nothing is sent.
        """
        if self._context.clock() - (task.submitted_at or 0.0) <= CLAIM_SECONDS:
            return None
        with nothing_charged():
            current = await self._context.ledger.find(task.id)
        if current is None:
            return task
        claim = (Status.SUBMITTING, task.owner, task.attempt)
        return None if (current.status, current.owner, current.attempt) == claim else current

    async def _post_and_record(self, task: Task, body: dict[str, object]) -> Task:
        if lost := await self._find_lost_claim(task):
            logger.warning("task %s was not sent: it is %s meanwhile", task.id, lost.status)
            return lost
        counters = self._context.counters
        try:
            connections = await self._context.get_connections()
            observation = await self._send_once(connections.client, task, body)
        except (RequestRefused, NotAuthorised, WrongService) as exc:
            counters.count_submission(task.model, "rejected")
            return await self._outcomes.record_failure(task, Status.REJECTED, exc)
        except SubmissionUnknown as exc:
            counters.count_submission(task.model, "unknown")
            return await self._outcomes.record_unknown(task, exc)
        except ServiceUnavailable:
            counters.count_submission(task.model, "not_sent")
            raise
        counters.count_submission(task.model, "accepted")
        return await self._outcomes.record_accepted(task, observation)

    async def _send_once(
        self, client: ProviderClient, task: Task, body: dict[str, object]
    ) -> Observation:
        try:
            return await client.create_task(task.media, body)
        except GeekAIVideoError:
            raise
        except Exception as exc:
            # Bytes may have left, so only a person may have the request sent again.
            logger.error(  # noqa: TRY400 - a traceback prints local text such as prompts
                "the submission of task %s was interrupted: %s", task.id, describe_exception(exc)
            )
            msg = f"The request was interrupted ({type(exc).__name__})"
            raise SubmissionUnknown(msg) from exc
