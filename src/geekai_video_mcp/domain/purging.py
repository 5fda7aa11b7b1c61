"""Which tasks a person may have removed from the record, with their prompts and files. Pure.

What somebody may still have to decide about, what a server still works on, and what the caps of the
last 24 hours count stays, whatever the person asks for.
"""

from collections.abc import Iterable
from enum import StrEnum

from geekai_video_mcp.domain.lifecycle import needs_watching
from geekai_video_mcp.domain.retries import LINK_TTL
from geekai_video_mcp.domain.spending import DAY
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.storage import is_in_use
from geekai_video_mcp.domain.tasks import Task


class Stays(StrEnum):
    """Why a task is not removed, as the command says it."""

    UNKNOWN = "of unknown outcome"
    UNFINISHED = "not finished"
    NOT_FETCHED = "whose file is still being fetched"
    IN_USE = "that an unfinished task uses"
    RECENT = "of the last 24 hours, which the caps count"
    LATER = "of a later day"


def find_reason_to_stay(
    task: Task, *, at: float, before: float, unfinished: Iterable[Task]
) -> Stays | None:
    """Why the task stays; None if it may be removed. *before*: when it was made at the latest."""
    if task.status is Status.UNKNOWN:
        return Stays.UNKNOWN
    if not task.settled:
        return Stays.UNFINISHED
    if task.created_at >= before:
        return Stays.LATER
    if task.created_at >= at - DAY:
        return Stays.RECENT
    if needs_watching(task) and (task.ended_at or 0.0) > at - LINK_TTL:
        return Stays.NOT_FETCHED
    return Stays.IN_USE if is_in_use(task, unfinished) else None
