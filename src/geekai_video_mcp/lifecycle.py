"""What a task is, how it may change, and when to look at it again. Pure: no I/O, no clock.

Rule 1: every change of a status goes through `advance`, and every allowed change is in
`ALLOWED`. Nothing else assigns a status; the ledger only stores what `advance` returns.
What each status means for caps, sweeps, polls and repeats is said in `FACTS`, and nowhere else.

Rule 2: what the provider says of the video and what we have on disk are two facts in two
fields. A video that succeeded and could not be downloaded is not a failed video.

Rule 3: an observation made by an attempt that is no longer the task's own changes nothing.

All times are Unix seconds, UTC. All durations are seconds.

    intended → submitting → pending/running → succeed → (stored)
       │  ↑        │   │           └→ failed
       │  └────────┤   └→ unknown → (a late answer, or a person) pending/running/...
       └→ rejected ┘         └→ abandoned → (a late answer, or a person) pending/running/...
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from geekai_video_mcp import pace
from geekai_video_mcp.bodies import fingerprint, strip_inline_media
from geekai_video_mcp.errors import SubmissionUnknown
from geekai_video_mcp.pace import MAX_POLL_GAP, TypicalDuration


class Status(StrEnum):
    """Where a task stands with the provider."""

    INTENDED = "intended"
    """Recorded, and no byte has left: safe to submit."""
    SUBMITTING = "submitting"
    """The POST may be under way. If its process dies here, the outcome is unknown."""
    PENDING = "pending"
    RUNNING = "running"
    SUCCEED = "succeed"
    FAILED = "failed"
    """The provider took the task and gave up on it."""
    REJECTED = "rejected"
    """The provider refused the request, or it never left: nothing was charged."""
    UNKNOWN = "unknown"
    """The request left and no usable answer came, or no result in all the time that we look.
    Only a person may send it again."""
    ABANDONED = "abandoned"
    """A person has given up an unknown outcome: nothing is sent for it or looked at."""


ALLOWED: Final[Mapping[Status, frozenset[Status]]] = {
    Status.INTENDED: frozenset({Status.SUBMITTING, Status.REJECTED}),
    Status.SUBMITTING: frozenset(
        {
            Status.INTENDED,  # surely not sent, or refused unexecuted (429)
            Status.PENDING,
            Status.RUNNING,
            Status.SUCCEED,
            Status.FAILED,
            Status.REJECTED,
            Status.UNKNOWN,
        }
    ),
    # Unknown by time alone: see `GIVE_UP_AFTER`.
    Status.PENDING: frozenset({Status.RUNNING, Status.SUCCEED, Status.FAILED, Status.UNKNOWN}),
    Status.RUNNING: frozenset({Status.SUCCEED, Status.FAILED, Status.UNKNOWN}),
    # Late truth wins: the attempt that owns the POST may still hear its answer, and a person
    # may find the task at the service, after having given it up as well.
    Status.UNKNOWN: frozenset(
        {Status.PENDING, Status.RUNNING, Status.SUCCEED, Status.FAILED, Status.ABANDONED}
    ),
    Status.ABANDONED: frozenset({Status.PENDING, Status.RUNNING, Status.SUCCEED, Status.FAILED}),
    Status.SUCCEED: frozenset(),
    Status.FAILED: frozenset(),
    Status.REJECTED: frozenset(),
}


@dataclass(frozen=True, kw_only=True)
class StatusFacts:
    """What holds for every task of one status. No fact has a default: each is decided."""

    counts_today: bool
    """It counts under the cap on videos a day."""
    in_flight: bool
    """It counts under the cap on videos in flight: it may be at work at the service."""
    unfinished: bool
    """A server has to do something for it, by itself: every sweep takes it up."""
    unsent: bool
    """Its request has not been answered: it has to be sent, or is under way."""
    polled: bool
    """Only the service can change it: it has to be asked."""
    needs_body: bool
    """Its request may have to be sent, now or when a person says so."""
    binds_duplicate: bool
    """The same request finds it in place of a new task; see `admission.find_duplicate`."""
    holds_key: bool
    """No other request may bear its idempotency key. A unique index in `ledger.rows` says
    the same, so another answer here needs a migration that replaces the index."""
    unresolved: bool
    """Nobody works on it, and only new facts or a person change it."""
    no_result: bool
    """It has come to an end, for now or for good, that is no result."""


FACTS: Final[Mapping[Status, StatusFacts]] = {
    Status.INTENDED: StatusFacts(
        counts_today=True,
        in_flight=True,
        unfinished=True,
        unsent=True,
        polled=False,
        needs_body=True,
        binds_duplicate=True,
        holds_key=True,
        unresolved=False,
        no_result=False,
    ),
    Status.SUBMITTING: StatusFacts(
        counts_today=True,
        in_flight=True,
        unfinished=True,
        unsent=True,
        polled=False,
        needs_body=True,  # after a 429 it is sent again
        binds_duplicate=True,
        holds_key=True,
        unresolved=False,
        no_result=False,
    ),
    Status.PENDING: StatusFacts(
        counts_today=True,
        in_flight=True,
        unfinished=True,
        unsent=False,
        polled=True,
        needs_body=False,
        binds_duplicate=True,
        holds_key=True,
        unresolved=False,
        no_result=False,
    ),
    Status.RUNNING: StatusFacts(
        counts_today=True,
        in_flight=True,
        unfinished=True,
        unsent=False,
        polled=True,
        needs_body=False,
        binds_duplicate=True,
        holds_key=True,
        unresolved=False,
        no_result=False,
    ),
    # Unfinished no more; its file may be, which is another fact, in another column.
    Status.SUCCEED: StatusFacts(
        counts_today=True,
        in_flight=False,
        unfinished=False,
        unsent=False,
        polled=False,
        needs_body=False,
        binds_duplicate=True,
        holds_key=True,
        unresolved=False,
        no_result=False,
    ),
    Status.FAILED: StatusFacts(
        counts_today=True,
        in_flight=False,
        unfinished=False,
        unsent=False,
        polled=False,
        needs_body=False,
        binds_duplicate=True,
        holds_key=True,
        unresolved=False,
        no_result=True,
    ),
    # Nothing was charged for it, and the same request may work now: it binds nothing.
    Status.REJECTED: StatusFacts(
        counts_today=False,
        in_flight=False,
        unfinished=False,
        unsent=False,
        polled=False,
        needs_body=False,
        binds_duplicate=False,
        holds_key=False,
        unresolved=False,
        no_result=True,
    ),
    # It keeps its place until it is decided, or for a day, which no generation outlasts.
    Status.UNKNOWN: StatusFacts(
        counts_today=True,
        in_flight=True,
        unfinished=False,
        unsent=False,
        polled=False,
        needs_body=True,
        binds_duplicate=True,
        holds_key=True,
        unresolved=True,
        no_result=True,
    ),
    # A person has decided that the same request is a new one.
    Status.ABANDONED: StatusFacts(
        counts_today=True,
        in_flight=False,
        unfinished=False,
        unsent=False,
        polled=False,
        needs_body=False,
        binds_duplicate=False,
        holds_key=True,
        unresolved=True,
        no_result=True,
    ),
}
"""The one place that says what a status means: every set of statuses below is read from it,
and so is every statement of the ledger that names statuses. A status that is missing here
stops the import."""


def _statuses(holds: Callable[[StatusFacts], bool]) -> frozenset[Status]:
    """The statuses whose facts *holds* is true of."""
    return frozenset(status for status in Status if holds(FACTS[status]))


COUNTED_TODAY: Final = _statuses(lambda facts: facts.counts_today)
IN_FLIGHT: Final = _statuses(lambda facts: facts.in_flight)
UNFINISHED: Final = _statuses(lambda facts: facts.unfinished)
UNSENT: Final = _statuses(lambda facts: facts.unsent)
POLLED: Final = _statuses(lambda facts: facts.polled)
BODY_NEEDED: Final = _statuses(lambda facts: facts.needs_body)
BINDING: Final = _statuses(lambda facts: facts.binds_duplicate)
KEY_HOLDING: Final = _statuses(lambda facts: facts.holds_key)
UNRESOLVED: Final = _statuses(lambda facts: facts.unresolved)
NO_RESULT: Final = _statuses(lambda facts: facts.no_result)
TERMINAL: Final = frozenset(status for status in Status if not ALLOWED[status])
"""Statuses with no way out."""


class Media(StrEnum):
    """What a task makes, and so which of the service's endpoints knows it."""

    VIDEO = "video"
    IMAGE = "image"


class FileStatus(StrEnum):
    """Where a succeeded task's result stands on our disk."""

    NONE = "none"
    STORED = "stored"
    LOST = "lost"
    """The service no longer has it, and neither do we."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a succeeded task came to, in the provider's words."""

    id: str | None = None
    url: str | None = None
    cover_image_url: str | None = None
    last_frame_url: str | None = None
    duration: float | None = None
    revised_prompt: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One request for a video or a picture, from the wish to the file."""

    id: str
    created_at: float
    account: str
    """Which service and key it belongs to; see `config.Settings.account`."""
    model: str
    media: Media = Media.VIDEO
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The body without its inline media; empty for a task made elsewhere. The ledger keeps the
    whole body apart (`Ledger.request_body`): a task is read every second, and never sent."""
    idempotency_key: str | None = None
    """The caller's name for this one request; no other request may bear it."""
    variation: int | None = None
    """The caller's number for a take: another number is another request."""
    fingerprint: str | None = None
    """By which a repeat of the request is known; None for a task made elsewhere."""
    duration_key: str | None = None
    """What tasks that take about as long have in common; None for a task made elsewhere."""
    typical_p10: float | None = None
    typical_p95: float | None = None
    """The pace of its kind when it was asked for, in seconds; None without history."""
    status: Status = Status.INTENDED
    owner: str | None = None
    """The process that submits it; if it dies before an answer, so does what it knew."""
    attempt: int = 0
    submitted_at: float | None = None
    provider_task_id: str | None = None
    result: Result | None = None
    error_code: str | None = None
    error_message: str | None = None
    raw_response: str | None = None
    ended_at: float | None = None
    last_polled_at: float | None = None
    """When it was last seen unfinished at the service."""
    next_poll_at: float | None = None
    poll_count: int = 0
    unreachable_since: float | None = None
    """Since when every look has failed; None while looks are answered."""
    lease_holder: str | None = None
    lease_expires_at: float | None = None
    """The lease of the process that looks and fetches; a double look would be harmless."""
    file_status: FileStatus = FileStatus.NONE
    file_path: str | None = None
    file_bytes: int | None = None
    file_sha256: str | None = None
    file_error: str | None = None
    failed_downloads: int = 0
    """Downloads that failed so far."""
    delivered_at: float | None = None
    """When a caller was first told how it stands since it settled: a repeat after that is a
    new wish."""

    @property
    def settled(self) -> bool:
        """Whether waiting any longer could bring nothing new by itself."""
        if self.status is Status.SUCCEED:
            return self.file_status is not FileStatus.NONE
        return self.status in TERMINAL | UNRESOLVED

    @property
    def typical_duration(self) -> TypicalDuration | None:
        """The pace of its kind; None without history."""
        if self.typical_p10 is None or self.typical_p95 is None:
            return None
        return TypicalDuration(p10=self.typical_p10, p95=self.typical_p95)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One fact learned about a task. Fields left None say nothing."""

    status: Status
    at: float
    owner: str | None = None
    attempt: int | None = None
    """With `owner`: the attempt that saw this. A stale attempt's word changes nothing."""
    provider_task_id: str | None = None
    model: str | None = None
    result: Result | None = None
    error_code: str | None = None
    error_message: str | None = None
    raw_response: str | None = None
    estimated_seconds: float | None = None
    """How much longer the service expects to need, where it says so."""


@dataclass(frozen=True, kw_only=True)
class FileUpdate:
    """One fact learned about a task's file."""

    status: FileStatus
    path: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    error: str | None = None


def new_task(
    *,
    request: Mapping[str, Any],
    account: str,
    owner: str,
    at: float,
    media: Media = Media.VIDEO,
    idempotency_key: str | None = None,
    variation: int | None = None,
) -> Task:
    """A new task: an unguessable id, and nothing sent. *owner* is the process that will."""
    light = {name: strip_inline_media(value) for name, value in request.items()}
    return Task(
        id=secrets.token_hex(16),
        owner=owner,
        created_at=at,
        account=account,
        model=str(request.get("model", "")),
        media=media,
        request=light,
        idempotency_key=idempotency_key,
        variation=variation,
        fingerprint=fingerprint(media, light, variation),
        duration_key=pace.duration_key(request),
    )


def with_typical_duration(task: Task, typical: TypicalDuration | None) -> Task:
    """The task with the pace of its kind, by which it will be looked at."""
    return replace(
        task,
        typical_p10=typical.p10 if typical else None,
        typical_p95=typical.p95 if typical else None,
    )


def import_task(
    observation: Observation, *, provider_task_id: str, account: str, media: Media = Media.VIDEO
) -> Task:
    """A task that was made elsewhere with the same key, first heard of in *observation*."""
    stranger = Task(
        id=secrets.token_hex(16),
        created_at=observation.at,
        account=account,
        model="",
        media=media,
        status=Status.PENDING,
        provider_task_id=provider_task_id,
    )
    return advance(stranger, observation)


def advance(task: Task, observation: Observation) -> Task:
    """The task as *observation* leaves it; a late, stale or backward word changes no status."""
    if observation.status is Status.SUBMITTING:
        return _claim_attempt(task, observation)
    if observation.attempt is not None and (observation.owner, observation.attempt) != (
        task.owner,
        task.attempt,
    ):
        return task
    if task.status in POLLED and observation.status is Status.UNKNOWN:
        return task  # a submission that ended with its process, and was answered before that
    observation = _expire(task, _without_regression(task, observation))
    if observation.status is not task.status and observation.status not in ALLOWED[task.status]:
        return task
    ended = observation.status in TERMINAL
    # Why it is so is kept while it is so: an unknown outcome is not why it failed later.
    # Giving it up is no answer either: the reply that came is still all the evidence there is.
    stays = observation.status in {task.status, Status.ABANDONED}
    return replace(
        task,
        status=observation.status,
        provider_task_id=task.provider_task_id or observation.provider_task_id,
        model=task.model or observation.model or "",
        result=observation.result or task.result,
        error_code=observation.error_code or (task.error_code if stays else None),
        error_message=observation.error_message or (task.error_message if stays else None),
        raw_response=observation.raw_response or (task.raw_response if stays else None),
        ended_at=(task.ended_at or observation.at) if ended else None,
        last_polled_at=observation.at if observation.status in POLLED else task.last_polled_at,
        next_poll_at=next_poll_time(task, observation) if observation.status in POLLED else None,
        poll_count=task.poll_count + (task.status in POLLED),
        unreachable_since=None,
        # Whoever was told that nobody knows has not been told how it went on.
        delivered_at=task.delivered_at if observation.status is task.status else None,
    )


def _without_regression(task: Task, observation: Observation) -> Observation:
    if (task.status, observation.status) == (Status.RUNNING, Status.PENDING):
        # An answer all the same: were it dropped whole, the next look would be due at once.
        return replace(observation, status=Status.RUNNING)
    return observation


def _expire(task: Task, observation: Observation) -> Observation:
    """What was seen; after `GIVE_UP_AFTER`, that it is still not done means that nobody knows."""
    if observation.status not in POLLED or not _is_expired(task, at=observation.at):
        return observation
    why = SubmissionUnknown(
        f"GeekAI had no result {GIVE_UP_AFTER / 3600:.0f} hours after it was sent"
    )
    return replace(
        observation, status=Status.UNKNOWN, error_code="no_result", error_message=why.message
    )


def _is_expired(task: Task, *, at: float) -> bool:
    return _age(task, at=at) >= GIVE_UP_AFTER and task.poll_count >= GIVE_UP_MIN_POLLS


def _age(task: Task, *, at: float) -> float:
    return max(0.0, at - (task.submitted_at or task.created_at))


def _claim_attempt(task: Task, observation: Observation) -> Task:
    """The right to send: given once, to the next attempt of a task that is not under way."""
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
    """A task of an earlier key, which the service has shown to this one: it is this one's now.

    Its name is let go of: here another request may bear it.
    """
    return replace(advance(task, observation), account=account, idempotency_key=None)


def record_missed_poll(task: Task, *, at: float, delay: float, not_found: bool = False) -> Task:
    """The task after a look that was not answered: still what it was, and looked at later.

    *not_found* tells that the service knows no such task: after `GIVE_UP_AFTER` it never will.
    """
    if task.status not in POLLED:
        return task
    if not_found and _is_expired(task, at=at):
        return advance(task, Observation(status=task.status, at=at))
    # Never earlier: *delay* may be the service's own wish.
    later = pace.jittered(delay / (1 - pace.JITTER), seed=f"{task.id}{task.poll_count}")
    return replace(
        task,
        unreachable_since=task.unreachable_since or at,
        next_poll_at=at + min(later, MAX_POLL_GAP),
        poll_count=task.poll_count + 1,
    )


def mark_delivered(task: Task, *, at: float) -> Task:
    """The task after a caller was told how it ended; the first time counts."""
    return replace(task, delivered_at=task.delivered_at or at) if task.settled else task


def record_file(task: Task, update: FileUpdate) -> Task:
    """The task as *update* leaves its file; what is stored stays stored."""
    if task.status is not Status.SUCCEED or task.file_status is FileStatus.STORED:
        return task
    return replace(
        task,
        result=_without_inline(task.result) if update.status is FileStatus.STORED else task.result,
        file_status=update.status,
        file_path=update.path,
        file_bytes=update.size_bytes,
        file_sha256=update.sha256,
        file_error=update.error,
        failed_downloads=task.failed_downloads + (update.status is not FileStatus.STORED),
    )


def _without_inline(result: Result | None) -> Result | None:
    """The result; a picture that stood in its link itself is on disk now, and is megabytes."""
    inline = result is not None and result.url is not None and result.url.startswith("data:")
    return replace(result, url=None) if result and inline else result


def acquire_lease(task: Task, *, holder: str, at: float, dead_holder: str | None = None) -> Task:
    """The task watched by *holder* for a while, unless someone else's lease still runs.

    *dead_holder* names a watcher known to be gone. A lease that ends later than any lease may
    was written before the clock was set back, and does not count.
    """
    theirs = task.lease_holder not in {None, holder, dead_holder}
    if theirs and at < (task.lease_expires_at or at) <= at + LEASE_SECONDS:
        return task
    return replace(task, lease_holder=holder, lease_expires_at=at + LEASE_SECONDS)


LEASE_SECONDS: Final = 60.0
"""Seconds one process may watch a task unquestioned. Its death shows at once, by its lock;
the lease is for a process that lives and does nothing any more."""

GIVE_UP_AFTER: Final = 86_400.0
"""Seconds after which a task that is still not done is no longer looked at unasked: the
slowest model known takes an hour."""
GIVE_UP_MIN_POLLS: Final = 120
"""Looks before that, an hour's worth: a clock set forward by a day makes no task old."""


def next_poll_time(task: Task, observation: Observation) -> float:
    """When to look again, given what was just seen."""
    if observation.estimated_seconds is not None:
        return observation.at + pace.interval_from_estimate(observation.estimated_seconds)
    first = task.status not in POLLED
    delay = pace.poll_interval(
        age=_age(task, at=observation.at), typical=task.typical_duration, first=first
    )
    return observation.at + pace.jittered(delay, seed=f"{task.id}{task.poll_count}")


def poll_due(task: Task, *, at: float) -> bool:
    """Whether to look now. A time further ahead than `MAX_POLL_GAP` means a clock set back."""
    if task.next_poll_at is None:
        return True
    return task.next_poll_at <= at or task.next_poll_at > at + MAX_POLL_GAP


RETRY_UNSENT: Final = (0.5, 1.0, 2.0)
"""Seconds before each further attempt at a request that surely did not leave."""
RATE_LIMIT_DELAYS: Final = (5.0, 10.0, 20.0, 40.0)
"""Seconds before each further attempt after a 429 that names no time: refused unexecuted."""
MAX_RETRY_AFTER: Final = 60.0
"""Seconds a Retry-After may hold a submission; a longer wish is the caller's to wait for."""
INTENT_TTL: Final = 900.0
"""Seconds after which an intent that never left is dropped: nobody expects it to spend then."""


def retry_delay(*, tried: int, limited: bool, retry_after_seconds: float | None) -> float | None:
    """Seconds before the next attempt at a request that did not run; None to give up.

    *tried* counts the attempts that ended this way before; *limited* tells a 429 from a
    request that never left.
    """
    delays = RATE_LIMIT_DELAYS if limited else RETRY_UNSENT
    if tried >= len(delays) or (retry_after_seconds or 0.0) > MAX_RETRY_AFTER:
        return None
    return max(delays[tried] if retry_after_seconds is None else 0.0, retry_after_seconds or 0.0)


DOWNLOAD_RETRY_DELAYS: Final = (1.0, 5.0, 30.0, 120.0, 300.0)
"""Seconds before each further download of a result that would not come; the last repeats."""


def download_retry_delay(failed_downloads: int) -> float:
    """Seconds before the next download, after *fetches* that failed."""
    return (
        DOWNLOAD_RETRY_DELAYS[min(failed_downloads, len(DOWNLOAD_RETRY_DELAYS)) - 1]
        if failed_downloads
        else 0.0
    )
