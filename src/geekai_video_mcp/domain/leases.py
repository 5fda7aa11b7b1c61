"""Which process watches a task: the one whose lease has not expired. Pure."""

from dataclasses import replace
from typing import Final

from geekai_video_mcp.domain.tasks import Task

LEASE_SECONDS: Final = 60.0
"""Seconds for which one process may watch a task. Its lock shows at once when it dies; the
lease is for a process that is alive and no longer does anything."""


def acquire_lease(task: Task, *, holder: str, at: float, dead_holder: str | None = None) -> Task:
    """The task leased to *holder*, unless another process holds a lease that has not expired.

    *dead_holder* is a process known to have ended. A lease with more than `LEASE_SECONDS` left
    was written before the clock was set back, and does not count.
    """
    leased_to_other = task.lease_holder not in {None, holder, dead_holder}
    if leased_to_other and at < (task.lease_expires_at or at) <= at + LEASE_SECONDS:
        return task
    return replace(task, lease_holder=holder, lease_expires_at=at + LEASE_SECONDS)
