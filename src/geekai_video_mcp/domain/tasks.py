"""What a task is: one request, from the call to the file, and what can be learnt about it. Pure.

How it may change is in `lifecycle`. All times are Unix seconds, UTC. All durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from geekai_video_mcp.domain import polling
from geekai_video_mcp.domain.fingerprint import fingerprint, strip_inline_media
from geekai_video_mcp.domain.media import Media
from geekai_video_mcp.domain.polling import TypicalDuration
from geekai_video_mcp.domain.statuses import TERMINAL, UNRESOLVED, FileStatus, Status
from geekai_video_mcp.domain.task_ids import new_task_id
from geekai_video_mcp.domain.tenants import LOCAL_TENANT


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
    tenant: str = LOCAL_TENANT
    """Whose it is: nobody else sees it, or is counted together with it."""
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

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """The task that has exactly *fields*, each of them given.

        As `copy` and `pickle` make one: the constructor of a frozen class calls a function for
        each of its fields, which takes half as long as reading the row.
        """
        task = object.__new__(cls)
        vars(task).update(fields)
        return task

    @property
    def prompt(self) -> str:
        """The prompt of its request; empty for a film, and where the request is not known here."""
        return str(self.request.get("prompt") or "")

    @property
    def sendable_since(self) -> float:
        """Since when its request could be sent: for so long its caller has expected it."""
        return self.created_at if self.ready_at is None else self.ready_at

    @property
    def settled(self) -> bool:
        """Whether nothing will change by waiting longer."""
        if self.status is Status.SUCCEED:
            return self.file_status is not FileStatus.NONE
        return self.status in _ENDED

    @property
    def typical_duration(self) -> TypicalDuration | None:
        """The typical duration of such tasks; None without history."""
        if self.typical_p10 is None or self.typical_p95 is None:
            return None
        return TypicalDuration(p10=self.typical_p10, p95=self.typical_p95)


_ENDED: Final = TERMINAL | UNRESOLVED


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
    tenant: str = LOCAL_TENANT,
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
        tenant=tenant,
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
