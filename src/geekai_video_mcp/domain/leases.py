"""Which process watches a task: the one whose lease has not expired. Pure.

A lock shows at once when that process dies; the lease is for a process that is alive and no longer
does anything.
"""

from dataclasses import dataclass, replace
from typing import Final

from geekai_video_mcp.domain.polling import MAX_POLL_GAP
from geekai_video_mcp.domain.statuses import POLLED
from geekai_video_mcp.domain.tasks import Task

LEASE_SECONDS: Final = 60.0
"""Seconds for which one process may download a result, unless it renews the lease."""
POLL_LEASE_SECONDS: Final = MAX_POLL_GAP + LEASE_SECONDS
"""Seconds for which one process may poll a task, unless it renews the lease. Each poll does, in the
transaction that records it, and no two are further apart than this."""


CLOCK_TOLERANCE: Final = 5.0
"""Seconds by which the clocks of two processes may differ, or that of one seem to go back: on
several machines it is the database's, and reading that takes five seconds at most."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who watches a task, and until when; nobody without a holder."""

    task_id: str
    holder: str | None
    expires_at: float | None

    def is_valid(self, *, at: float) -> bool:
        """Whether it has not expired.

        One that lasts longer than any does was written before the clock was set back.
        """
        if self.holder is None or self.expires_at is None:
            return False
        return at < self.expires_at <= at + POLL_LEASE_SECONDS + CLOCK_TOLERANCE


def acquire_lease(task: Task, *, holder: str, at: float, dead_holder: str | None = None) -> Task:
    """The task leased to *holder*, unless another process holds a valid lease.

    *dead_holder* is a process known to have ended.
    """
    lease = Lease(task_id=task.id, holder=task.lease_holder, expires_at=task.lease_expires_at)
    if lease.holder not in {holder, dead_holder} and lease.is_valid(at=at):
        return task
    seconds = POLL_LEASE_SECONDS if task.status in POLLED else LEASE_SECONDS
    return replace(task, lease_holder=holder, lease_expires_at=at + seconds)
