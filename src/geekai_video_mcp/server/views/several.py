"""Several tasks as one result: a line and an entry for each, and what to do next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import (
    GeekAIVideoError,
    TaskNotFound,
)
from geekai_video_mcp.quoting import (
    quote_unless_id,
    sanitize,
)
from geekai_video_mcp.server import MAX_WAIT_SECONDS
from geekai_video_mcp.server.views.report import TaskReport
from geekai_video_mcp.server.views.tasks import ErrorView, TaskEntry, VideoTask, task_entry
from geekai_video_mcp.server.views.text import progress_text, task_line
from geekai_video_mcp.server.views.times import elapsed_text

ID_LIMIT = 64
"""Characters of an id that is not known: GeekAI's own ids have fewer."""


@dataclass(frozen=True)
class Unread:
    """A task that could not be read."""

    asked: str
    """Its id as the caller gave it."""
    error: GeekAIVideoError


Entry = TaskReport | Unread


def several_tasks(entries: Sequence[Entry], *, until: str) -> VideoTask:
    """The tasks as structured content; *until* as the call gave it."""
    return VideoTask(
        tasks=[
            _unread_entry(one) if isinstance(one, Unread) else task_entry(one) for one in entries
        ],
        next_step=_next_step(entries, until=until),
    )


def several_tasks_text(entries: Sequence[Entry], result: VideoTask) -> str:
    """The tasks as text: a line each, and then what to do next."""
    lines = [
        f"{_unread_name(one)}: {one.error.message}"
        if isinstance(one, Unread)
        else " ".join(filter(None, (task_line(one), view.next_step)))
        for one, view in zip(entries, result.tasks or (), strict=True)
    ]
    return "\n".join([*lines, result.next_step])


def several_progress_text(tasks: Sequence[Task], *, at: float) -> str:
    """The message of a progress notification about several tasks."""
    if len(tasks) == 1:
        return progress_text(tasks[0], at=at)
    settled = sum(task.settled for task in tasks)
    longest = max((at - task.created_at for task in tasks if not task.settled), default=0.0)
    waited = f", {elapsed_text(max(0.0, longest))}" if settled < len(tasks) else ""
    return f"{settled} of {len(tasks)} finished{waited}"


def all_failed(entries: Sequence[Entry]) -> bool:
    """Whether no task has a result, or may still have one."""
    return all(isinstance(one, Unread) or one.failed for one in entries)


def _unread_name(unread: Unread) -> str:
    return quote_unless_id(unread.asked, limit=ID_LIMIT)


def _unread_entry(unread: Unread) -> TaskEntry:
    code = "not_found" if isinstance(unread.error, TaskNotFound) else "unavailable"
    return TaskEntry(
        task_id=sanitize(unread.asked, limit=ID_LIMIT),
        error=ErrorView(code=code, message=unread.error.message),
    )


def _next_step(entries: Sequence[Entry], *, until: str) -> str:
    reports = [one for one in entries if isinstance(one, TaskReport)]
    waiting = [one for one in reports if one.worth_waiting]
    stored = [one for one in reports if one.stored]
    steps: list[str] = []
    if stored:
        shows = "shows them side by side" if len(stored) > 1 else "shows it"
        files = stored[0].file_noun + ("s" if len(stored) > 1 else "")
        steps.append(f"Give the user the {files}; view_video with task_id {_ids(stored)} {shows}.")
    if any(one.sandbox for one in reports):
        steps.append(f"Tell the user that what the sandbox made is {_PREVIEWS}.")
    if waiting:
        wait = f"wait_seconds {MAX_WAIT_SECONDS}"
        any_of_them = until == "any" and len(waiting) > 1
        given = f', {wait} and until "any"' if any_of_them else f" and {wait}"
        steps.append(f"Still running: call get_video_task with task_id {_ids(waiting)}{given}.")
    return " ".join(steps) or _ALONE


_PREVIEWS: Final = "a preview, not made by GeekAI"
_ALONE: Final = "What to do next stands with each task."


def _ids(reports: Sequence[TaskReport]) -> str:
    return f'"{" ".join(short_id(one.task.id) for one in reports)}"'
