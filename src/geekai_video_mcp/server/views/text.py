"""A task as text: what happened and what to do next, for a model that reads only text. Pure."""

from datetime import UTC, datetime
from typing import Final, Literal

from geekai_video_mcp.config import SANDBOX_MODEL
from geekai_video_mcp.domain import catalogue, moderation
from geekai_video_mcp.domain.lifecycle import Media, Task
from geekai_video_mcp.domain.obstacles import UNANSWERED
from geekai_video_mcp.domain.result_file import has_no_link, live_link
from geekai_video_mcp.domain.retries import LINK_TTL, Obstacle
from geekai_video_mcp.domain.service_names import service_name
from geekai_video_mcp.domain.statuses import NO_RESULT, POLLED, FileStatus, Status
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    NOT_CHARGED,
    RATE_LIMITED,
    WRONG_SERVICE,
    as_sentence,
    quote,
    sanitize,
)
from geekai_video_mcp.server.arguments import MAX_WAIT_SECONDS

WAITING_FOR_LINK: Final = "GeekAI reports it finished and has not given its link yet"
PREVIEW_LABEL: Final = "A sandbox preview, not made by GeekAI."

LONG_STALL: Final = 600.0
"""Seconds without a usable answer from GeekAI, after which no caller is asked to wait for it: what
keeps a key refused or a task unknown for ten minutes needs a person."""
MAX_LINK_CHARS: Final = 4000
"""Characters of a link that are shown: signed links have up to two thousand."""

PublicStatus = Literal["submitting", "pending", "running", "succeed", "failed", "unknown"]
PUBLIC_STATUS: Final[dict[Status, PublicStatus]] = {
    Status.INTENDED: "submitting",
    Status.SUBMITTING: "submitting",
    Status.PENDING: "pending",
    Status.RUNNING: "running",
    Status.SUCCEED: "succeed",
    Status.FAILED: "failed",
    Status.REJECTED: "failed",
    Status.UNKNOWN: "unknown",
    Status.ABANDONED: "failed",
}
MEDIA_NOUN: Final = {Media.VIDEO: "a video", Media.IMAGE: "an image"}


def task_text(task: Task, *, at: float, sandbox: bool, same_account: bool = True) -> str:
    """What happened and what to do next, in a line or two."""
    if has_no_link(task):
        headline = no_link_text(task, sandbox=sandbox)
    elif task.status is Status.SUCCEED:
        headline = _success_text(task, sandbox=sandbox) + _stall_note(task)
    elif task.status is Status.FAILED:
        error = ": ".join(part for part in (task.error_code, task.error_message) if part)
        reason = as_sentence(quote(error) if error else "it gave no reason")
        charge = _charge_note(sandbox=sandbox)
        service = service_name(task.account)
        headline = f"{service} could not make the {task.media}: {reason} {charge}"
    elif task.status in NO_RESULT:
        # The message was written when the task ended, with its cost and the next step.
        headline = task.error_message or _DEFAULT_MESSAGES[task.status]
    else:
        headline = f"The {task.media} is {progress_text(task, at=at)} so far."
        if task.no_link_since is not None and task.status in POLLED:
            elapsed = f"{elapsed_seconds(task, at=at):.0f} s"
            headline = f"{WAITING_FOR_LINK} ({elapsed} so far)."
        headline += _stall_note(task)
    return (
        f"{headline} {next_step(task, at=at, sandbox=sandbox, same_account=same_account)}"
        f" Task {task.id}."
    )


def no_link_text(task: Task, *, sandbox: bool) -> str:
    """What the service has reported in place of a result, and whether that was charged."""
    return f"{task.file_error} {_charge_note(sandbox=sandbox)}"


def stall_text(task: Task) -> str | None:
    """Why nothing new is learned about the task; None if nothing is odd."""
    since, reason = iso_time(task.unreachable_since), task.stall_reason
    if task.settled or (since is None and reason is None):
        return None
    if since is None:
        return reason
    unanswered = f"{UNANSWERED} since {since}"
    if reason is None:
        return f"{unanswered}."
    if reason.startswith(UNANSWERED):
        return f"{unanswered}{reason.removeprefix(UNANSWERED)}"
    return f"{as_sentence(reason)} No poll has worked since {since}."


def _stall_note(task: Task) -> str:
    text = stall_text(task)
    return f" {text}" if text else ""


def duplicate_text(task: Task, *, at: float, sandbox: bool) -> str:
    """The text for a task that an earlier, equal request has created."""
    # An idempotency key belongs to one request for good: with the same key, a request with
    # another variation would be refused.
    argument = "idempotency_key" if task.idempotency_key else "variation"
    advice = "" if task.status is Status.UNKNOWN else f" For another take, add a new {argument}."
    return (
        f"This is the task of the same request {max(0, at - task.created_at):.0f} s ago: nothing"
        f" new was sent.{advice} {task_text(task, at=at, sandbox=sandbox)}"
    )


def progress_text(task: Task, *, at: float) -> str:
    """The message of a progress notification."""
    downloading = task.status is Status.SUCCEED and task.file_status is FileStatus.NONE
    state = "downloading" if downloading else PUBLIC_STATUS[task.status]
    if task.no_link_since is not None and task.status in POLLED:
        state = "finished, waiting for its link"
    return f"{state}, {elapsed_seconds(task, at=at):.0f} s"


def elapsed_seconds(task: Task, *, at: float) -> float:
    """Seconds from the request to the end of the task, or to *at* while it is not finished."""
    return max(0.0, (task.ended_at or at) - task.created_at)


def next_step(task: Task, *, at: float, sandbox: bool, same_account: bool = True) -> str:
    """What the model should do now, in one sentence or two."""
    if not same_account and not task.settled:
        return (
            "It was made with another service or key: tell the user that only a server started"
            " with the same GEEKAI_BASE_URL and GEEKAI_API_KEY can follow it."
        )
    if task.status is Status.SUCCEED:
        return _after_no_link(task) if has_no_link(task) else _after_success(task, sandbox=sandbox)
    if task.status is Status.FAILED:
        return moderation.advice(task.error_code) or _AFTER_FAILURE
    if task.status is Status.UNKNOWN:
        return _resolve_hint(task, sandbox=sandbox)
    if task.status in NO_RESULT:
        return _after_refusal(task)
    stalled_for = at - task.unreachable_since if task.unreachable_since is not None else 0.0
    return _AFTER_LONG_STALL if stalled_for >= LONG_STALL else _WAIT


_WAIT: Final = f"Call get_video_task with this task_id and wait_seconds {MAX_WAIT_SECONDS}."
_AFTER_LONG_STALL: Final = (
    "Tell the user why nothing is learned about it. This server keeps polling; call get_video_task"
    " again when the reason is gone."
)
_AFTER_FAILURE: Final = "Read the error, change the request where it says so, and generate again."
_UNRELATED_TO_REQUEST: Final = frozenset(
    {
        "unauthorized",
        "insufficient_balance",
        "forbidden",
        RATE_LIMITED,
        WRONG_SERVICE,
        "unreachable",
        "unavailable",
        "ledger_too_new",
        "storage_unavailable",
    }
)
"""Error codes of refusals that any other request would have met as well."""


def _after_refusal(task: Task) -> str:
    known_models = {SANDBOX_MODEL, *catalogue.models()}
    unknown_model = task.media is Media.VIDEO and task.model not in known_models
    about_request = task.error_code not in _UNRELATED_TO_REQUEST and not moderation.advice(
        task.error_code
    )
    if task.status is Status.REJECTED and unknown_model and about_request:
        return f"If it is the model's name: {catalogue.unknown_model_message(task.model)}."
    return "Nothing is under way for this task."


def _after_no_link(task: Task) -> str:
    return (
        f"Tell the user; geekai-video-mcp tasks fetch {task.id} asks GeekAI once more. If it was"
        " filtered, change the prompt or the picture before generating again."
    )


def _after_success(task: Task, *, sandbox: bool) -> str:
    if task.file_status is FileStatus.STORED and task.file_error_code == Obstacle.OTHER_FORMAT:
        return "Show the user the file."
    if task.file_status is FileStatus.STORED and task.media is Media.IMAGE:
        return f"Show the user the file; generate_video with image task:{task.id} makes it move."
    if task.file_status is FileStatus.STORED:
        return (
            f"Show the user the file; image task:{task.id} begins a next shot with its last frame."
        )
    if task.file_status is FileStatus.NONE:
        return f"It is being downloaded; call get_video_task with wait_seconds {MAX_WAIT_SECONDS}."
    return _after_failed_download(task, sandbox=sandbox)


def _after_failed_download(task: Task, *, sandbox: bool) -> str:
    fetch = f"geekai-video-mcp tasks fetch {task.id}"
    if task.file_status is FileStatus.LINKED:
        give = (
            "Give the user the link, to open or save it. "
            if _offered_link(task, sandbox=sandbox)
            else "Tell the user. "
        )
        if task.file_error_code in {Obstacle.OUTPUT_FOLDER, Obstacle.DISK_FULL}:
            mend = f"when the folder can be written, {fetch} saves it."
            return f"{give}Do not generate it again: {mend}"
        return f"{give}On the command line, {fetch} tries once more."
    return (
        f"Tell the user that the link is dead; GeekAI's console may have the {task.media}, and"
        f" {fetch} asks for a new link."
    )


def _resolve_hint(task: Task, *, sandbox: bool) -> str:
    """How to resolve an unknown outcome: only a person may do it, outside the conversation."""
    command = f"geekai-video-mcp tasks resolve {task.id}"
    if sandbox:  # it has no console to look into
        return f"Tell the user to decide on the command line: {command} --abandon, or --resubmit."
    sent = iso_time(task.submitted_at) or "that time"
    provider_id = task.provider_task_id
    target = f"{MEDIA_NOUN[task.media]} sent at {sent} or soon after"
    if provider_id:
        target = f"task {quote(provider_id, limit=64)}"
    return (
        f"Tell the user to look in GeekAI's console for {target}, and to decide on the command"
        f" line: {command} --attach ITS_ID, --abandon, or --resubmit."
    )


def _success_text(task: Task, *, sandbox: bool) -> str:
    label = f" {PREVIEW_LABEL}" if sandbox else ""
    problem = f" {as_sentence(task.file_error)}" if task.file_error else ""
    if task.file_status is FileStatus.STORED:
        size = f"{(task.file_bytes or 0) / 1e6:.1f} MB"
        return f"The {task.media} is finished: {task.file_path} ({size}).{problem}{label}"
    link = _offered_link(task, sandbox=sandbox)
    offer = (
        f" Its link, good until {iso_time(link_expiry(task, sandbox=sandbox))}: {link}"
        if link
        else ""
    )
    if task.file_status is FileStatus.LINKED:
        copy = f" What came is kept in {task.file_path}." if task.file_path else ""
        failure = f"The {task.media} is ready, and this server cannot fetch it."
        return f"{failure}{problem}{copy}{label}{offer}"
    if task.file_status is FileStatus.LOST:
        loss = f"The {task.media} was finished at GeekAI and cannot be fetched any more."
        return f"{loss}{problem} {_charge_note(sandbox=sandbox)}{label}"
    waiting = f"The {task.media} is finished at GeekAI and not on disk yet."
    return f"{waiting}{problem}{label}{offer if problem else ''}"


def link_of(task: Task, *, sandbox: bool) -> str | None:
    """The result's link as a person can open it; None if there is none, as in the sandbox."""
    url = task.result.url if task.result else None
    # A response may contain an image itself as a data URI, which is far too long to be shown.
    if url is None or sandbox or url.startswith("data:"):
        return None
    return sanitize(url, limit=MAX_LINK_CHARS)


def _offered_link(task: Task, *, sandbox: bool) -> str | None:
    """The link that a person can open, unless it is dead or would act on this machine."""
    return link_of(task, sandbox=sandbox) if live_link(task) else None


def link_expiry(task: Task, *, sandbox: bool) -> float | None:
    """When the result's link ends, in Unix seconds; None if nobody can say."""
    if task.ended_at is None or link_of(task, sandbox=sandbox) is None:
        return None
    return task.ended_at + LINK_TTL


_DEFAULT_MESSAGES: Final = {
    Status.REJECTED: f"It was not accepted. {NOT_CHARGED}",
    Status.UNKNOWN: f"No answer came. {MAYBE_CHARGED}",
    Status.ABANDONED: f"A person has given it up. {MAYBE_CHARGED}",
}


def _charge_note(*, sandbox: bool) -> str:
    return NOT_CHARGED if sandbox else MAYBE_CHARGED


def iso_time(at: float | None) -> str | None:
    """*at*, Unix seconds, as an ISO 8601 time in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at is not None else None
