"""What a copy of the ledger must not do once it is restored. Pure."""

from typing import Final

from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.statuses import UNSENT, Status
from geekai_video_mcp.domain.tasks import Observation, Task
from geekai_video_mcp.errors import MAYBE_CHARGED

WHY: Final = (
    "This task comes from a backup, in which it had not been sent. The server may have sent it"
    f" since. {MAYBE_CHARGED} Look for it at GeekAI before it is sent again."
)


def mark_unsent_as_unknown(task: Task, *, at: float) -> Task:
    """The task as a copy keeps it: what was about to be sent may have been, once that is restored.

    A server would send it a second time, or take it for one that was not charged.
    """
    if task.status not in UNSENT:
        return task
    ready = Observation(status=Status.INTENDED, at=at, owner=task.owner, attempt=task.attempt)
    claim = Observation(status=Status.SUBMITTING, at=at, owner=task.owner, attempt=task.attempt + 1)
    claimed = advance(advance(task, ready), claim)
    unknown = Observation(
        status=Status.UNKNOWN,
        at=at,
        owner=claimed.owner,
        attempt=claimed.attempt,
        error_code="restored",
        error_message=WHY,
    )
    return advance(claimed, unknown)
