"""A page of tasks as a result and as text, one line per task. Pure."""

from collections.abc import Sequence
from typing import Final

from geekai_video_mcp.domain.lifecycle import Media, Task
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.errors import quote, quote_unless_id, sanitize
from geekai_video_mcp.server.views.tasks import ToolResult, View
from geekai_video_mcp.server.views.text import PUBLIC_STATUS, PublicStatus, iso_time

MAX_PROMPT_CHARS: Final = 80
"""Characters of a prompt in a list: enough to recognise it."""


class ListedTask(View):
    """A task in a list, with its prompt to recognise it."""

    task_id: str
    task_status: PublicStatus
    media: Media
    model: str
    prompt: str
    created_at: str
    file: str | None = None
    sandbox: bool


class TaskList(ToolResult):
    """A page of tasks, newest first."""

    published_fields = ("tasks", "next_before", "next_step")

    tasks: list[ListedTask]
    next_before: str | None = None
    """The cursor of the next page; None on the last page."""
    next_step: str


def statuses_of(public_status: PublicStatus | None) -> frozenset[Status]:
    """The stored statuses that are published as *public_status*; empty if that is None."""
    return frozenset(status for status, public in PUBLIC_STATUS.items() if public == public_status)


def task_list(tasks: Sequence[Task], *, more: bool, sandbox: str) -> TaskList:
    """A page of tasks.

    *more*: whether another page follows. *sandbox*: the account of the sandbox, whose tasks are
    marked as previews.
    """
    next_step = "get_video_task tells all about one." if tasks else "There is no such task."
    if more:
        next_step += " Older ones follow: give next_before as before."
    return TaskList(
        tasks=[
            ListedTask(
                task_id=task.id,
                task_status=PUBLIC_STATUS[task.status],
                media=task.media,
                model=sanitize(task.model),
                prompt=sanitize(str(task.request.get("prompt") or ""), limit=MAX_PROMPT_CHARS),
                created_at=str(iso_time(task.created_at)),
                file=task.file_path,
                sandbox=task.account == sandbox,
            )
            for task in tasks
        ],
        next_before=tasks[-1].id if more else None,
        next_step=next_step,
    )


def task_list_text(result: TaskList) -> str:
    """A page of tasks as text, one line per task."""
    lines = [
        f"{task.created_at} {task.task_status:<10} {task.task_id} {quote_unless_id(task.model)}"
        f"{' (sandbox)' if task.sandbox else ''}: {task.file or quote(task.prompt)}"
        for task in result.tasks
    ]
    return "\n".join([*lines, result.next_step])
