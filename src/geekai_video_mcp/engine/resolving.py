"""What a person decides about an outcome that nobody knows: attach, abandon, send again.

No tool leads here. Each decision is one transaction that looks at the task as it stands
then, so of two people who decide at once, the second is told what the first did.
"""

from dataclasses import replace
from typing import Final

import anyio

from geekai_video_mcp.admission import ExistingTasks, check_caps
from geekai_video_mcp.engine.means import EngineContext
from geekai_video_mcp.engine.submitting import PendingSubmission, Submitter
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    InvalidDecision,
    LedgerTooNew,
    StorageUnavailable,
    TaskNotFound,
    quote,
)
from geekai_video_mcp.lifecycle import Observation, Task, advance, new_task
from geekai_video_mcp.statuses import UNRESOLVED, Status


class Resolver:
    """Carries out what a person has decided."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._submitter = Submitter(context)

    async def attach(self, task_id: str, provider_task_id: str) -> Task:
        """Take the service's task of this id for the task whose outcome nobody knew. Free.

        An abandoned one may be found after all. It is followed from then on by any server.

        Raises:
            InvalidDecision: the task, or the id, does not allow it.
            NotAuthorised, ServiceUnavailable: the service could not be asked.
        """
        means = self._context
        task = await self._require(task_id)
        _check_attachable(task, provider_task_id, None, account=means.account)
        try:
            outside = await means.connections()
            seen = await outside.client.get_task(task.media, provider_task_id)
        except TaskNotFound as exc:
            msg = f"GeekAI knows no task {quote(provider_task_id, limit=64)} of this key"
            raise InvalidDecision(msg) from exc
        # By the name that the person gave: an answer may leave it out.
        seen = replace(seen, provider_task_id=provider_task_id)

        def attached(task: Task, bearer: Task | None) -> Task:
            _check_attachable(task, provider_task_id, bearer, account=means.account)
            return advance(task, seen)

        return await means.ledger.assign_provider_id(task_id, provider_task_id, attached)

    async def abandon(self, task_id: str) -> Task:
        """Give the task up; needs no service. A late answer to its own request still counts.

        Raises:
            InvalidDecision: its outcome is not unknown.
        """
        at = self._context.clock()
        return await self._context.change(task_id, lambda task: _abandoned(task, at=at))

    async def supersede(self, task_id: str) -> Task:
        """Give the task up and record a new one for the same request, which nobody has sent yet.

        Should this process die before `send`, any server does it, once, as for every intent.

        Raises:
            InvalidDecision: its outcome is not unknown, so it was decided before; or it was
                answered once, and its pictures are kept no longer.
            CapReached: no further video may be asked for now; nothing has changed.
        """
        means, at = self._context, self._context.clock()

        def superseded(task: Task) -> tuple[Task, Task]:
            if task.account != means.account:
                raise InvalidDecision(_OTHER_ACCOUNT)
            if not task.request:
                msg = "It was made elsewhere, so its request is not known here"
                raise InvalidDecision(msg)
            new = new_task(
                request=task.request,
                media=task.media,
                account=task.account,
                owner=means.processes.own_id,
                at=at,
                idempotency_key=task.idempotency_key,
                variation=task.variation,
            )
            return _abandoned(task, at=at, replacement=new), new

        def within_caps(beside: ExistingTasks) -> None:
            if means.limits is not None:
                check_caps(beside, means.limits)

        return await means.ledger.supersede(task_id, superseded, within_caps)

    async def send(self, task: Task) -> Task:
        """Send what `supersede` recorded, and wait for the answer. Costs money, at most once.

        Raises:
            StorageUnavailable: the disk failed, before or after it was sent; it says which.
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
        return await self._require(task.id)

    async def _send_and_finish(self, task: Task, call: PendingSubmission) -> None:
        try:
            await self._submitter.send(task)
        except (StorageUnavailable, LedgerTooNew) as exc:
            call.finish(exc)
        finally:
            call.finish()

    async def _require(self, task_id: str) -> Task:
        task = await self._context.ledger.find(task_id)
        if task is None:
            raise TaskNotFound(task_id)
        return task


_OTHER_ACCOUNT: Final = (
    "It belongs to another service or key; set the GEEKAI_BASE_URL and GEEKAI_API_KEY it was"
    " made with"
)


def _abandoned(task: Task, *, at: float, replacement: Task | None = None) -> Task:
    """The task as a person leaves it who gives up knowing."""
    if task.status is not Status.UNKNOWN:
        msg = f"It is {task.status.value}, and only an unknown outcome is for a person to decide"
        raise InvalidDecision(msg)
    again = f" The same request became task {replacement.id}." if replacement else ""
    words = f"A person has given it up, its outcome unknown. {MAYBE_CHARGED}{again}"
    gone = Observation(status=Status.ABANDONED, at=at, error_code="abandoned", error_message=words)
    # Its key is the next request's: a late answer must not find it taken.
    return replace(advance(task, gone), idempotency_key=None)


def _check_attachable(
    task: Task, provider_task_id: str, current_holder: Task | None, *, account: str
) -> None:
    """Raise if the task may not be given this id, which *bearer* has if anyone does."""
    if task.account != account:
        raise InvalidDecision(_OTHER_ACCOUNT)
    if task.status not in UNRESOLVED:
        msg = f"It is {task.status.value}, and only an unknown outcome can be attached"
        raise InvalidDecision(msg)
    if task.provider_task_id not in {None, provider_task_id}:
        msg = f"GeekAI knows it as {quote(str(task.provider_task_id), limit=64)} already"
        raise InvalidDecision(msg)
    if current_holder is not None:
        msg = (
            f"{quote(provider_task_id, limit=64)} is task {current_holder.id} here already; if"
            " that is its video, give this one up with --abandon"
        )
        raise InvalidDecision(msg)
