"""What servers that ended left behind: at start, and again whenever a process has died.

A request that was under way when its server died is unknown, and never sent again; one that
had not left is sent by whoever comes; an accepted one is watched. Nobody needs a key to say
that an outcome is unknown, so that holds for the tasks of other keys as well. What an earlier
key of the same service paid for is followed if the service shows it to this one.
"""

from collections.abc import Callable

from geekai_video_mcp.engine.means import EngineContext
from geekai_video_mcp.engine.submitting import Submitter
from geekai_video_mcp.engine.watching import Watcher
from geekai_video_mcp.errors import (
    NOT_CHARGED,
    GeekAIVideoError,
    ServiceUnavailable,
    SubmissionUnknown,
)
from geekai_video_mcp.lifecycle import Observation, Task, advance, transfer_to_account
from geekai_video_mcp.retries import INTENT_TTL
from geekai_video_mcp.statuses import POLLED, UNSENT, Status


class Recovery:
    """Takes up what nobody carries."""

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

    async def sweep(self) -> None:
        """Look once for what was left behind."""
        means = self._context
        means.processes.remove_stale()
        # First: what a dead process was told is no unknown outcome.
        await means.ledger.replay_journal()
        for task in await means.ledger.unfinished(means.account):
            await self.resume(task)
        for task in await means.ledger.unfinished_of_other_accounts(means.account):
            if task.status in UNSENT and not self._has_live_owner(task):
                await self._close_if_unsendable(task)

    async def resume(self, task: Task) -> None:
        """Go on with a task of ours where its last server stopped, unless one is at it."""
        if task.status not in UNSENT:
            self._watcher.watch(task.id)
        elif not self._has_live_owner(task) and not await self._close_if_unsendable(task):
            self._start(self._resend, task)

    async def adopt_from_previous_key(self) -> None:
        """Follow what earlier keys of this service paid for. Free: one look at each."""
        means = self._context
        address, _, _ = means.account.partition("#")
        for task in await means.ledger.unfinished_of_other_accounts(means.account):
            same = task.account.partition("#")[0] == address and task.status in POLLED
            if same and not (task.lease_holder and means.processes.is_alive(task.lease_holder)):
                self._start(self._adopt_task, task)

    async def _adopt_task(self, task: Task) -> None:
        means = self._context
        try:
            seen = await means.poll_now(task.media, str(task.provider_task_id))
        except GeekAIVideoError:
            return  # another account's, or no answer: its own key may still follow it
        await means.change(
            task.id, lambda task: transfer_to_account(task, seen, account=means.account)
        )
        self._watcher.watch(task.id)

    def _has_live_owner(self, task: Task) -> bool:
        """Whether somebody is at work on its submission.

        This process may have given it up, when the disk refused what came of it; and it may
        have taken up what a dead one left, and wait for the service with it.
        """
        if self._submitter.is_active(task.id):
            return True
        owners, owner = self._context.processes, task.owner
        return owner is not None and owner != owners.own_id and owners.is_alive(owner)

    async def _close_if_unsendable(self, task: Task) -> bool:
        """Whether nothing can be sent for it any more; then that is recorded, with why."""
        if task.status is Status.SUBMITTING:
            why = "The server ended while the request was under way"
            await self._record_orphan(task, Status.UNKNOWN, SubmissionUnknown(why))
            return True
        if not 0 <= self._context.clock() - task.created_at <= INTENT_TTL:
            why = "The server ended before the request was sent, too long ago to send it now"
            not_sent = ServiceUnavailable(why, money=NOT_CHARGED)
            await self._record_orphan(task, Status.REJECTED, not_sent)
            return True
        return False

    async def _record_orphan(self, task: Task, status: Status, why: GeekAIVideoError) -> None:
        seen = Observation(
            status=status,
            at=self._context.clock(),
            owner=task.owner,
            attempt=task.attempt,
            error_code="orphaned",
            error_message=why.message,
        )

        def given_up(now: Task) -> Task:
            # It may have been answered since the sweep read it.
            return advance(now, seen) if now.status is task.status else now

        await self._context.change(task.id, given_up)

    async def _resend(self, task: Task) -> None:
        """Send an intent whose process died before a byte left."""
        await self._submitter.send(task)
        self._watcher.watch(task.id)
