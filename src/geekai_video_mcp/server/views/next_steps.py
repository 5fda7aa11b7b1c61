"""What the model should do next, by the state of a task. Pure."""

from typing import Final

from geekai_video_mcp.domain import catalogue, moderation
from geekai_video_mcp.domain.result_file import has_no_link
from geekai_video_mcp.domain.retries import Obstacle
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL
from geekai_video_mcp.domain.statuses import NO_RESULT, FileStatus, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.domain.tenants import tasks_command
from geekai_video_mcp.domain.waiting import EXPIRED, PARENT_FAILED, PARENT_UNUSABLE
from geekai_video_mcp.errors import (
    RATE_LIMITED,
    WRONG_SERVICE,
)
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server import MAX_WAIT_SECONDS
from geekai_video_mcp.server.views.report import TaskReport
from geekai_video_mcp.server.views.times import iso_time

PREVIEW_LABEL: Final = "a sandbox preview, not made by GeekAI"
MEDIA_NOUN: Final = {Media.VIDEO: "a video", Media.IMAGE: "an image", Media.FILM: "a film"}
WAIT: Final = f"Call get_video_task with this task_id and wait_seconds {MAX_WAIT_SECONDS}."
_AFTER_LONG_STALL: Final = (
    "Tell the user why there is no news of it. This server keeps polling; call get_video_task again"
    " when the reason is gone."
)
_OTHER_ACCOUNT: Final = (
    "It was made with another service or key: tell the user that only a server started with the"
    " same GEEKAI_BASE_URL and GEEKAI_API_KEY can follow it."
)
_OTHER_KEY: Final = (
    "It was made with another GeekAI key: tell the user that this server follows it again with the"
    " next request that has that key in its header X-GeekAI-Key, or once the operator has named it"
    " for them."
)
"""For a caller who has no part in how the server was started."""
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
        PARENT_FAILED,
        PARENT_UNUSABLE,
        EXPIRED,
    }
)
"""Error codes of refusals that say nothing about the model or the settings."""


def next_step(report: TaskReport) -> str:
    """What the model should do now, in a sentence or a few."""
    step = _next_step_of_task(report)
    task = report.task
    if not report.deduplicated or report.is_film or task.status is Status.UNKNOWN:
        return step
    # An idempotency key belongs to one request for good: with the same key, a request with
    # another variation would be refused.
    argument = "idempotency_key" if task.idempotency_key else "variation"
    return f"{step} For another take, call {report.tool} with a new {argument}."


def _next_step_of_task(report: TaskReport) -> str:
    task = report.task
    if not report.same_account and not task.settled:
        return _OTHER_KEY if report.remote else _OTHER_ACCOUNT
    if task.status is Status.SUCCEED:
        return _after_no_link(report) if has_no_link(task) else _after_success(report)
    if task.status is Status.FAILED:
        return _after_failure(report)
    if task.status is Status.UNKNOWN:
        return _after_unknown(report)
    if task.status in NO_RESULT:
        return _after_refusal(report)
    return _AFTER_LONG_STALL if report.stalled_long else WAIT


def _after_failure(report: TaskReport) -> str:
    task = report.task
    if report.is_film:
        return "The same join_videos call tries again."
    change = ", changed if the reason asks for it" if task.error_message else ""
    again = f"To try again, send it as a new request with {report.tool}{change}."
    return moderation.advice(task.error_code) or again


def _after_refusal(report: TaskReport) -> str:
    task = report.task
    known_models = {SANDBOX_MODEL, *catalogue.models()}
    unknown_model = task.media is Media.VIDEO and task.model not in known_models
    about_request = task.error_code not in _UNRELATED_TO_REQUEST and not moderation.advice(
        task.error_code
    )
    if task.status is Status.REJECTED and unknown_model and about_request:
        return f"If the model name is wrong: {catalogue.unknown_model_message(task.model)}."
    return "Nothing is under way for this task."


def _after_no_link(report: TaskReport) -> str:
    task = report.task
    return (
        f"Tell the user, who can ask {'the sandbox' if report.sandbox else 'GeekAI'} once more"
        f" with: {tasks_command(task.tenant)} fetch {short_id(task.id)}. If the {task.media} was"
        " filtered, change the prompt or the picture before you generate again."
    )


def _after_success(report: TaskReport) -> str:
    task = report.task
    is_preview = f"this is {PREVIEW_LABEL}"
    if report.is_film:
        is_preview = "this film has sandbox previews in it, not made by GeekAI"
    label = f"Tell the user that {is_preview}. " if report.sandbox else ""
    if task.file_status is FileStatus.NONE:
        return label + WAIT
    if task.file_status is FileStatus.DELETED:
        return label + _after_deletion(report)
    if not report.stored:
        return label + _after_failed_download(report)
    if task.file_error_code == Obstacle.OTHER_FORMAT:
        return f"{label}Give the user the {report.file_noun}."
    reference = f'image "task:{short_id(task.id)}"'
    then = (
        f"To make a video of it: generate_video with {reference}."
        if task.media is Media.IMAGE
        else f"To continue from its last frame: generate_video with {reference}."
    )
    return f"{label}{_way_to_look(report)} Give the user the {report.file_noun}. {then}"


def _after_deletion(report: TaskReport) -> str:
    """What is left to do for a file that was kept as long as the operator keeps files."""
    if report.is_film:
        return "Tell the user; join_videos with the same parts makes it again while those are here."
    if report.offered_link:
        return "Tell the user, and give them the link, to open or save it."
    price = "" if report.sandbox else ", at its price"
    again = f"{report.tool} with the same request and a variation makes a new one{price}"
    return f"Tell the user, who may have saved it; {again}."


def _way_to_look(report: TaskReport) -> str:
    picture = report.picture
    if picture is None:
        return "To look at it, call view_video."
    if picture.attached:
        shows = "shows its frames" if picture.kind == "contact sheet" else "shows it"
        return f"The attached {picture.kind} {shows}; if you see none, call view_video."
    if report.sheet is None:
        return f"To look at it, open the {report.file_noun}."
    return f"To look at it, open the {report.file_noun} of its {picture.kind}."


def _after_failed_download(report: TaskReport) -> str:
    task = report.task
    fetch = f"{tasks_command(task.tenant)} fetch {short_id(task.id)}"
    if task.file_status is FileStatus.LINKED:
        give = "" if report.sandbox else "Tell the user. "
        if report.offered_link:
            give = "Give the user the link, to open or save it. "
        if task.file_error_code in {Obstacle.OUTPUT_FOLDER, Obstacle.DISK_FULL}:
            return (
                f"{give}Do not generate it again: when the folder can be written, {fetch} saves it."
            )
        return f"{give}On the command line, {fetch} tries once more."
    if report.sandbox:  # it has no console to look into
        return f"On the command line, {fetch} asks for a new link."
    return (
        f"Tell the user that the link is dead; GeekAI's console may have the {task.media}, and"
        f" {fetch} asks for a new link."
    )


def _after_unknown(report: TaskReport) -> str:
    """How to resolve an unknown outcome: only a person may do it, outside the conversation."""
    task = report.task
    command = f"{tasks_command(task.tenant)} resolve {short_id(task.id)}"
    first = "Call get_video_task with this task_id in a minute; if it is still unknown, tell the"
    if report.sandbox:  # it has no console to look into
        return f"{first} user to decide on the command line: {command} --abandon, or --resubmit."
    sent = iso_time(task.submitted_at) or "that time"
    target = f"{MEDIA_NOUN[task.media]} sent at {sent} or soon after"
    if report.provider_task_id:
        target = f"task {quote(report.provider_task_id, limit=64)}"
    return (
        f"{first} user to look in GeekAI's console for {target}, and to decide on the command"
        f" line: {command} --attach ITS_ID, --abandon, or --resubmit."
    )
