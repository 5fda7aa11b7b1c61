"""Resume the tasks of servers that ended: at start, and whenever another process has died.

A request that was being sent when its server died is unknown, and is never sent again. One that
had not left is sent by the next server, and an accepted one is watched. No key is needed to
record that an outcome is unknown, so this is done for the tasks of other keys as well. Tasks of
an earlier key of the same service are watched if the service shows them to the present key.
"""

import functools
from collections.abc import Callable

from geekai_video_mcp.domain.lifecycle import (
    advance,
    needs_watching,
    transfer_to_account,
)
from geekai_video_mcp.domain.retries import INTENT_TTL, LINK_TTL
from geekai_video_mcp.domain.statuses import POLLED, UNSENT, Status
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
)
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.engine.releaser import Releaser
from geekai_video_mcp.engine.submitter import Submitter
from geekai_video_mcp.engine.watcher import Watcher
from geekai_video_mcp.errors import (
    NOT_CHARGED,
    GeekAIVideoError,
    ServiceUnavailable,
    SubmissionUnknown,
)


class Recovery:
    """Resumes tasks that no live process works on."""

    def __init__(
        self,
        context: EngineContext,
        *,
        submitter: Submitter,
        watcher: Watcher,
        releaser: Releaser,
        start: Callable[..., None],
    ) -> None:
        self._context = context
        self._submitter = submitter
        self._watcher = watcher
        self._releaser = releaser
        self._start = start

    async def sweep(self) -> None:
        """Resume every unfinished task that no live process works on."""
        context = self._context
        await context.processes.refresh()
        # First: a response that a dead process wrote to the journal makes its outcome known.
        await context.ledger.replay_journal()
        for task in await context.ledger.unsent(context.account):
            await self.resume(task)
        await self._watch_unattended()
        for task in await context.ledger.retryable_downloads(
            context.account, since=context.clock() - LINK_TTL
        ):
            self._watcher.watch(task.id)
        for task in await context.ledger.unfinished_of_other_accounts(context.account):
            if task.status in UNSENT and not self._has_live_owner(task):
                if task.status is Status.WAITING:
                    await self._releaser.reject_if_hopeless(task)
                else:
                    await self._close_if_unsendable(task)

    async def resume(self, task: Task) -> None:
        """Continue an unanswered request of this account, unless a live process already does."""
        if self._has_live_owner(task):
            return
        if task.status is Status.WAITING:
            self._releaser.follow(task.id)
        elif not await self._close_if_unsendable(task):
            self._start(self._resend, task)

    async def take_up(self, task_id: str, *, may_send: bool) -> None:
        """Resume this task alone, unless a live process works on it; see `Engine.take_up`."""
        context = self._context
        await context.ledger.replay_journal()
        task = await context.require_task(task_id)
        # Read about before they are judged: in doubt a process is taken for alive.
        await context.processes.refresh({each for each in (task.owner, task.lease_holder) if each})
        if task.status is Status.SUBMITTING or (may_send and task.status in UNSENT):
            await self.resume(task)
        elif needs_watching(task) and task.account == context.account:
            self._watcher.watch(task_id)

    async def _watch_unattended(self) -> None:
        """Watch every task of this account that no live process watches."""
        own_id, at = self._context.processes.own_id, self._context.clock()
        is_alive = functools.cache(self._context.processes.is_alive)
        for lease in await self._context.ledger.leases_of_others(
            self._context.account, holder=own_id, at=at
        ):
            if not (lease.is_valid(at=at) and is_alive(str(lease.holder))):
                self._watcher.watch(lease.task_id)

    async def adopt_from_previous_key(self) -> None:
        """Watch the tasks that earlier keys of this service paid for. Free: one poll for each."""
        context = self._context
        address, _, _ = context.account.partition("#")
        adoptable = [
            task
            for task in await context.ledger.unfinished_of_other_accounts(context.account)
            if task.account.partition("#")[0] == address and task.status in POLLED
        ]
        # In doubt a process is taken for alive, and nobody looks here a second time.
        await context.processes.refresh({str(task.lease_holder) for task in adoptable})
        for task in adoptable:
            if not (task.lease_holder and context.processes.is_alive(task.lease_holder)):
                self._start(self._adopt_task, task)

    async def _adopt_task(self, task: Task) -> None:
        context = self._context
        try:
            observation = await context.poll_now(task.media, str(task.provider_task_id))
        except GeekAIVideoError:
            return  # another account's task, or no answer: its own key may still watch it
        await context.change(
            task.id, lambda task: transfer_to_account(task, observation, account=context.account)
        )
        self._watcher.watch(task.id)

    def _has_live_owner(self, task: Task) -> bool:
        """Whether a live process works on its submission.

        The owner alone does not tell for this process: it may have stopped because the disk
        refused the outcome, or it may be sending what a dead process left.
        """
        if self._submitter.is_active(task.id):
            return True
        processes, owner = self._context.processes, task.owner
        return owner is not None and owner != processes.own_id and processes.is_alive(owner)

    async def _close_if_unsendable(self, task: Task) -> bool:
        """Record why the request can no longer be sent, if it cannot; return whether that is so."""
        if task.status is Status.SUBMITTING:
            why = "The server ended while the request was being sent"
            await self._record_orphan(task, Status.UNKNOWN, SubmissionUnknown(why))
            return True
        if not 0 <= self._context.clock() - task.sendable_since <= INTENT_TTL:
            why = "The server ended before the request was sent, too long ago to send it now"
            not_sent = ServiceUnavailable(why, money=NOT_CHARGED)
            await self._record_orphan(task, Status.REJECTED, not_sent)
            return True
        return False

    async def _record_orphan(self, task: Task, status: Status, why: GeekAIVideoError) -> None:
        observation = Observation(
            status=status,
            at=self._context.clock(),
            owner=task.owner,
            attempt=task.attempt,
            error_code="orphaned",
            error_message=why.message,
        )

        def close(current: Task) -> Task:
            # It may have been answered since the sweep read it.
            return advance(current, observation) if current.status is task.status else current

        closed = await self._context.change(task.id, close)
        if closed.status is Status.UNKNOWN:
            self._context.counters.count_submission(task.model, "unknown")

    async def _resend(self, task: Task) -> None:
        """Send a recorded request whose process died before a byte left."""
        self._watcher.watch(task.id, leased=await self._submitter.send(task))
