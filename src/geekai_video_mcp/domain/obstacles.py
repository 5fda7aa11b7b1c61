"""What comes between a task and its result: polls that fail, and a success without a link. Pure.

An answer that is not understood is kept and shown; it never becomes a verdict by itself.
"""

from dataclasses import replace
from typing import Final

from geekai_video_mcp.domain import polling
from geekai_video_mcp.domain.lifecycle import (
    GIVE_UP_AFTER,
    advance,
    is_expired,
    seconds_since_sent,
)
from geekai_video_mcp.domain.polling import MAX_POLL_GAP
from geekai_video_mcp.domain.statuses import POLLED
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
)

UNANSWERED: Final = "GeekAI has not answered"
"""The first words of a `stall_reason` if nothing came back; "since" and a time may follow them."""
NOT_FOUND_GRACE: Final = 60.0
"""Seconds after its submission in which the service may not know a task yet: it is polled at the
normal pace, because a new task may need a moment to reach every server of a gateway."""
_MAX_REASON_CHARS: Final = 800


def record_missed_poll(
    task: Task,
    *,
    at: float,
    delay: float,
    reason: str | None = None,
    raw_response: str | None = None,
    not_found: bool = False,
    unusable: bool = False,
) -> Task:
    """The task after a poll without a usable answer: unchanged, and polled again later.

    *reason* says what came instead, and *raw_response* is that answer, None if there was none.
    *not_found* means that the service knows no such task, *unusable* that it said something that
    is no answer. Once `GIVE_UP_AFTER` has passed with that, the task becomes unknown. It does not
    if the service cannot be reached or refuses the key: it has said nothing about the task then.
    """
    if task.status not in POLLED:
        return task
    stalled_for = at - task.unreachable_since if task.unreachable_since is not None else 0.0
    hopeless = not_found or (unusable and stalled_for >= GIVE_UP_AFTER)
    if hopeless and is_expired(task, at=at):
        return advance(task, Observation(status=task.status, at=at, raw_response=raw_response))
    age = seconds_since_sent(task, at=at)
    if not_found and age < NOT_FOUND_GRACE:
        delay = min(
            delay, polling.poll_interval(age=age, typical=task.typical_duration, first=False)
        )
    # Never earlier: the service itself may have asked for *delay*.
    interval = polling.jittered(delay / (1 - polling.JITTER), seed=f"{task.id}{task.poll_count}")
    return replace(
        record_stall(task, at=at, reason=reason, raw_response=raw_response),
        next_poll_at=at + min(interval, MAX_POLL_GAP),
        poll_count=task.poll_count + 1,
    )


def record_stall(
    task: Task, *, at: float, reason: str | None, raw_response: str | None = None
) -> Task:
    """The task with the reason why nothing new is learned about it; a settled one is unchanged."""
    if task.settled:
        return task
    return replace(
        task,
        unreachable_since=task.unreachable_since or at,
        stall_reason=reason[:_MAX_REASON_CHARS] if reason else None,
        raw_response=raw_response or task.raw_response,
    )


def end_stall(task: Task) -> Task:
    """The task without the reason of a stall that is over."""
    return replace(task, unreachable_since=None, stall_reason=None)
