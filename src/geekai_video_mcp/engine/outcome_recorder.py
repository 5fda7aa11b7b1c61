"""Records how a submission ended; if that fails, the error says what may have been charged."""

import logging
from dataclasses import replace
from functools import partial
from typing import Final

from geekai_video_mcp.domain.lifecycle import stop_unsent
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Observation, Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    NOT_CHARGED,
    LedgerTooNew,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    StorageUnavailable,
    SubmissionUnknown,
    WrongService,
    nothing_charged,
)
from geekai_video_mcp.quoting import quote

logger = logging.getLogger(__name__)

_STOPPED_UNDER_WAY: Final = "The command was stopped before the request was answered"

SubmissionFailure = (
    RequestRefused
    | NotAuthorised
    | WrongService
    | ServiceUnavailable
    | StorageUnavailable
    | SubmissionUnknown
    | LedgerTooNew
)
"""The failures of a submission whose message is recorded in the ledger."""


class OutcomeRecorder:
    """Records the outcomes of requests that this process sent, or could not send."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    async def record_withdrawal(self, task_id: str) -> Task | None:
        """Record what becomes of a request of this process that is not sent any more.

        To be called when nothing is sent any more. One that has not left is rejected. One whose
        answer has not come is of unknown outcome; an answer that comes after that still counts.
        Returns the task after that, or None if it was not recorded.
        """
        task, own_id = await self._context.ledger.find(task_id), self._context.processes.own_id
        if task is None or task.owner != own_id:
            return task
        if task.status is Status.SUBMITTING:
            return await self.record_unknown(task, SubmissionUnknown(_STOPPED_UNDER_WAY))
        stop = partial(stop_unsent, owner=own_id, at=self._context.clock())
        return await self._context.change(task_id, stop)

    async def record_unknown(self, task: Task, why: SubmissionUnknown) -> Task:
        try:
            return await self.record_failure(task, Status.UNKNOWN, why)
        except StorageUnavailable as exc:
            msg = f"The missing response to task {task.id}"
            raise StorageUnavailable(msg, exc.reason, money=MAYBE_CHARGED) from exc

    async def record_accepted(self, task: Task, observation: Observation) -> Task:
        observation = replace(observation, owner=task.owner, attempt=task.attempt)
        try:
            return await self._context.record_outcome(task.id, observation)
        except StorageUnavailable as exc:
            provider_id = quote(str(observation.provider_task_id))
            logger.error(  # noqa: TRY400 - a traceback adds nothing
                "task %s is %s at GeekAI, and this could not be recorded in the ledger",
                task.id,
                provider_id,
            )
            msg = f"The response to task {task.id}, which GeekAI calls {provider_id},"
            raise StorageUnavailable(msg, exc.reason, money=MAYBE_CHARGED) from exc

    async def record_failure(self, task: Task, status: Status, why: SubmissionFailure) -> Task:
        # Only an unknown outcome may have been charged, and `SubmissionUnknown` says so itself.
        why.money = why.money or NOT_CHARGED
        observation = Observation(
            status=status,
            at=self._context.clock(),
            owner=task.owner,
            attempt=task.attempt,
            error_code=why.code,
            error_message=why.message,
            raw_response=why.raw_response,
        )
        with nothing_charged():  # `record_unknown` replaces the sentence about money
            return await self._context.record_outcome(task.id, observation)
