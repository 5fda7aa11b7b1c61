"""A task as structured content: GeekAI's field names, and the fields that we add. Pure.

Each fact is one member, and stands there once. A member that says nothing is left out.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from geekai_video_mcp.domain.result_file import has_no_link
from geekai_video_mcp.domain.retries import Obstacle
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.quoting import (
    QUOTE_LIMIT,
    sanitize,
)
from geekai_video_mcp.server.arguments import PublicStatus
from geekai_video_mcp.server.views.next_steps import next_step
from geekai_video_mcp.server.views.report import MAX_LINK_CHARS, TaskReport
from geekai_video_mcp.server.views.text import (
    NO_CODE,
    failure_message,
    public_status,
    stall_text,
)
from geekai_video_mcp.server.views.times import iso_time


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
    revised_prompt: str | None = None


class ImageResultView(View):
    """An entry of `data`, as GeekAI names the result of a picture."""

    url: str | None = None
    revised_prompt: str | None = None


class ErrorView(View):
    """`error`, as GeekAI names its members; text from outside is data."""

    code: str
    message: str
    """The reason, and whether it was charged, as the text says it."""


class DryRunView(View):
    """What a request would send and cost."""

    request: dict[str, Any]
    """The request as it would be sent, without inline media data, and with the escapes of
    invisible characters in their place."""
    warnings: list[str]
    price: str
    """What it costs and why, as a sentence, with the source of the price."""
    cost_cny: float | None = None
    """0 in the sandbox; None if it is not known."""
    cost_with_key_cny: float | None = None
    """Of a preview: what the same request costs at GeekAI, with a key."""
    videos_left_today: int | None = None
    in_flight_left: int | None = None
    cny_left_today: float | None = None
    duplicate_of: str | None = None
    refused: str | None = None
    waiting_for: list[str] | None = None
    """The tasks whose results it uses, and after which it would be sent."""


class _TaskFacts(View):
    """The facts of one task."""

    task_id: str | None = None
    task_status: PublicStatus | None = None
    sandbox: bool | None = Field(
        default=None, description="True: a preview, nothing was generated or charged"
    )
    model: str | None = None
    waiting_for: list[str] | None = None
    """The tasks whose results it uses, and after which it is sent."""
    elapsed_seconds: int | None = None
    """Since the request; None once it has ended."""
    typical_seconds: list[int] | None = None
    """How long such tasks take: most of them between the two."""
    file: str | None = Field(default=None, description="The result on this machine")
    """Its path, or a link for a caller on another machine."""
    file_link: str | None = None
    """A link to it, beside a path."""
    file_link_ends_at: str | None = None
    """When the link ends."""
    duration: float | None = None
    """Seconds."""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    audio: bool | None = None
    bytes: int | None = None
    price_cny: float | None = None
    """By the price list when it was made, for the whole request."""
    price_source: str | None = None
    price_date: str | None = None
    """When the price list was read."""
    video_result: VideoResultView | None = None
    data: list[ImageResultView] | None = None
    url_expires_at: str | None = None
    error: ErrorView | None = None
    provider_task_id: str | None = None
    """GeekAI's id, where a person needs it."""
    file_problem: str | None = None
    """Why the result is not on this machine, or is not quite what was expected."""
    stale_since: str | None = Field(default=None, description="No poll has worked since then")
    stale_reason: str | None = None
    """What came instead of news, if anything did."""


class TaskEntry(_TaskFacts):
    """One of several tasks; `next_step` where it is another than to wait or to show the file."""

    warnings: list[str] | None = None
    next_step: str | None = None


class _TaskResult(_TaskFacts, ToolResult):
    """What every result about a task may hold."""

    sheet: str | None = None
    """The path of the picture of a finished task."""
    warnings: list[str] | None = None
    next_step: str


class VideoTask(_TaskResult):
    """A task in its current state, or several."""

    published_fields = ("task_id", "task_status", "file", "tasks", "next_step")

    tasks: list[TaskEntry] | None = None
    """One entry for each task, if several were asked for."""


class Generation(_TaskResult):
    """The task of a request, or the result of a dry run."""

    published_fields = ("task_id", "file", "next_step")

    price_note: str | None = None
    """That the price of a request that has just been made is not known."""
    sent: dict[str, Any] | None = None
    """The settings that were sent, without the prompt and without media data."""
    deduplicated: bool | None = Field(
        default=None, description="True: an earlier request's task; nothing new was sent"
    )
    dry_run: Annotated[DryRunView, WithJsonSchema({"type": "object"})] | None = None


class Film(_TaskResult):
    """A film, joined or being joined."""

    published_fields = ("task_id", "file", "next_step")

    deduplicated: bool | None = None
    """True: it was asked for before, and is not joined again."""


def film_result(report: TaskReport) -> Film:
    """The film as the result of a request for it."""
    return Film(
        **_task_facts(report),
        **_result_facts(report),
        deduplicated=report.deduplicated or None,
    )


def video_task(report: TaskReport) -> VideoTask:
    """The task as the result of a read."""
    return VideoTask(**_task_facts(report), **_result_facts(report))


def generation_result(report: TaskReport) -> Generation:
    """The task as the result of a request."""
    sent = dict(report.sent) if report.just_sent and report.sent is not None else None
    facts = _task_facts(report)
    if sent is not None:
        facts["elapsed_seconds"] = None
    return Generation(
        **facts,
        **_result_facts(report),
        price_note=report.price_note,
        sent=sent or None,
        deduplicated=report.deduplicated or None,
    )


def task_entry(report: TaskReport) -> TaskEntry:
    """The task as one of several."""
    facts = _task_facts(report)
    if report.stored:  # its link would only repeat the file
        facts |= {"video_result": None, "data": None, "url_expires_at": None}
    usual = report.stored or report.worth_waiting
    return TaskEntry(
        **facts,
        warnings=list(report.warnings) or None,
        next_step=None if usual else next_step(report),
    )


def _result_facts(report: TaskReport) -> Mapping[str, Any]:
    return {
        "sheet": report.sheet,
        "warnings": list(report.warnings) or None,
        "next_step": next_step(report),
    }


def _task_facts(report: TaskReport) -> dict[str, Any]:
    task, price = report.task, report.price
    typical = None if task.settled or task.status is Status.SUCCEED else task.typical_duration
    return {
        "task_id": task.id,
        "task_status": public_status(task),
        "sandbox": report.sandbox,
        "model": _sanitize_optional(task.model),
        "waiting_for": list(task.waits_for) or None,
        "elapsed_seconds": None if task.settled or task.ended_at else round(report.elapsed_seconds),
        "typical_seconds": typical and [round(typical.p10), round(typical.p95)],
        "file": report.file and report.file.text,
        "file_link": report.extra_link and report.extra_link.text,
        "file_link_ends_at": iso_time(report.linked_file.link_ends_at)
        if report.linked_file
        else None,
        "duration": _rounded(report.duration),
        "width": task.file_width,
        "height": task.file_height,
        "fps": _rounded(task.file_fps),
        "audio": task.file_has_sound,
        "bytes": task.file_bytes,
        "price_cny": price and price.cny,
        "price_source": _sanitize_optional(report.price_source),
        "price_date": report.price_date,
        **_service_result(report),
        "url_expires_at": iso_time(report.link_expires_at),
        "error": _error_view(report),
        "provider_task_id": report.provider_task_id,
        "file_problem": task.file_error
        if task.status is Status.SUCCEED and not report.failed
        else None,
        "stale_since": iso_time(task.unreachable_since),
        "stale_reason": stall_text(report),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)


def _service_result(report: TaskReport) -> dict[str, Any]:
    """The result under GeekAI's name for it: `video_result`, or `data` for an image."""
    if (result := report.task.result) is None or report.is_film:
        return {}
    is_revised = result.revised_prompt != report.task.request.get("prompt")
    revised_prompt = _sanitize_optional(result.revised_prompt) if is_revised else None
    if report.task.media is Media.IMAGE:
        image = ImageResultView(url=report.link, revised_prompt=revised_prompt)
        return {"data": [image]} if image.model_dump(exclude_none=True) else {}
    # The in-process sandbox has no address that a browser could open. The link of the last
    # frame is kept: it is meant for the next request, and the sandbox resolves its own links.
    cover = None if report.sandbox else result.cover_image_url
    video = VideoResultView(
        id=_sanitize_optional(result.id),
        url=report.link,
        cover_image_url=_sanitize_optional(cover, limit=MAX_LINK_CHARS),
        last_frame_url=_sanitize_optional(result.last_frame_url, limit=MAX_LINK_CHARS),
        revised_prompt=revised_prompt,
    )
    return {"video_result": video} if video.model_dump(exclude_none=True) else {}


def _sanitize_optional(text: str | None, *, limit: int = QUOTE_LIMIT) -> str | None:
    return sanitize(text, limit=limit) if text else None


def _error_view(report: TaskReport) -> ErrorView | None:
    task = report.task
    if not report.failed:
        return None
    if has_no_link(task):
        code = Obstacle.NO_LINK.value
    elif task.status is Status.SUCCEED:
        code = task.file_error_code or Obstacle.RESULT_LOST.value
    else:
        code = task.error_code or NO_CODE
    return ErrorView(code=code, message=failure_message(report))
