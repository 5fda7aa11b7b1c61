"""Sends the requests that waited for other tasks, when those have finished.

Each waiting task is followed by the process that recorded it, or by any other once that is gone.
Whether it is sent is decided in one transaction, so that two processes never send it twice.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import anyio

from geekai_video_mcp.domain import waiting
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Task,
    new_task,
)
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.engine.submitter import Submitter
from geekai_video_mcp.engine.watcher import Watcher
from geekai_video_mcp.errors import RequestRefused, ServiceUnavailable

CHECK_INTERVAL: Final = 10.0
"""Seconds after which the tasks that a request waits for are read again: another process may be
their watcher. What changes in this process is noticed at once."""


class Releaser:
    """Follows the waiting tasks of this process."""

    def __init__(
        self,
        context: EngineContext,
        *,
        submitter: Submitter,
        watcher: Watcher,
        start: Callable[..., None],
    ) -> None:
        self._context = context
        self._submitter = submitter
        self._watcher = watcher
        self._start = start
        self._followed: set[str] = set()

    def follow(self, task_id: str) -> None:
        """Send the task when what it waits for has finished, unless it is followed already."""
        if task_id not in self._followed:
            self._followed.add(task_id)
            self._start(self._send_when_ready, task_id)

    async def reject_if_hopeless(self, task: Task) -> None:
        """Record that the task is never sent, if that is so; no key is needed for it."""
        verdict = await self._judge(task)
        if verdict.rejection is not None:
            await self._reject(task, verdict.rejection)

    async def _send_when_ready(self, task_id: str) -> None:
        try:
            with self._context.signals.listen() as changes:
                while True:
                    task = await self._context.require_task(task_id)
                    if task.status is not Status.WAITING:
                        return
                    if (released := await self._try_to_release(task)) is not None:
                        self._watcher.watch(task_id, leased=await self._submitter.send(released))
                        return
                    with anyio.move_on_after(CHECK_INTERVAL):
                        await changes.wait()
        finally:
            self._followed.discard(task_id)

    async def _try_to_release(self, task: Task) -> Task | None:
        """The task, for this process to send now; None if it waits on, or is never sent."""
        context = self._context
        verdict = await self._judge(task)
        if verdict.rejection is not None:
            await self._reject(task, verdict.rejection)
            return None
        ready_at = verdict.ready_at
        if verdict.waits_for or ready_at is None or await self._is_cap_full():
            kept = partial(waiting.keep_waiting, verdict=verdict, at=context.clock())
            if kept(task) != task:
                await context.change(task.id, kept)
            return None
        try:
            body = await context.resolve_parents(await context.ledger.request_body(task))
        except ServiceUnavailable:
            return None
        except RequestRefused as exc:
            why = f"It was not sent, because of {exc.reason}"
            rejection = waiting.Rejection(why=why, code=waiting.PARENT_UNUSABLE)
            await self._reject(task, rejection)
            return None
        released = await context.release(task.id, body=body, ready_at=ready_at)
        ours = released.owner == context.processes.own_id
        return released if ours and released.status is Status.INTENDED else None

    async def _is_cap_full(self) -> bool:
        """Asked before pictures are decoded; `Ledger.release` decides."""
        context = self._context
        probe = new_task(
            request={},
            account=context.account,
            tenant=context.tenant,
            owner="",
            at=context.clock(),
        )
        (existing,) = await context.ledger.existing_for([(probe, {})], limits=context.limits)
        return waiting.is_full(existing)

    async def _reject(self, task: Task, rejection: waiting.Rejection) -> None:
        reject = partial(waiting.reject, rejection=rejection, at=self._context.clock())
        await self._context.change(task.id, reject)

    async def _judge(self, task: Task) -> waiting.Verdict:
        found = [await self._context.ledger.find(parent) for parent in task.waits_for]
        parents = {parent.id: parent for parent in found if parent is not None}
        return waiting.judge(task, parents, at=self._context.clock())
