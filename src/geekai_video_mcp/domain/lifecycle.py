"""How a task may change, and when to poll it. Pure: no I/O, no clock.

Rule 1: every change of a status goes through `advance`, and every allowed change is in
`statuses.ALLOWED`. Nothing else assigns a status; the ledger only stores what `advance` returns.

Rule 2: what the provider says about the video and what is on our disk are two facts in two
fields. A video that succeeded and could not be downloaded is not a failed video.

Rule 3: an observation of an attempt that is no longer the task's current one changes nothing.

All times are Unix seconds, UTC. All durations are seconds.
"""

from dataclasses import replace
from typing import Final

from geekai_video_mcp.domain import polling
from geekai_video_mcp.domain.polling import MAX_POLL_GAP
from geekai_video_mcp.domain.retries import PASSING_OBSTACLES, Obstacle
from geekai_video_mcp.domain.service_names import service_name
from geekai_video_mcp.domain.statuses import (
    ALLOWED,
    POLLED,
    TERMINAL,
    FileStatus,
    Status,
)
from geekai_video_mcp.domain.task_ids import new_task_id
from geekai_video_mcp.domain.tasks import Media, Observation, Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import NOT_CHARGED, SubmissionUnknown


def import_task(
    observation: Observation,
    *,
    provider_task_id: str,
    account: str,
    tenant: str = LOCAL_TENANT,
    media: Media = Media.VIDEO,
) -> Task:
    """A task that was made elsewhere with the same API key, as *observation* shows it."""
    imported = Task(
        id=new_task_id(),
        created_at=observation.at,
        account=account,
        tenant=tenant,
        model="",
        media=media,
        status=Status.PENDING,
        provider_task_id=provider_task_id,
    )
    return advance(imported, observation)


def advance(task: Task, observation: Observation) -> Task:
    """The task after *observation*; one that is late, stale or backward changes no status."""
    if observation.status is Status.SUBMITTING:
        return _claim_attempt(task, observation)
    if observation.attempt is not None and (observation.owner, observation.attempt) != (
        task.owner,
        task.attempt,
    ):
        return task
    if task.status in POLLED and observation.status is Status.UNKNOWN:
        return task  # the submission was answered before its process ended
    if (task.status, observation.status) == (Status.RUNNING, Status.PENDING):
        # It is still a response: if it were ignored, the next poll would be due at once.
        observation = replace(observation, status=Status.RUNNING)
    no_link_since = _no_link_since(task, observation)
    lost = no_link_since is not None and observation.at - no_link_since >= NO_LINK_GRACE
    if lost:
        observation = replace(observation, status=Status.SUCCEED)
    observation = _expire(task, observation)
    if observation.status is not task.status and observation.status not in ALLOWED[task.status]:
        return task
    ended = observation.status in TERMINAL
    # An error is kept as long as the status it explains: an unknown outcome is not the reason
    # of a later failure. Abandoning adds no response: the last one is still the only evidence.
    kept = observation.status in {task.status, Status.ABANDONED}
    advanced = replace(
        task,
        status=observation.status,
        provider_task_id=task.provider_task_id or observation.provider_task_id,
        model=task.model or observation.model or "",
        result=observation.result or task.result,
        ignored=observation.ignored or task.ignored,
        error_code=observation.error_code or (task.error_code if kept else None),
        error_message=observation.error_message or (task.error_message if kept else None),
        raw_response=observation.raw_response or (task.raw_response if kept else None),
        ended_at=(task.ended_at or observation.at) if ended else None,
        last_polled_at=observation.at if observation.status in POLLED else task.last_polled_at,
        next_poll_at=next_poll_time(task, observation) if observation.status in POLLED else None,
        poll_count=task.poll_count + (task.status in POLLED),
        unreachable_since=None,
        stall_reason=observation.stall_reason,
        no_link_since=no_link_since,
        # A caller that was given the earlier status has not been given the new one.
        delivered_at=task.delivered_at if observation.status is task.status else None,
    )
    if not lost:
        return advanced
    return replace(
        advanced,
        stall_reason=None,
        file_status=FileStatus.LOST,
        file_error=observation.no_link,
        file_error_code=Obstacle.NO_LINK,
    )


def _no_link_since(task: Task, observation: Observation) -> float | None:
    """Since when the service has reported success without a link; None unless it does so now.

    It begins anew after a time without answers, and after a clock was set: no server has waited
    for the link meanwhile.
    """
    if observation.no_link is None or observation.status not in POLLED:
        return None
    since, last = task.no_link_since, task.last_polled_at
    if since is None or last is None or not 0 <= observation.at - last <= 2 * MAX_POLL_GAP:
        return observation.at
    return min(since, observation.at)


def _expire(task: Task, observation: Observation) -> Observation:
    """The observation; once `GIVE_UP_AFTER` has passed, a task without a result is unknown."""
    if observation.status not in POLLED or observation.no_link is not None:
        return observation
    if not is_expired(task, at=observation.at):
        return observation
    error = SubmissionUnknown(
        f"{service_name(task.account)} had no result {GIVE_UP_AFTER / 3600:.0f} hours after it was"
        " sent"
    )
    return replace(
        observation, status=Status.UNKNOWN, error_code="no_result", error_message=error.message
    )


def is_expired(task: Task, *, at: float) -> bool:
    """Whether the task has been polled for as long as any task is."""
    return seconds_since_sent(task, at=at) >= GIVE_UP_AFTER and task.poll_count >= GIVE_UP_MIN_POLLS


def seconds_since_sent(task: Task, *, at: float) -> float:
    """Seconds from the submission of the task to *at*."""
    return max(0.0, at - (task.submitted_at or task.created_at))


def _claim_attempt(task: Task, observation: Observation) -> Task:
    """The task with the right to send it, which only its next attempt is given, and only once."""
    if Status.SUBMITTING not in ALLOWED[task.status] or observation.attempt != task.attempt + 1:
        return task
    return replace(
        task,
        status=Status.SUBMITTING,
        owner=observation.owner,
        attempt=observation.attempt,
        submitted_at=observation.at,
        error_code=None,
        error_message=None,
    )


def transfer_to_account(task: Task, observation: Observation, *, account: str) -> Task:
    """A task of an earlier key that the service has shown to this key: it belongs to this one now.

    Its idempotency key is dropped, because another request of this key may use the same one.
    """
    return replace(advance(task, observation), account=account, idempotency_key=None)


def mark_delivered(task: Task, *, at: float) -> Task:
    """The task after its final state was delivered to a caller; the first time counts."""
    return replace(task, delivered_at=task.delivered_at or at) if task.settled else task


def stop_unsent(task: Task, *, owner: str, at: float) -> Task:
    """The task as one that is never sent, if *owner* has recorded it and no byte has left."""
    if task.owner != owner or task.status not in {Status.WAITING, Status.INTENDED}:
        return task
    observation = Observation(
        status=Status.REJECTED,
        at=at,
        error_code="withdrawn",
        error_message=f"It was stopped before it was sent. {NOT_CHARGED}",
    )
    return replace(advance(task, observation), waits_for=())


def needs_watching(task: Task) -> bool:
    """Whether the task has to be polled, or its result has to be downloaded."""
    if task.status is not Status.SUCCEED:
        return task.status in POLLED
    may_pass = task.file_error_code in PASSING_OBSTACLES
    return task.file_status is FileStatus.NONE or (
        task.file_status is FileStatus.LINKED and may_pass
    )


NO_LINK_GRACE: Final = 600.0
"""Seconds for which a task is polled on that the service reports finished without a link: some
gateways report success some seconds before they have it."""

GIVE_UP_AFTER: Final = 86_400.0
"""Seconds after which an unfinished task is no longer polled in the background: the slowest
model known takes an hour."""
GIVE_UP_MIN_POLLS: Final = 120
"""Polls before that, as many as in an hour: a clock set forward by a day expires no task."""


def next_poll_time(task: Task, observation: Observation) -> float:
    """When to poll again after *observation*."""
    if observation.estimated_seconds is not None:
        return observation.at + polling.interval_from_estimate(observation.estimated_seconds)
    first = task.status not in POLLED
    delay = polling.poll_interval(
        age=seconds_since_sent(task, at=observation.at), typical=task.typical_duration, first=first
    )
    return observation.at + polling.jittered(delay, seed=f"{task.id}{task.poll_count}")


def poll_time(task: Task, *, at: float) -> float:
    """When to poll next, as things are *at* this time.

    That is now if no time is set, or one further ahead than `MAX_POLL_GAP`: the clock was set back.
    """
    planned = task.next_poll_at
    return at if planned is None or planned > at + MAX_POLL_GAP else planned


def poll_due(task: Task, *, at: float) -> bool:
    """Whether to poll now."""
    return poll_time(task, at=at) <= at
