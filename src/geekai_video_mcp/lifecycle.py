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
from geekai_video_mcp.bodies import fingerprint, without_bulk
from geekai_video_mcp.errors import SubmissionUnknown
from geekai_video_mcp.pace import AWAY_AT_MOST, Pace


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
    # Unknown by time alone: see `GIVE_UP`.
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
    """The same request finds it in place of a new task; see `admission.repeated`."""
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
WATCHED: Final = _statuses(lambda facts: facts.polled)
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
    service: str
    """Which service and key it belongs to; see `config.Settings.service`."""
    model: str
    media: Media = Media.VIDEO
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The body, with the bulk of pictures left out; empty for a task made elsewhere. The
    ledger keeps the bulk apart (`Ledger.body`): a task is read every second, and never sent."""
    idempotency_key: str | None = None
    """The caller's name for this one request; no other request may bear it."""
    variation: int | None = None
    """The caller's number for a take: another number is another request."""
    fingerprint: str | None = None
    """By which a repeat of the request is known; None for a task made elsewhere."""
    kind: str | None = None
    """What tasks that take about as long have in common; None for a task made elsewhere."""
    soonest: float | None = None
    latest: float | None = None
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
    raw_reply: str | None = None
    ended_at: float | None = None
    looked_at: float | None = None
    """When it was last seen unfinished at the service."""
    next_look_at: float | None = None
    looks: int = 0
    stale_since: float | None = None
    """Since when every look has failed; None while looks are answered."""
    watcher: str | None = None
    watched_until: float | None = None
    """The lease of the process that looks and fetches; a double look would be harmless."""
    file_status: FileStatus = FileStatus.NONE
    file_path: str | None = None
    file_bytes: int | None = None
    file_sha256: str | None = None
    file_problem: str | None = None
    fetches: int = 0
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
    def usual(self) -> Pace | None:
        """The pace of its kind; None without history."""
        if self.soonest is None or self.latest is None:
            return None
        return Pace(soonest=self.soonest, latest=self.latest)


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
    raw_reply: str | None = None
    estimated_seconds: float | None = None
    """How much longer the service expects to need, where it says so."""


@dataclass(frozen=True, kw_only=True)
class FileFact:
    """One fact learned about a task's file."""

    status: FileStatus
    path: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    problem: str | None = None


def intend(
    *,
    request: Mapping[str, Any],
    service: str,
    owner: str,
    at: float,
    media: Media = Media.VIDEO,
    idempotency_key: str | None = None,
    variation: int | None = None,
) -> Task:
    """A new task: an unguessable id, and nothing sent. *owner* is the process that will."""
    light = {name: without_bulk(value) for name, value in request.items()}
    return Task(
        id=secrets.token_hex(16),
        owner=owner,
        created_at=at,
        service=service,
        model=str(request.get("model", "")),
        media=media,
        request=light,
        idempotency_key=idempotency_key,
        variation=variation,
        fingerprint=fingerprint(media, light, variation),
        kind=pace.kind(request),
    )


def paced(task: Task, usual: Pace | None) -> Task:
    """The task with the pace of its kind, by which it will be looked at."""
    return replace(
        task,
        soonest=usual.soonest if usual else None,
        latest=usual.latest if usual else None,
    )


def adopt(
    seen: Observation, *, provider_task_id: str, service: str, media: Media = Media.VIDEO
) -> Task:
    """A task that was made elsewhere with the same key, first heard of in *seen*."""
    stranger = Task(
        id=secrets.token_hex(16),
        created_at=seen.at,
        service=service,
        model="",
        media=media,
        status=Status.PENDING,
        provider_task_id=provider_task_id,
    )
    return advance(stranger, seen)


def advance(task: Task, seen: Observation) -> Task:
    """The task as *seen* leaves it; a late, stale or backward word changes no status."""
    if seen.status is Status.SUBMITTING:
        return _claim(task, seen)
    if seen.attempt is not None and (seen.owner, seen.attempt) != (task.owner, task.attempt):
        return task
    if task.status in WATCHED and seen.status is Status.UNKNOWN:
        return task  # a submission that ended with its process, and was answered before that
    seen = _given_up(task, _forward(task, seen))
    if seen.status is not task.status and seen.status not in ALLOWED[task.status]:
        return task
    ended = seen.status in TERMINAL
    # Why it is so is kept while it is so: an unknown outcome is not why it failed later.
    # Giving it up is no answer either: the reply that came is still all the evidence there is.
    stays = seen.status in {task.status, Status.ABANDONED}
    return replace(
        task,
        status=seen.status,
        provider_task_id=task.provider_task_id or seen.provider_task_id,
        model=task.model or seen.model or "",
        result=seen.result or task.result,
        error_code=seen.error_code or (task.error_code if stays else None),
        error_message=seen.error_message or (task.error_message if stays else None),
        raw_reply=seen.raw_reply or (task.raw_reply if stays else None),
        ended_at=(task.ended_at or seen.at) if ended else None,
        looked_at=seen.at if seen.status in WATCHED else task.looked_at,
        next_look_at=look_at(task, seen) if seen.status in WATCHED else None,
        looks=task.looks + (task.status in WATCHED),
        stale_since=None,
        # Whoever was told that nobody knows has not been told how it went on.
        delivered_at=task.delivered_at if seen.status is task.status else None,
    )


def _forward(task: Task, seen: Observation) -> Observation:
    if (task.status, seen.status) == (Status.RUNNING, Status.PENDING):
        # An answer all the same: were it dropped whole, the next look would be due at once.
        return replace(seen, status=Status.RUNNING)
    return seen


def _given_up(task: Task, seen: Observation) -> Observation:
    """What was seen; after `GIVE_UP`, that it is still not done means that nobody knows."""
    if seen.status not in WATCHED or not _hopeless(task, at=seen.at):
        return seen
    why = SubmissionUnknown(f"GeekAI had no result {GIVE_UP / 3600:.0f} hours after it was sent")
    return replace(seen, status=Status.UNKNOWN, error_code="no_result", error_message=why.message)


def _hopeless(task: Task, *, at: float) -> bool:
    return _age(task, at=at) >= GIVE_UP and task.looks >= GIVE_UP_LOOKS


def _age(task: Task, *, at: float) -> float:
    return max(0.0, at - (task.submitted_at or task.created_at))


def _claim(task: Task, seen: Observation) -> Task:
    """The right to send: given once, to the next attempt of a task that is not under way."""
    if Status.SUBMITTING not in ALLOWED[task.status] or seen.attempt != task.attempt + 1:
        return task
    return replace(
        task,
        status=Status.SUBMITTING,
        owner=seen.owner,
        attempt=seen.attempt,
        submitted_at=seen.at,
        error_code=None,
        error_message=None,
    )


def inherit(task: Task, seen: Observation, *, service: str) -> Task:
    """A task of an earlier key, which the service has shown to this one: it is this one's now.

    Its name is let go of: here another request may bear it.
    """
    return replace(advance(task, seen), service=service, idempotency_key=None)


def overlook(task: Task, *, at: float, delay: float, forgotten: bool = False) -> Task:
    """The task after a look that was not answered: still what it was, and looked at later.

    *forgotten* tells that the service knows no such task: after `GIVE_UP` it never will.
    """
    if task.status not in WATCHED:
        return task
    if forgotten and _hopeless(task, at=at):
        return advance(task, Observation(status=task.status, at=at))
    # Never earlier: *delay* may be the service's own wish.
    later = pace.jittered(delay / (1 - pace.JITTER), by=f"{task.id}{task.looks}")
    return replace(
        task,
        stale_since=task.stale_since or at,
        next_look_at=at + min(later, AWAY_AT_MOST),
        looks=task.looks + 1,
    )


def deliver(task: Task, *, at: float) -> Task:
    """The task after a caller was told how it ended; the first time counts."""
    return replace(task, delivered_at=task.delivered_at or at) if task.settled else task


def keep(task: Task, fact: FileFact) -> Task:
    """The task as *fact* leaves its file; what is stored stays stored."""
    if task.status is not Status.SUCCEED or task.file_status is FileStatus.STORED:
        return task
    return replace(
        task,
        result=_without_inline(task.result) if fact.status is FileStatus.STORED else task.result,
        file_status=fact.status,
        file_path=fact.path,
        file_bytes=fact.size_bytes,
        file_sha256=fact.sha256,
        file_problem=fact.problem,
        fetches=task.fetches + (fact.status is not FileStatus.STORED),
    )


def _without_inline(result: Result | None) -> Result | None:
    """The result; a picture that stood in its link itself is on disk now, and is megabytes."""
    inline = result is not None and result.url is not None and result.url.startswith("data:")
    return replace(result, url=None) if result and inline else result


def lease(task: Task, *, watcher: str, at: float, dead: str | None = None) -> Task:
    """The task watched by *watcher* for a while, unless someone else's lease still runs.

    *dead* names a watcher known to be gone. A lease that ends later than any lease may
    was written before the clock was set back, and does not count.
    """
    theirs = task.watcher not in {None, watcher, dead}
    if theirs and at < (task.watched_until or at) <= at + LEASE:
        return task
    return replace(task, watcher=watcher, watched_until=at + LEASE)


LEASE: Final = 60.0
"""Seconds one process may watch a task unquestioned. Its death shows at once, by its lock;
the lease is for a process that lives and does nothing any more."""

GIVE_UP: Final = 86_400.0
"""Seconds after which a task that is still not done is no longer looked at unasked: the
slowest model known takes an hour."""
GIVE_UP_LOOKS: Final = 120
"""Looks before that, an hour's worth: a clock set forward by a day makes no task old."""


def look_at(task: Task, seen: Observation) -> float:
    """When to look again, given what was just seen."""
    if seen.estimated_seconds is not None:
        return seen.at + pace.hinted(seen.estimated_seconds)
    first = task.status not in WATCHED
    delay = pace.look_after(age=_age(task, at=seen.at), usual=task.usual, first=first)
    return seen.at + pace.jittered(delay, by=f"{task.id}{task.looks}")


def due(task: Task, *, at: float) -> bool:
    """Whether to look now. A time further ahead than `AWAY_AT_MOST` means a clock set back."""
    if task.next_look_at is None:
        return True
    return task.next_look_at <= at or task.next_look_at > at + AWAY_AT_MOST


RETRY_UNSENT: Final = (0.5, 1.0, 2.0)
"""Seconds before each further attempt at a request that surely did not leave."""
RETRY_LIMITED: Final = (5.0, 10.0, 20.0, 40.0)
"""Seconds before each further attempt after a 429 that names no time: refused unexecuted."""
LIMITED_AT_MOST: Final = 60.0
"""Seconds a Retry-After may hold a submission; a longer wish is the caller's to wait for."""
INTENT_LIFE: Final = 900.0
"""Seconds after which an intent that never left is dropped: nobody expects it to spend then."""


def send_again_after(
    *, tried: int, limited: bool, retry_after_seconds: float | None
) -> float | None:
    """Seconds before the next attempt at a request that did not run; None to give up.

    *tried* counts the attempts that ended this way before; *limited* tells a 429 from a
    request that never left.
    """
    delays = RETRY_LIMITED if limited else RETRY_UNSENT
    if tried >= len(delays) or (retry_after_seconds or 0.0) > LIMITED_AT_MOST:
        return None
    return max(delays[tried] if retry_after_seconds is None else 0.0, retry_after_seconds or 0.0)


FETCH_AGAIN: Final = (1.0, 5.0, 30.0, 120.0, 300.0)
"""Seconds before each further download of a result that would not come; the last repeats."""


def fetch_again_after(fetches: int) -> float:
    """Seconds before the next download, after *fetches* that failed."""
    return FETCH_AGAIN[min(fetches, len(FETCH_AGAIN)) - 1] if fetches else 0.0
