"""A person's decision about a task whose outcome is unknown: attach, abandon or send again.

No tool calls this. Each decision is one transaction that reads the task's current status, so if
two people decide at once, the second gets an error that says what the first did.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio

from geekai_video_mcp.domain.admission import check_caps
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.result_file import has_no_link, replace_result
from geekai_video_mcp.domain.statuses import UNRESOLVED, Status
from geekai_video_mcp.domain.task_ids import ShortIdTaken
from geekai_video_mcp.domain.task_refs import find_refs
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
    new_task,
)
from geekai_video_mcp.engine.context import OTHER_ACCOUNT, EngineContext
from geekai_video_mcp.engine.pending_submission import PendingSubmission
from geekai_video_mcp.engine.submitter import Submitter
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    InvalidDecision,
    LedgerTooNew,
    RequestRefused,
    StorageUnavailable,
    TaskNotFound,
)
from geekai_video_mcp.quoting import quote


class Resolver:
    """Carries out a person's decision."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._submitter = Submitter(context)

    async def attach(self, task_id: str, provider_task_id: str) -> Task:
        """Link the task whose outcome is unknown to the service's task of this id. Free.

        The task may be abandoned already. From then on any server with this key polls it. A task
        that the service reported finished without a link gets the result of that task.

        Raises:
            InvalidDecision: the task, or the id, does not allow it.
            NotAuthorised, ServiceUnavailable: the service's task could not be read.
        """
        context = self._context
        task = await self._context.require_task(task_id)
        _check_attachable(task, provider_task_id, None, account=context.account)
        try:
            connections = await context.get_connections()
            observation = await connections.client.get_task(task.media, provider_task_id)
        except TaskNotFound as exc:
            msg = f"GeekAI knows no task {quote(provider_task_id, limit=64)} for this key"
            raise InvalidDecision(msg) from exc
        # The id that the person gave, because the response may leave it out.
        observation = replace(observation, provider_task_id=provider_task_id)

        def check_and_attach(task: Task, current_holder: Task | None) -> Task:
            _check_attachable(task, provider_task_id, current_holder, account=context.account)
            if has_no_link(task):
                _check_has_result(observation, provider_task_id)
                return replace_result(task, observation, provider_task_id=provider_task_id)
            return advance(task, observation)

        return await context.ledger.assign_provider_id(task_id, provider_task_id, check_and_attach)

    async def abandon(self, task_id: str) -> Task:
        """Mark the task abandoned; sends nothing. A late response to its request still counts.

        Raises:
            InvalidDecision: its outcome is not unknown.
        """
        at = self._context.clock()
        return await self._context.change(task_id, lambda task: _abandon(task, at=at))

    async def supersede(self, task_id: str) -> Task:
        """Abandon the task and record a new one for the same request, which is not sent yet.

        If this process dies before `send`, a server sends it, once, as it does every `intended`
        task.

        Raises:
            InvalidDecision: its outcome is not unknown, so it was decided before; or it was
                accepted once, and its pictures are no longer stored.
            CapReached: no further video may be requested now; nothing has changed.
        """
        context, at = self._context, self._context.clock()

        def abandon_and_replace(task: Task) -> tuple[Task, Task]:
            if task.account != context.account:
                raise InvalidDecision(OTHER_ACCOUNT)
            if not task.request:
                msg = "The task was created elsewhere, so its request is not known here"
                raise InvalidDecision(msg)
            new = new_task(
                request=task.request,
                media=task.media,
                account=task.account,
                tenant=task.tenant,
                owner=context.processes.own_id,
                at=at,
                idempotency_key=task.idempotency_key,
                variation=task.variation,
            )
            return _abandon(task, at=at, replacement=new), context.with_price(new)

        body = await self._resolve_references(task_id)
        while True:
            with suppress(ShortIdTaken):
                return await context.ledger.supersede(
                    task_id, abandon_and_replace, check_caps, limits=context.limits, body=body
                )

    async def _resolve_references(self, task_id: str) -> Mapping[str, Any] | None:
        """The body of a task that uses others, if it is stored no longer; None otherwise."""
        context = self._context
        task = await context.require_task(task_id)
        body = await context.ledger.request_body(task)
        if not find_refs(body):
            return None
        try:
            return await context.resolve_parents(body)
        except RequestRefused as exc:
            raise InvalidDecision(exc.reason) from exc

    async def send(self, task: Task) -> Task:
        """Send the task that `supersede` recorded and wait for the response. Paid at most once.

        Raises:
            StorageUnavailable: the disk failed; its message says whether the request had been sent.
        """
        call = PendingSubmission(task.request)
        async with anyio.create_task_group() as sending:
            sending.start_soon(self._send_and_finish, task, call)
            try:
                await call.answered.wait()
            finally:
                await self._submitter.drain()
                sending.cancel_scope.cancel()
        if call.error is not None:
            raise call.error
        return await self._context.require_task(task.id)

    async def _send_and_finish(self, task: Task, call: PendingSubmission) -> None:
        try:
            await self._submitter.send(task)
        except (StorageUnavailable, LedgerTooNew) as exc:
            call.finish(exc)
        finally:
            call.finish()


def _abandon(task: Task, *, at: float, replacement: Task | None = None) -> Task:
    """The task as abandoned; the same request may have become *replacement*."""
    if task.status is not Status.UNKNOWN:
        msg = f"The task is {task.status.value}; only an unknown outcome can be resolved"
        raise InvalidDecision(msg)
    again = f" The same request became task {replacement.id}." if replacement else ""
    message = f"Abandoned by the user; the outcome is unknown. {MAYBE_CHARGED}{again}"
    abandoned = Observation(
        status=Status.ABANDONED, at=at, error_code="abandoned", error_message=message
    )
    # The next request takes over its key, so a late response to this one meets no conflict.
    return replace(advance(task, abandoned), idempotency_key=None)


def _check_attachable(
    task: Task, provider_task_id: str, current_holder: Task | None, *, account: str
) -> None:
    """Raise if the task may not get this id; *current_holder* is the task that has it, if any."""
    if task.account != account:
        raise InvalidDecision(OTHER_ACCOUNT)
    without_link = has_no_link(task)
    if task.status not in UNRESOLVED and not without_link:
        msg = f"The task is {task.status.value}; only an unknown outcome can be attached"
        raise InvalidDecision(msg)
    if not without_link and task.provider_task_id not in {None, provider_task_id}:
        msg = f"The task is already GeekAI's task {quote(str(task.provider_task_id), limit=64)}"
        raise InvalidDecision(msg)
    if current_holder is not None:
        msg = (
            f"{quote(provider_task_id, limit=64)} already belongs to task {current_holder.id}; if"
            " that is the right one, mark this one abandoned with --abandon"
        )
        raise InvalidDecision(msg)


def _check_has_result(observation: Observation, provider_task_id: str) -> None:
    """Raise unless the service's task has a link to its result."""
    if observation.result is None:
        state = "has no link either" if observation.no_link else f"is {observation.status.value}"
        msg = f"GeekAI's task {quote(provider_task_id, limit=64)} {state}"
        raise InvalidDecision(msg)
