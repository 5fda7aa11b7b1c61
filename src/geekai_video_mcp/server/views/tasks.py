"""A task as structured content: GeekAI's field names, and the fields that we add. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from geekai_video_mcp.domain.lifecycle import Media, Task, poll_due
from geekai_video_mcp.domain.result_file import has_no_link
from geekai_video_mcp.domain.retries import Obstacle
from geekai_video_mcp.domain.statuses import NO_RESULT, FileStatus, Status
from geekai_video_mcp.errors import QUOTE_LIMIT, sanitize
from geekai_video_mcp.server.resource_links import file_uri
from geekai_video_mcp.server.views.text import (
    MAX_LINK_CHARS,
    PUBLIC_STATUS,
    WAITING_FOR_LINK,
    PublicStatus,
    elapsed_seconds,
    iso_time,
    link_expiry,
    link_of,
    next_step,
    no_link_text,
    stall_text,
)


class View(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolResult(View):
    """A tool's structured result.

    `published_fields` names the members that the published output schema lists.
    """

    published_fields: ClassVar[tuple[str, ...]]


class VideoResultView(View):
    """`video_result`, as GeekAI names its members."""

    id: str | None = None
    url: str | None = None
    cover_image_url: str | None = None
    last_frame_url: str | None = None
    duration: float | None = None
    revised_prompt: str | None = None


class ImageResultView(View):
    """An entry of `data`, as GeekAI names the result of a picture."""

    url: str | None = None
    revised_prompt: str | None = None


class ErrorView(View):
    """`error`, as GeekAI names its members; text from outside is data."""

    code: str
    message: str


class DryRunView(View):
    """What a request would send and cost."""

    request: dict[str, Any]
    """The request as it would be sent, without inline media data, and with the escapes of
    invisible characters in their place."""
    warnings: list[str]
    price: str
    cost_cny: float | None = None
    videos_left_today: int | None = None
    in_flight_left: int | None = None
    duplicate_of: str | None = None
    refused: str | None = None


class _TaskResult(ToolResult):
    """The fields that every result about one task has."""

    published_fields = ("task_id", "task_status", "file", "sandbox", "next_step")

    model: str
    video_result: VideoResultView | None = None
    data: list[ImageResultView] | None = None
    error: ErrorView | None = None
    provider_task_id: str | None = None
    file: str | None = Field(default=None, description="The result on this machine")
    file_problem: str | None = None
    """Why the result is not on this machine, or is not quite what was expected."""
    resource: str | None = None
    """The resource URI of the file; None while there is no file."""
    url_expires_at: str | None = None
    poll_after_seconds: int | None = None
    stale_since: str | None = Field(default=None, description="No poll has worked since then")
    stale_reason: str | None = None
    """What came instead of news, if anything did."""
    sandbox: bool = Field(description="True: a preview, nothing was generated or charged")
    next_step: str


class _TaskFields(ToolResult):
    task_id: str
    task_status: PublicStatus
    elapsed_seconds: int


class VideoTask(_TaskResult, _TaskFields):  # pydantic lists the fields of the last base first
    """A task in its current state."""


class _OptionalTaskFields(ToolResult):
    task_id: str | None = None
    task_status: PublicStatus | None = None
    elapsed_seconds: int | None = None


class Generation(_TaskResult, _OptionalTaskFields):
    """The task of a request, or the result of a dry run."""

    deduplicated: bool | None = Field(
        default=None, description="True: an earlier request's task; nothing new was sent"
    )
    warnings: list[str] | None = None
    dry_run: Annotated[DryRunView, WithJsonSchema({"type": "object"})] | None = None


def video_task(task: Task, *, at: float, sandbox: bool, same_account: bool = True) -> VideoTask:
    """*task* in its state at *at*, Unix seconds.

    *same_account* is false for a task of another service or key, which this server cannot poll.
    """
    return VideoTask(**_task_fields(task, at=at, sandbox=sandbox, same_account=same_account))


def generation_result(
    task: Task, *, at: float, sandbox: bool, deduplicated: bool, warnings: Sequence[str] = ()
) -> Generation:
    """*task* as the result of a request.

    *deduplicated*: the task belongs to an earlier, equal request. *warnings* come from the
    catalogue's check of the request.
    """
    fields = _task_fields(task, at=at, sandbox=sandbox, same_account=True)
    return Generation(**fields, deduplicated=deduplicated, warnings=list(warnings) or None)


def _task_fields(task: Task, *, at: float, sandbox: bool, same_account: bool) -> dict[str, Any]:
    poll_after = None
    if not task.settled:
        poll_after = 1
        if task.next_poll_at is not None and not poll_due(task, at=at):
            poll_after += round(task.next_poll_at - at)
    return {
        "task_id": task.id,
        "task_status": PUBLIC_STATUS[task.status],
        "model": sanitize(task.model),
        **_result_fields(task, sandbox=sandbox),
        "error": _error_view(task, sandbox=sandbox),
        "provider_task_id": _sanitize_optional(task.provider_task_id),
        "file": task.file_path,
        "file_problem": task.file_error if task.status is Status.SUCCEED else None,
        "resource": file_uri(task),
        "url_expires_at": iso_time(link_expiry(task, sandbox=sandbox)),
        "elapsed_seconds": round(elapsed_seconds(task, at=at)),
        "poll_after_seconds": poll_after,
        "stale_since": iso_time(task.unreachable_since),
        "stale_reason": _stale_reason(task),
        "sandbox": sandbox,
        "next_step": next_step(task, at=at, sandbox=sandbox, same_account=same_account),
    }


def _stale_reason(task: Task) -> str | None:
    if task.no_link_since is not None and not task.settled:
        return f"{WAITING_FOR_LINK}."
    return stall_text(task)


def is_failure(task: Task) -> bool:
    """Whether the task has ended without a result."""
    lost = task.status is Status.SUCCEED and task.file_status is FileStatus.LOST
    return lost or task.status in NO_RESULT


def _result_fields(task: Task, *, sandbox: bool) -> dict[str, Any]:
    """The result under GeekAI's name for it: `video_result`, or `data` for an image."""
    if (result := task.result) is None:
        return {}
    # The in-process sandbox has no address that a browser could open. The link of the last
    # frame is kept: it is meant for the next request, and the sandbox resolves its own links.
    url = link_of(task, sandbox=sandbox)
    if task.media is Media.IMAGE:
        revised_prompt = _sanitize_optional(result.revised_prompt)
        return {"data": [ImageResultView(url=url, revised_prompt=revised_prompt)]}
    video = VideoResultView(
        id=_sanitize_optional(result.id),
        url=url,
        cover_image_url=None
        if sandbox
        else _sanitize_optional(result.cover_image_url, limit=MAX_LINK_CHARS),
        last_frame_url=_sanitize_optional(result.last_frame_url, limit=MAX_LINK_CHARS),
        duration=result.duration,
        revised_prompt=_sanitize_optional(result.revised_prompt),
    )
    return {"video_result": video}


def _sanitize_optional(text: str | None, *, limit: int = QUOTE_LIMIT) -> str | None:
    return sanitize(text, limit=limit) if text else None


def _error_view(task: Task, *, sandbox: bool) -> ErrorView | None:
    if not is_failure(task):
        return None
    if has_no_link(task):
        return ErrorView(code=Obstacle.NO_LINK.value, message=no_link_text(task, sandbox=sandbox))
    file_error = task.file_error if task.status is Status.SUCCEED else None
    return ErrorView(
        code=task.error_code
        or task.file_error_code
        or (Obstacle.RESULT_LOST.value if file_error else "failed"),
        message=file_error or task.error_message or "No reason was given.",
    )
