"""When a request that uses the results of unfinished tasks is sent, and when it never is. Pure.

The tasks that it waits for are its parents. It is sent when all of them have succeeded and what
they made is on this machine, or is known not to come. It is rejected when one of them ends
without a result, and when it could have been sent for `INTENT_TTL` and no server ran.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from geekai_video_mcp.domain.admission import ExistingTasks
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.retries import INTENT_TTL
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import shorten_ids
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
)
from geekai_video_mcp.domain.wording import join_words
from geekai_video_mcp.errors import NOT_CHARGED
from geekai_video_mcp.quoting import as_sentence

PARENT_FAILED: Final = "parent_failed"
PARENT_UNUSABLE: Final = "parent_unusable"
EXPIRED: Final = "orphaned"
"""Error codes of waiting requests that are never sent."""
REFRESH_INTERVAL: Final = 60.0
"""Seconds after which it is recorded again that a live server keeps a request waiting."""


class ParentState(StrEnum):
    """What a task can give to a request that uses its result."""

    UNFINISHED = "unfinished"
    """It may still succeed, also if its outcome is unknown."""
    SAVING = "saving"
    """It has succeeded, and its file is being downloaded."""
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why a waiting request is never sent."""

    why: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be done about a waiting request now."""

    rejection: Rejection | None = None
    """Why it is never sent; None if it may be."""
    waits_for: tuple[str, ...] = ()
    """The parents that are not ready yet."""
    ready_at: float | None = None
    """Since when it can be sent, if all its parents have succeeded."""


def parent_state(task: Task) -> ParentState:
    """What *task* can give to a request that uses its result now."""
    if task.status in {Status.FAILED, Status.REJECTED, Status.ABANDONED}:
        return ParentState.FAILED
    if task.status is not Status.SUCCEED:
        return ParentState.UNFINISHED
    return ParentState.READY if task.settled else ParentState.SAVING


def judge(task: Task, parents: Mapping[str, Task], *, at: float) -> Verdict:
    """What is to be done about *task*, which waits for *parents*, by their ids, at *at*."""
    states = {each: parent_state(parents[each]) for each in task.waits_for if each in parents}
    failed = [each for each in task.waits_for if states.get(each) in {None, ParentState.FAILED}]
    if failed:
        (name,) = shorten_ids(failed[:1])
        parent = parents.get(failed[0])
        state = f"ended as {parent.status}" if parent else "is no longer recorded"
        why = f"Task {name}, whose result it uses, {state}, so it was not sent"
        return Verdict(rejection=Rejection(why=why, code=PARENT_FAILED))
    waits_for = tuple(each for each, state in states.items() if state is not ParentState.READY)
    if ParentState.UNFINISHED in states.values():
        return Verdict(waits_for=waits_for)
    ends = (parents[each].ended_at or 0.0 for each in task.waits_for)
    ready_at = max(task.created_at, task.ready_at or 0.0, *ends)
    if not 0 <= at - ready_at <= INTENT_TTL:
        why = "No server ran when it could be sent, and now that is too long ago"
        return Verdict(rejection=Rejection(why=why, code=EXPIRED))
    return Verdict(waits_for=waits_for, ready_at=ready_at)


def reject(task: Task, rejection: Rejection, *, at: float) -> Task:
    """The waiting task as one that is never sent; any other as it is."""
    if task.status is not Status.WAITING:
        return task
    again = "Make the request again when what it uses is finished."
    observation = Observation(
        status=Status.REJECTED,
        at=at,
        error_code=rejection.code,
        error_message=f"{as_sentence(rejection.why)} {NOT_CHARGED} {again}",
    )
    return replace(advance(task, observation), waits_for=())


def keep_waiting(task: Task, verdict: Verdict, *, at: float) -> Task:
    """The task as it goes on waiting after *verdict*.

    That a live server keeps it waiting is recorded at most once in `REFRESH_INTERVAL`.
    """
    if task.status is not Status.WAITING:
        return task
    ready_at = task.ready_at if verdict.ready_at is None else verdict.ready_at
    if verdict.ready_at is not None and at - verdict.ready_at >= REFRESH_INTERVAL:
        ready_at = at
    return replace(task, waits_for=verdict.waits_for, ready_at=ready_at)


def release(
    task: Task,
    existing: ExistingTasks,
    *,
    ready_at: float,
    owner: str,
    at: float,
) -> Task:
    """The task as one that *owner* is to send now; it goes on waiting while too many are in flight.

    A task that does not wait any more is returned as it is: another process was first.
    """
    if task.status is not Status.WAITING:
        return task
    if is_full(existing):
        return keep_waiting(task, Verdict(ready_at=ready_at), at=at)
    released = advance(task, Observation(status=Status.INTENDED, at=at))
    return replace(released, owner=owner, ready_at=ready_at, waits_for=())


def is_full(existing: ExistingTasks) -> bool:
    """Whether too many videos are in progress for another one to be sent."""
    limits = existing.limits
    return limits is not None and existing.in_flight >= limits.in_flight


def waiting_text(waits_for: Sequence[str]) -> str:
    """What a waiting request waits for, as the rest of a sentence about it.

    Without a task, it waits until the cap on videos in progress lets it be sent.
    """
    if not waits_for:
        return "is sent when fewer videos are in progress"
    several = len(waits_for) > 1
    tasks = f"tasks {join_words(shorten_ids(waits_for), 'and')}"
    if not several:
        tasks = f"task {shorten_ids(waits_for)[0]}"
    return f"waits for {tasks}, and is sent when {'those are' if several else 'that is'} done"
