"""What the assistant sees of a task: promises, in GeekAI's words and ours. Pure.

The result mirrors GeekAI's own answer; what is ours stands beside it. Whatever the state,
`next_step` tells the model what to do now, in one sentence.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from geekai_video_mcp import catalogue, moderation
from geekai_video_mcp.admission import Forecast
from geekai_video_mcp.entries import file_uri
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    NOT_CHARGED,
    QUOTE_LIMIT,
    RATE_LIMITED,
    plain,
    quoted,
    sentence,
)
from geekai_video_mcp.inputs import WAIT_AT_MOST
from geekai_video_mcp.lifecycle import UNRESOLVED, FileStatus, Media, Status, Task, due

LINK_LIFE: Final = 7 * 24 * 3600.0
"""Seconds a result link is valid at GeekAI, by its Veo 3.1 manual; read 2026-11-22."""
LINK_LENGTH: Final = 4000
"""Characters of a link that are shown: signed ones have up to two thousand."""
PREVIEW_LABEL: Final = "A sandbox preview, not made by GeekAI."

Shown = Literal["submitting", "pending", "running", "succeed", "failed", "unknown"]
_SHOWN: Final[dict[Status, Shown]] = {
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


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outlined(_View):
    """A tool's whole result; `outline` names the members that are published beforehand."""

    outline: ClassVar[tuple[str, ...]]


class VideoResultView(_View):
    """`video_result`, as GeekAI names its members."""

    id: str | None = None
    url: str | None = None
    cover_image_url: str | None = None
    last_frame_url: str | None = None
    duration: float | None = None
    revised_prompt: str | None = None


class ImageResultView(_View):
    """An entry of `data`, as GeekAI names the result of a picture."""

    url: str | None = None
    revised_prompt: str | None = None


class ErrorView(_View):
    """`error`, as GeekAI names its members; text from outside is data."""

    code: str
    message: str


class DryRunView(_View):
    """What a request would come to."""

    request: dict[str, Any]
    """As it would be sent, without the bulk of the pictures in it."""
    warnings: list[str]
    price: str
    cost_cny: float | None = None
    videos_left_today: int | None = None
    in_flight_left: int | None = None
    duplicate_of: str | None = None
    refused: str | None = None


class _Answer(Outlined):
    """What the tools' answers have in common."""

    outline = ("task_id", "task_status", "file", "sandbox", "next_step")

    model: str
    video_result: VideoResultView | None = None
    data: list[ImageResultView] | None = None
    error: ErrorView | None = None
    provider_task_id: str | None = None
    file: str | None = Field(default=None, description="The result on this machine")
    resource: str | None = None
    """Where the file is read over MCP; None while there is none."""
    url_expires_at: str | None = None
    poll_after_seconds: int | None = None
    stale_since: str | None = Field(default=None, description="No answer from GeekAI since then")
    sandbox: bool = Field(description="True: a preview, nothing was generated or charged")
    next_step: str


class _Standing(Outlined):
    task_id: str
    task_status: Shown
    elapsed_seconds: int


class VideoTask(_Answer, _Standing):  # pydantic lists the fields of the last base first
    """A video task, as it stands."""


class _Possibly(Outlined):
    task_id: str | None = None
    task_status: Shown | None = None
    elapsed_seconds: int | None = None


class Generation(_Answer, _Possibly):
    """A video task that was asked for, or what a dry run found."""

    deduplicated: bool | None = Field(
        default=None, description="True: an earlier request's task; nothing new was sent"
    )
    warnings: list[str] | None = None
    dry_run: Annotated[DryRunView, WithJsonSchema({"type": "object"})] | None = None


def video_task(task: Task, *, at: float, sandbox: bool, ours: bool = True) -> VideoTask:
    """*task* as it is shown at *at*, Unix seconds.

    *ours* is false for a task of another service or key, which nobody here can follow.
    """
    return VideoTask(**_facts(task, at=at, sandbox=sandbox, ours=ours))


def generation(
    task: Task, *, at: float, sandbox: bool, repeated: bool, warnings: Sequence[str] = ()
) -> Generation:
    """*task* as the answer to a request; *repeated* if it is an earlier request's.

    *warnings* are of the catalogue's check of the request.
    """
    facts = _facts(task, at=at, sandbox=sandbox, ours=True)
    return Generation(**facts, deduplicated=repeated, warnings=list(warnings) or None)


def _facts(task: Task, *, at: float, sandbox: bool, ours: bool) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "task_status": _SHOWN[task.status],
        "model": task.model,
        **_results(task, sandbox=sandbox),
        "error": _error(task),
        "provider_task_id": _plain(task.provider_task_id),
        "file": task.file_path,
        "resource": file_uri(task),
        "url_expires_at": _expiry(task, sandbox=sandbox),
        "elapsed_seconds": round(elapsed(task, at=at)),
        "poll_after_seconds": None if task.settled else _poll_after(task, at=at),
        "stale_since": _iso(task.stale_since),
        "sandbox": sandbox,
        "next_step": next_step(task, sandbox=sandbox, ours=ours),
    }


def dry_run(forecast: Forecast, *, sandbox: bool, warnings: Sequence[str] = ()) -> Generation:
    """What a request would come to; nothing of it has happened."""
    task = forecast.task
    listed = None if sandbox else catalogue.price(task.model)
    return Generation(
        model=task.model,
        sandbox=sandbox,
        dry_run=DryRunView(
            request=dict(task.request),
            warnings=list(warnings),
            price=_FREE if sandbox else _price(listed),
            cost_cny=0.0 if sandbox else listed and listed.of(seconds=task.request.get("duration")),
            videos_left_today=forecast.left_today,
            in_flight_left=forecast.left_in_flight,
            duplicate_of=forecast.repeats.id if forecast.repeats else None,
            refused=forecast.refused.reason if forecast.refused else None,
        ),
        next_step=_after_dry_run(forecast),
    )


def dry_run_text(shown: Generation, media: Media) -> str:
    """The same in words, for a model that reads only text."""
    if shown.dry_run is None:
        return shown.next_step
    terms = _terms(shown.dry_run, shown.model, media)
    return f"Dry run: nothing was sent. {NOT_CHARGED} It would ask {terms} {shown.next_step}"


def consent_text(forecast: Forecast, found: DryRunView) -> str:
    """What a person reads who is asked whether to pay."""
    task = forecast.task
    prompt = quoted(str(found.request.get("prompt") or ""))
    total = "" if found.cost_cny is None else f" That is {found.cost_cny:g} CNY by the list."
    return f"May this be paid for? It asks {_terms(found, task.model, task.media)}{total} {prompt}"


def _terms(found: DryRunView, model: str, media: Media) -> str:
    settings = {k: v for k, v in found.request.items() if k not in {"prompt", "model", "async"}}
    with_ = ", ".join(f"{name} {json.dumps(v, ensure_ascii=False)}" for name, v in settings.items())
    caps = (
        f" Left under the caps: {found.videos_left_today} today,"
        f" {found.in_flight_left} at the same time."
        if found.videos_left_today is not None
        else ""
    )
    return (
        f"{model} for {_A[media]}{f' with {with_}' if with_ else ''}. {found.price}{caps}"
        f"{warned(found.warnings)}"
    )


_A: Final = {Media.VIDEO: "a video", Media.IMAGE: "an image"}
_FREE: Final = "A sandbox preview is free."


def _price(listed: catalogue.Price | None) -> str:
    if listed is None:
        return "Its price is not known here; GeekAI's model page has it."
    said = f"{listed.cny:g} CNY per {listed.per}" if listed.cny else "Free of charge"
    return f"{said} ({listed.source}, read {listed.read_on.isoformat()})."


def warned(warnings: Iterable[str]) -> str:
    """Warnings as they follow other words; nothing if there are none."""
    return "".join(f" {sentence(warning[:1].upper() + warning[1:])}" for warning in warnings)


def _after_dry_run(forecast: Forecast) -> str:
    if forecast.repeats is not None:
        return f"It repeats task {forecast.repeats.id}, which it would return; nothing is sent."
    if forecast.refused is not None:
        return f"It would be refused: {sentence(forecast.refused.reason)}"
    return "The same call without dry_run makes it."


class ListedTask(_View):
    """A task in a list; the prompt tells it from others."""

    task_id: str
    task_status: Shown
    media: Media
    model: str
    prompt: str
    created_at: str
    file: str | None = None
    sandbox: bool


class TaskList(Outlined):
    """A page of tasks, newest first."""

    outline = ("tasks", "next_before", "next_step")

    tasks: list[ListedTask]
    next_before: str | None = None
    """Where the next page begins; None on the last."""
    next_step: str


LISTED_PROMPT: Final = 80
"""Characters of a prompt in a list: enough to know it by."""


def statuses_of(shown: Shown | None) -> frozenset[Status]:
    """The statuses that are shown under this word; none for all of them."""
    return frozenset(status for status, word in _SHOWN.items() if word == shown)


def task_list(tasks: Sequence[Task], *, more: bool, sandbox: str) -> TaskList:
    """A page of tasks; *more*: another follows. *sandbox*: the service that is none."""
    return TaskList(
        tasks=[
            ListedTask(
                task_id=task.id,
                task_status=_SHOWN[task.status],
                media=task.media,
                model=task.model,
                prompt=plain(str(task.request.get("prompt") or ""), limit=LISTED_PROMPT),
                created_at=str(_iso(task.created_at)),
                file=task.file_path,
                sandbox=task.service == sandbox,
            )
            for task in tasks
        ],
        next_before=tasks[-1].id if more else None,
        next_step=_after_list(more=more, some=bool(tasks)),
    )


def _after_list(*, more: bool, some: bool) -> str:
    if not some:
        return "There is no such task."
    page = " Older ones follow: give next_before as before." if more else ""
    return f"get_video_task tells all about one.{page}"


def task_list_text(shown: TaskList) -> str:
    """The same, a line a task."""
    lines = [
        f"{task.created_at} {task.task_status:<10} {task.task_id} {task.model}"
        f"{' (sandbox)' if task.sandbox else ''}: {task.file or quoted(task.prompt)}"
        for task in shown.tasks
    ]
    return "\n".join([*lines, shown.next_step])


def failed(task: Task) -> bool:
    """Whether the task has come to an end that is no result."""
    lost = task.status is Status.SUCCEED and task.file_status is FileStatus.LOST
    return lost or task.status in {Status.FAILED, Status.REJECTED} | UNRESOLVED


def text(task: Task, *, at: float, sandbox: bool, ours: bool = True) -> str:
    """What happened and what to do, in a line or two, for a model that reads only text."""
    words = _headline(task, at=at, sandbox=sandbox)
    return f"{words} {next_step(task, sandbox=sandbox, ours=ours)} Task {task.id}."


def repeated_text(task: Task, *, at: float, sandbox: bool) -> str:
    """The same for a task that an earlier request made."""
    # A key is one request's for good: with it, another variation would be refused.
    new = "idempotency_key" if task.idempotency_key else "variation"
    again = "" if task.status is Status.UNKNOWN else f" For another take, add a new {new}."
    return (
        f"This is the task of the same request {max(0, at - task.created_at):.0f} s ago: nothing"
        f" new was sent.{again} {text(task, at=at, sandbox=sandbox)}"
    )


def progress(task: Task, *, at: float) -> str:
    """What a person watching the wait reads."""
    fetching = task.status is Status.SUCCEED and task.file_status is FileStatus.NONE
    what = "downloading" if fetching else _SHOWN[task.status]
    return f"{what}, {elapsed(task, at=at):.0f} s"


def elapsed(task: Task, *, at: float) -> float:
    """Seconds from the request to its end, or to now."""
    return max(0.0, (task.ended_at or at) - task.created_at)


def next_step(task: Task, *, sandbox: bool, ours: bool = True) -> str:
    """What to do now, in one sentence."""
    if not ours and not task.settled:
        return (
            "It was made with another service or key: tell the user that only a server started"
            " with the same GEEKAI_BASE_URL and GEEKAI_API_KEY can follow it."
        )
    if task.status is Status.SUCCEED:
        return _after_success(task)
    if task.status is Status.FAILED:
        return moderation.advice(task.error_code) or _AFTER_FAILURE
    if task.status in {Status.REJECTED, Status.ABANDONED}:
        return _after_refusal(task)
    if task.status is Status.UNKNOWN:
        return _for_a_person(task, sandbox=sandbox)
    return f"Call get_video_task with this task_id and wait_seconds {WAIT_AT_MOST}."


_AFTER_FAILURE: Final = "Read the error, change the request where it says so, and generate again."
_OF_NO_REQUEST: Final = frozenset(
    {
        "unauthorized",
        "insufficient_balance",
        "forbidden",
        RATE_LIMITED,
        "unreachable",
        "unavailable",
    }
)
"""Codes of refusals that any request would have met."""


def _after_refusal(task: Task) -> str:
    stranger = task.media is Media.VIDEO and task.model not in catalogue.models()
    about_it = task.error_code not in _OF_NO_REQUEST and not moderation.advice(task.error_code)
    if task.status is Status.REJECTED and stranger and about_it:
        return f"If it is the model's name: {catalogue.unknown(task.model)}."
    return "Nothing is under way for this task."


def _after_success(task: Task) -> str:
    if task.file_status is FileStatus.STORED:
        return _after_storing(task)
    if task.file_status is FileStatus.LOST:
        return f"Tell the user that the link is dead; GeekAI's console may have the {task.media}."
    return f"It is being downloaded; call get_video_task with wait_seconds {WAIT_AT_MOST}."


def _after_storing(task: Task) -> str:
    if task.media is Media.IMAGE:
        return f"Show the user the file; generate_video with image task:{task.id} makes it move."
    return f"Show the user the file; image task:{task.id} begins a next shot with its last frame."


def _for_a_person(task: Task, *, sandbox: bool) -> str:
    """The ways to decide: only a person may, and only outside the conversation."""
    command = f"geekai-video-mcp tasks resolve {task.id}"
    if sandbox:  # which has no console to look into
        return f"Tell the user to decide on the command line: {command} --abandon, or --resubmit."
    sent = _iso(task.submitted_at) or "that time"
    named = task.provider_task_id
    sought = f"{_A[task.media]} sent at {sent} or soon after"
    if named:
        sought = f"task {quoted(named, limit=64)}"
    return (
        f"Tell the user to look in GeekAI's console for {sought}, and to decide on the command"
        f" line: {command} --attach ITS_ID, --abandon, or --resubmit."
    )


def _headline(task: Task, *, at: float, sandbox: bool) -> str:
    if task.status is Status.SUCCEED:
        return _finished(task, sandbox=sandbox)
    if task.status is Status.FAILED:
        why = sentence(_why(task))
        return f"GeekAI could not make the {task.media}: {why} {_money(sandbox=sandbox)}"
    if task.status in {Status.REJECTED} | UNRESOLVED:
        # Spoken when it happened, with what it cost and what to do.
        return task.error_message or _UNTOLD[task.status]
    silent = f" GeekAI has not answered since {_iso(task.stale_since)}." if task.stale_since else ""
    return f"The {task.media} is {progress(task, at=at)} so far.{silent}"


def _finished(task: Task, *, sandbox: bool) -> str:
    label = f" {PREVIEW_LABEL}" if sandbox else ""
    if task.file_status is FileStatus.STORED:
        size = f"{(task.file_bytes or 0) / 1e6:.1f} MB"
        return f"The {task.media} is finished: {task.file_path} ({size}).{label}"
    problem = f" {sentence(task.file_problem)}" if task.file_problem else ""
    if task.file_status is FileStatus.LOST:
        gone = f"The {task.media} was finished at GeekAI and cannot be fetched any more."
        return f"{gone}{problem} {_money(sandbox=sandbox)}{label}"
    return f"The {task.media} is finished at GeekAI and not on disk yet.{problem}{label}"


_UNTOLD: Final = {
    Status.REJECTED: f"It was not accepted. {NOT_CHARGED}",
    Status.UNKNOWN: f"No answer came. {MAYBE_CHARGED}",
    Status.ABANDONED: f"A person has given it up. {MAYBE_CHARGED}",
}


def _money(*, sandbox: bool) -> str:
    return NOT_CHARGED if sandbox else MAYBE_CHARGED


def _why(task: Task) -> str:
    words = ": ".join(word for word in (task.error_code, task.error_message) if word)
    return quoted(words) if words else "it gave no reason"


def _results(task: Task, *, sandbox: bool) -> dict[str, Any]:
    """The result under GeekAI's name for it: `video_result`, or `data` of a picture."""
    if (result := task.result) is None:
        return {}
    # The in-process sandbox has no address that a browser could open. The last frame's
    # link is for the next request, and the sandbox knows its own.
    shown = None if sandbox or not _is_link(result.url) else _plain(result.url, limit=LINK_LENGTH)
    if task.media is Media.IMAGE:
        said = _plain(result.revised_prompt)
        return {"data": [ImageResultView(url=shown, revised_prompt=said)]}
    video = VideoResultView(
        id=_plain(result.id),
        url=shown,
        cover_image_url=None if sandbox else _plain(result.cover_image_url, limit=LINK_LENGTH),
        last_frame_url=_plain(result.last_frame_url, limit=LINK_LENGTH),
        duration=result.duration,
        revised_prompt=_plain(result.revised_prompt),
    )
    return {"video_result": video}


def _is_link(url: str | None) -> bool:
    """A picture may come in the answer itself, and is no text for a conversation."""
    return url is not None and not url.startswith("data:")


def _plain(said: str | None, *, limit: int = QUOTE_LIMIT) -> str | None:
    return plain(said, limit=limit) if said else None


def _error(task: Task) -> ErrorView | None:
    if not failed(task):
        return None
    lost = task.file_problem if task.status is Status.SUCCEED else None
    return ErrorView(
        code=task.error_code or ("result_lost" if lost else "failed"),
        message=lost or task.error_message or "No reason was given.",
    )


def _expiry(task: Task, *, sandbox: bool) -> str | None:
    if sandbox or task.result is None or task.ended_at is None:
        return None
    return _iso(task.ended_at + LINK_LIFE)


def _poll_after(task: Task, *, at: float) -> int:
    """Seconds until there can be news."""
    if task.next_look_at is None or due(task, at=at):
        return 1
    return round(task.next_look_at - at) + 1


def _iso(at: float | None) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at is not None else None
