"""What becomes of a caller's request: it is recorded and sent in the background, and waited for.

Cancelling the call ends the waiting, and neither the record nor the payment.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.engine.follower import Follower
from geekai_video_mcp.engine.forecaster import Forecaster
from geekai_video_mcp.engine.pending_submission import PendingSubmission, SubmitResult
from geekai_video_mcp.engine.releaser import Releaser
from geekai_video_mcp.engine.submitter import Submitter
from geekai_video_mcp.engine.watcher import Watcher
from geekai_video_mcp.errors import BUSY, MAYBE_CHARGED, StorageUnavailable, nothing_charged

SUBMIT_TIMEOUT: Final = 15.0
"""Seconds a call waits for the service's answer to its POST; the POST itself goes on."""
_RETRY_SAME_CALL: Final = (
    "Repeat the same call unchanged: if the request was recorded, it returns that task."
)


class Requester:
    """Has the requests of callers recorded and sent, and answers them."""

    def __init__(
        self,
        context: EngineContext,
        *,
        forecaster: Forecaster,
        submitter: Submitter,
        watcher: Watcher,
        releaser: Releaser,
        follower: Follower,
        start: Callable[..., None],
    ) -> None:
        self._context = context
        self._forecaster = forecaster
        self._submitter = submitter
        self._watcher = watcher
        self._releaser = releaser
        self._follower = follower
        self._start = start

    async def submit(
        self,
        request: GenerationRequest,
        *,
        idempotency_key: str | None,
        variation: int | None,
        task_id: str | None,
        wait_seconds: float,
    ) -> SubmitResult:
        """See `Engine.submit`."""
        if task_id is not None:
            with nothing_charged():
                existing = await self._context.ledger.find(task_id)
            if existing is not None:
                return await self._wait_for_earlier(existing)
        task = self._forecaster.new_task(request, idempotency_key, variation)
        task = replace(task, id=task_id or task.id)
        pending = PendingSubmission(request.body_to_send, fixed_id=task_id is not None)
        self._start(self._submit_and_watch, task, pending)
        with self._context.drain.move_on_after(wait_seconds):
            await pending.answered.wait()
        if not pending.recorded.is_set():
            # Another process holds the ledger. The same call finds this task, if there is one.
            raise StorageUnavailable(
                f"Task {task.id}", BUSY, money=MAYBE_CHARGED, remedy=_RETRY_SAME_CALL
            )
        if pending.error is not None:
            raise pending.error
        earlier, recorded_id = pending.duplicate_of, pending.recorded_as or task.id
        try:
            if earlier is not None:
                return await self._wait_for_earlier(earlier)
            newest = pending.outcome or await self._context.require_task(recorded_id)
            return SubmitResult(newest, deduplicated=False)
        except StorageUnavailable as exc:
            what = f"The record of task {earlier.id if earlier else recorded_id}"
            raise StorageUnavailable(what, exc.reason, access="read", money=MAYBE_CHARGED) from exc

    async def _wait_for_earlier(self, task: Task) -> SubmitResult:
        """The task that a request finds in its place, once its own has been answered."""
        answered = await self._follower.wait_for_answer(task, seconds=SUBMIT_TIMEOUT)
        return SubmitResult(answered, deduplicated=True)

    async def _submit_and_watch(self, task: Task, pending: PendingSubmission) -> None:
        await self._submitter.record_and_send(task, pending)
        if pending.recorded_as is not None:
            if task.status is Status.WAITING:
                self._releaser.follow(pending.recorded_as)
            else:
                self._watcher.watch(pending.recorded_as, leased=pending.outcome)
