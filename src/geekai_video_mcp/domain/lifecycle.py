"""What a task is, how it may change, and when to poll it. Pure: no I/O, no clock.

Rule 1: every change of a status goes through `advance`, and every allowed change is in
`statuses.ALLOWED`. Nothing else assigns a status; the ledger only stores what `advance` returns.

Rule 2: what the provider says about the video and what is on our disk are two facts in two
fields. A video that succeeded and could not be downloaded is not a failed video.

Rule 3: an observation of an attempt that is no longer the task's current one changes nothing.

All times are Unix seconds, UTC. All durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from geekai_video_mcp.domain import polling
from geekai_video_mcp.domain.fingerprint import fingerprint, strip_inline_media
from geekai_video_mcp.domain.polling import MAX_POLL_GAP, TypicalDuration
from geekai_video_mcp.domain.retries import PASSING_OBSTACLES, Obstacle
from geekai_video_mcp.domain.service_names import service_name
from geekai_video_mcp.domain.statuses import (
    ALLOWED,
    POLLED,
    TERMINAL,
    UNRESOLVED,
    FileStatus,
    Status,
)
from geekai_video_mcp.domain.task_ids import new_task_id
from geekai_video_mcp.errors import SubmissionUnknown


class Media(StrEnum):
    """What a task generates, and so which endpoint of the service it belongs to."""

    VIDEO = "video"
    IMAGE = "image"
    FILM = "film"
    """Videos joined on this machine: no endpoint has a part in it. See `films`."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a succeeded task, with the provider's names."""

    id: str | None = None
    url: str | None = None
    cover_image_url: str | None = None
    last_frame_url: str | None = None
    duration: float | None = None
    revised_prompt: str | None = None
    notes: tuple[str, ...] = ()
    """Of a film: what was changed in order to join its parts, a sentence each."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One request for a video or an image, from the call to the file."""

    id: str
    created_at: float
    account: str
    """Which service and key it belongs to; see `config.Settings.account`."""
    model: str
    media: Media = Media.VIDEO
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The body without its inline media, and with references in the place of the tasks that it
    uses; empty for a task made elsewhere. The ledger stores the body that is to be sent separately
    (`Ledger.request_body`), because tasks are read every second."""
    idempotency_key: str | None = None
    """The caller's key for this one request; no other request may use it."""
    variation: int | None = None
    """The caller's number for a variation: a different number makes a different request."""
    fingerprint: str | None = None
    """Identifies duplicates of the request; None for a task made elsewhere."""
    duration_key: str | None = None
    """The same for tasks that take about as long; None for a task made elsewhere."""
    price_cny: float | None = None
    """The listed price of the whole request when it was made: it is never worked out again. None
    if it was not known then, of a preview, and of a task made elsewhere."""
    price_source: str | None = None
    price_read_on: str | None = None
    typical_p10: float | None = None
    typical_p95: float | None = None
    """The typical duration of such tasks at its creation, in seconds; None without history."""
    status: Status = Status.INTENDED
    waits_for: tuple[str, ...] = ()
    """The ids of the tasks that it waits for; empty unless it is `waiting`."""
    ready_at: float | None = None
    """Since when a task that has waited for others can be sent: since the last of them ended, or
    since a server last kept it waiting all the same."""
    owner: str | None = None
    """The process that submits it; if that dies before it records a response, none is known."""
    attempt: int = 0
    submitted_at: float | None = None
    provider_task_id: str | None = None
    result: Result | None = None
    ignored: str | None = None
    """The names of the fields of the request that had no effect, as the sandbox lists them."""
    error_code: str | None = None
    error_message: str | None = None
    raw_response: str | None = None
    ended_at: float | None = None
    last_polled_at: float | None = None
    """When a poll last found it unfinished."""
    next_poll_at: float | None = None
    poll_count: int = 0
    unreachable_since: float | None = None
    """Since when every poll has failed; None while polls bring usable answers."""
    stall_reason: str | None = None
    """Why the last poll failed, or what was odd about its answer, as a sentence."""
    no_link_since: float | None = None
    """Since when the service has reported it finished without a link to the result."""
    lease_holder: str | None = None
    lease_expires_at: float | None = None
    """When the lease of the process that polls and downloads ends; a double poll is harmless."""
    file_status: FileStatus = FileStatus.NONE
    file_path: str | None = None
    file_bytes: int | None = None
    file_sha256: str | None = None
    file_seconds: float | None = None
    file_width: int | None = None
    """Of the upright picture, in pixels."""
    file_height: int | None = None
    file_fps: float | None = None
    file_has_sound: bool | None = None
    """None if it is not known, and of a picture."""
    file_error: str | None = None
    file_error_code: str | None = None
    """The kind of `file_error`, such as `no_link`."""
    failed_downloads: int = 0
    """The number of downloads that have failed so far."""
    delivered_at: float | None = None
    """When its final state was first delivered to a caller: the same request after that is a
    new one."""

    @property
    def sendable_since(self) -> float:
        """Since when its request could be sent: for so long its caller has expected it."""
        return self.created_at if self.ready_at is None else self.ready_at

    @property
    def settled(self) -> bool:
        """Whether nothing will change by waiting longer."""
        if self.status is Status.SUCCEED:
            return self.file_status is not FileStatus.NONE
        return self.status in TERMINAL | UNRESOLVED

    @property
    def typical_duration(self) -> TypicalDuration | None:
        """The typical duration of such tasks; None without history."""
        if self.typical_p10 is None or self.typical_p95 is None:
            return None
        return TypicalDuration(p10=self.typical_p10, p95=self.typical_p95)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one response or event says about a task. A field that is None says nothing."""

    status: Status
    at: float
    owner: str | None = None
    attempt: int | None = None
    """With `owner`: the attempt that observed this. A stale attempt changes nothing."""
    provider_task_id: str | None = None
    model: str | None = None
    result: Result | None = None
    error_code: str | None = None
    error_message: str | None = None
    raw_response: str | None = None
    estimated_seconds: float | None = None
    """The remaining time that the service estimates, if it does."""
    ignored: str | None = None
    no_link: str | None = None
    """With an unfinished status: the service reports success without a link, and this sentence
    is shown if none comes."""
    stall_reason: str | None = None
    """What is odd about the response, as a sentence, although the task goes on."""


@dataclass(frozen=True, kw_only=True)
class FileUpdate:
    """What one download says about the file of a task."""

    status: FileStatus
    path: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    has_sound: bool | None = None
    error: str | None = None
    error_code: str | None = None


def new_task(
    *,
    request: Mapping[str, Any],
    account: str,
    owner: str,
    at: float,
    media: Media = Media.VIDEO,
    idempotency_key: str | None = None,
    variation: int | None = None,
    waits_for: tuple[str, ...] = (),
) -> Task:
    """A new task with an unguessable id, not sent yet. *owner* is the process that will send it.

    *waits_for* are the ids of the tasks that have to finish before that.
    """
    stripped = {name: strip_inline_media(value) for name, value in request.items()}
    return Task(
        id=new_task_id(),
        owner=owner,
        created_at=at,
        account=account,
        model=str(request.get("model", "")),
        media=media,
        request=stripped,
        idempotency_key=idempotency_key,
        variation=variation,
        fingerprint=fingerprint(media, stripped, variation),
        duration_key=polling.duration_key(request),
        status=Status.WAITING if waits_for else Status.INTENDED,
        waits_for=waits_for,
    )


def with_typical_duration(task: Task, typical: TypicalDuration | None) -> Task:
    """The task with the typical duration of such tasks, which sets the times of its polls."""
    return replace(
        task,
        typical_p10=typical.p10 if typical else None,
        typical_p95=typical.p95 if typical else None,
    )


def import_task(
    observation: Observation, *, provider_task_id: str, account: str, media: Media = Media.VIDEO
) -> Task:
    """A task that was made elsewhere with the same API key, as *observation* shows it."""
    imported = Task(
        id=new_task_id(),
        created_at=observation.at,
        account=account,
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


def poll_due(task: Task, *, at: float) -> bool:
    """Whether to poll now. A time further ahead than `MAX_POLL_GAP` means a clock set back."""
    if task.next_poll_at is None:
        return True
    return task.next_poll_at <= at or task.next_poll_at > at + MAX_POLL_GAP
