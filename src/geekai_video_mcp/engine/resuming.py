"""What servers that ended left behind: at start, and again whenever a process has died.

A request that was under way when its server died is unknown, and never sent again; one that
had not left is sent by whoever comes; an accepted one is watched. Nobody needs a key to say
that an outcome is unknown, so that holds for the tasks of other keys as well. What an earlier
key of the same service paid for is followed if the service shows it to this one.
"""

from collections.abc import Callable

from geekai_video_mcp.engine.means import Means
from geekai_video_mcp.engine.submitting import Submitting
from geekai_video_mcp.engine.watching import Watching
from geekai_video_mcp.errors import GeekAIVideoError, ServiceUnavailable, SubmissionUnknown
from geekai_video_mcp.lifecycle import (
    INTENT_TTL,
    POLLED,
    UNSENT,
    Observation,
    Status,
    Task,
    advance,
    transfer_to_account,
)


class Resuming:
    """Takes up what nobody carries."""

    def __init__(
        self,
        means: Means,
        *,
        submitting: Submitting,
        watching: Watching,
        start: Callable[..., None],
    ) -> None:
        self._means = means
        self._submitting = submitting
        self._watching = watching
        self._start = start

    async def sweep(self) -> None:
        """Look once for what was left behind."""
        means = self._means
        means.owners.remove_stale()
        # First: what a dead process was told is no unknown outcome.
        await means.ledger.replay_journal()
        for task in await means.ledger.unfinished(means.service):
            await self.take_up(task)
        for task in await means.ledger.unfinished_of_other_accounts(means.service):
            if task.status in UNSENT and not self._carried(task):
                await self._bury(task)

    async def take_up(self, task: Task) -> None:
        """Go on with a task of ours where its last server stopped, unless one is at it."""
        if task.status not in UNSENT:
            self._watching.begin(task.id)
        elif not self._carried(task) and not await self._bury(task):
            self._start(self._resend, task)

    async def inherit(self) -> None:
        """Follow what earlier keys of this service paid for. Free: one look at each."""
        means = self._means
        address, _, _ = means.service.partition("#")
        for task in await means.ledger.unfinished_of_other_accounts(means.service):
            same = task.account.partition("#")[0] == address and task.status in POLLED
            if same and not (task.lease_holder and means.owners.is_alive(task.lease_holder)):
                self._start(self._inherit, task)

    async def _inherit(self, task: Task) -> None:
        means = self._means
        try:
            seen = await means.look_now(task.media, str(task.provider_task_id))
        except GeekAIVideoError:
            return  # another account's, or no answer: its own key may still follow it
        await means.change(
            task.id, lambda now: transfer_to_account(now, seen, account=means.service)
        )
        self._watching.begin(task.id)

    def _carried(self, task: Task) -> bool:
        """Whether somebody is at work on its submission.

        This process may have given it up, when the disk refused what came of it; and it may
        have taken up what a dead one left, and wait for the service with it.
        """
        if self._submitting.carries(task.id):
            return True
        owners, owner = self._means.owners, task.owner
        return owner is not None and owner != owners.own_id and owners.is_alive(owner)

    async def _bury(self, task: Task) -> bool:
        """Whether nothing can be sent for it any more; then that is recorded, with why."""
        if task.status is Status.SUBMITTING:
            why = "The server ended while the request was under way"
            await self._orphaned(task, Status.UNKNOWN, SubmissionUnknown(why))
            return True
        if not 0 <= self._means.clock() - task.created_at <= INTENT_TTL:
            why = "The server ended before the request was sent, too long ago to send it now"
            await self._orphaned(task, Status.REJECTED, ServiceUnavailable(why))
            return True
        return False

    async def _orphaned(self, task: Task, status: Status, why: GeekAIVideoError) -> None:
        seen = Observation(
            status=status,
            at=self._means.clock(),
            owner=task.owner,
            attempt=task.attempt,
            error_code="orphaned",
            error_message=why.message,
        )

        def given_up(now: Task) -> Task:
            # It may have been answered since the sweep read it.
            return advance(now, seen) if now.status is task.status else now

        await self._means.change(task.id, given_up)

    async def _resend(self, task: Task) -> None:
        """Send an intent whose process died before a byte left."""
        await self._submitting.send(task)
        self._watching.begin(task.id)
