"""What the assistant sees of a task: promises, in GeekAI's words and ours. Pure.

The result mirrors GeekAI's own answer; what is ours stands beside it. Whatever the state,
`next_step` tells the model what to do now, in one sentence.
"""

from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from geekai_video_mcp.errors import MAYBE_CHARGED, NOT_CHARGED, QUOTE_LIMIT, plain, quoted, sentence
from geekai_video_mcp.inputs import WAIT_AT_MOST
from geekai_video_mcp.lifecycle import FileStatus, Status, Task, due

LINK_LIFE: Final = 7 * 24 * 3600.0
"""Seconds a result link is valid at GeekAI, by its Veo 3.1 manual; read 2026-11-22."""
LINK_LENGTH: Final = 4000
"""Characters of a link that are shown: signed ones have up to two thousand."""
PREVIEW_LABEL: Final = "A sandbox preview, not a generated video."

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
}


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VideoResultView(_View):
    """`video_result`, as GeekAI names its members."""

    id: str | None = None
    url: str | None = None
    cover_image_url: str | None = None
    last_frame_url: str | None = None
    duration: float | None = None
    revised_prompt: str | None = None


class ErrorView(_View):
    """`error`, as GeekAI names its members; text from outside is data."""

    code: str
    message: str


class VideoTask(_View):
    """A video task, as every tool returns it."""

    task_id: str
    task_status: Shown
    model: str
    video_result: VideoResultView | None = None
    error: ErrorView | None = None
    provider_task_id: str | None = None
    file: str | None = Field(None, description="The finished video on this machine")
    url_expires_at: str | None = None
    elapsed_seconds: int
    poll_after_seconds: int | None = None
    stale_since: str | None = Field(None, description="No answer from GeekAI since then")
    sandbox: bool = Field(description="True: a preview, nothing was generated or charged")
    next_step: str


def video_task(task: Task, *, at: float, sandbox: bool, ours: bool = True) -> VideoTask:
    """*task* as it is shown at *at*, Unix seconds.

    *ours* is false for a task of another service or key, which nobody here can follow.
    """
    return VideoTask(
        task_id=task.id,
        task_status=_SHOWN[task.status],
        model=task.model,
        video_result=_result(task, sandbox=sandbox),
        error=_error(task),
        provider_task_id=_plain(task.provider_task_id),
        file=task.file_path,
        url_expires_at=_expiry(task, sandbox=sandbox),
        elapsed_seconds=round(elapsed(task, at=at)),
        poll_after_seconds=None if task.settled else _poll_after(task, at=at),
        stale_since=_iso(task.stale_since),
        sandbox=sandbox,
        next_step=next_step(task, ours=ours),
    )


def failed(task: Task) -> bool:
    """Whether the task has come to an end that is no video."""
    lost = task.status is Status.SUCCEED and task.file_status is FileStatus.LOST
    return lost or task.status in {Status.FAILED, Status.REJECTED, Status.UNKNOWN}


def text(task: Task, *, at: float, sandbox: bool, ours: bool = True) -> str:
    """What happened and what to do, in a line or two, for a model that reads only text."""
    words = _headline(task, at=at, sandbox=sandbox)
    return f"{words} {next_step(task, ours=ours)} Task {task.id}."


def progress(task: Task, *, at: float) -> str:
    """What a person watching the wait reads."""
    fetching = task.status is Status.SUCCEED and task.file_status is FileStatus.NONE
    what = "downloading" if fetching else _SHOWN[task.status]
    return f"{what}, {elapsed(task, at=at):.0f} s"


def elapsed(task: Task, *, at: float) -> float:
    """Seconds from the request to its end, or to now."""
    return max(0.0, (task.ended_at or at) - task.created_at)


def next_step(task: Task, *, ours: bool = True) -> str:
    """What to do now, in one sentence."""
    if not ours and not task.settled:
        return (
            "It was made with another service or key: tell the user that only a server started"
            " with the same GEEKAI_BASE_URL and GEEKAI_API_KEY can follow it."
        )
    if task.status is Status.SUCCEED:
        return _after_success(task)
    if task.status is Status.FAILED:
        return "Read the error, change the request where it says so, and generate again."
    if task.status is Status.REJECTED:
        return "Nothing is under way for this task."
    if task.status is Status.UNKNOWN:
        return "Tell the user; a repeated call could pay twice."
    return f"Call get_video_task with this task_id and wait_seconds {WAIT_AT_MOST}."


def _after_success(task: Task) -> str:
    if task.file_status is FileStatus.STORED:
        return "Show the user the file; its frames can be seen with preview frames."
    if task.file_status is FileStatus.LOST:
        return "Tell the user that the link is dead; GeekAI's console may still have the video."
    return f"It is being downloaded; call get_video_task with wait_seconds {WAIT_AT_MOST}."


def _headline(task: Task, *, at: float, sandbox: bool) -> str:
    if task.status is Status.SUCCEED:
        return _finished(task, sandbox=sandbox)
    if task.status is Status.FAILED:
        return f"GeekAI could not make the video: {sentence(_why(task))} {_money(sandbox=sandbox)}"
    if task.status in {Status.REJECTED, Status.UNKNOWN}:
        # Spoken when it happened, with what it cost and what to do.
        return task.error_message or _UNTOLD[task.status]
    silent = f" GeekAI has not answered since {_iso(task.stale_since)}." if task.stale_since else ""
    return f"The video is {progress(task, at=at)} so far.{silent}"


def _finished(task: Task, *, sandbox: bool) -> str:
    label = f" {PREVIEW_LABEL}" if sandbox else ""
    if task.file_status is FileStatus.STORED:
        size = f"{(task.file_bytes or 0) / 1e6:.1f} MB"
        return f"The video is finished: {task.file_path} ({size}).{label}"
    problem = f" {sentence(task.file_problem)}" if task.file_problem else ""
    if task.file_status is FileStatus.LOST:
        gone = "The video was finished at GeekAI and cannot be fetched any more."
        return f"{gone}{problem} {_money(sandbox=sandbox)}{label}"
    return f"The video is finished at GeekAI and not on disk yet.{problem}{label}"


_UNTOLD: Final = {
    Status.REJECTED: f"It was not accepted. {NOT_CHARGED}",
    Status.UNKNOWN: f"No answer came. {MAYBE_CHARGED}",
}


def _money(*, sandbox: bool) -> str:
    return NOT_CHARGED if sandbox else MAYBE_CHARGED


def _why(task: Task) -> str:
    words = ": ".join(word for word in (task.error_code, task.error_message) if word)
    return quoted(words) if words else "it gave no reason"


def _result(task: Task, *, sandbox: bool) -> VideoResultView | None:
    if task.result is None:
        return None
    result = task.result
    return VideoResultView(
        id=_plain(result.id),
        # The in-process sandbox has no address that a browser could open. The last frame's
        # link is for the next request, and the sandbox knows its own.
        url=None if sandbox else _plain(result.url, limit=LINK_LENGTH),
        cover_image_url=None if sandbox else _plain(result.cover_image_url, limit=LINK_LENGTH),
        last_frame_url=_plain(result.last_frame_url, limit=LINK_LENGTH),
        duration=result.duration,
        revised_prompt=_plain(result.revised_prompt),
    )


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
