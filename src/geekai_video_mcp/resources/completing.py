"""Completions for the arguments of resource templates and prompts."""

from typing import Final

from mcp_types import Completion

from geekai_video_mcp import catalogue
from geekai_video_mcp.app import App
from geekai_video_mcp.statuses import FileStatus

MAX_VALUES: Final = 20
"""Values in one completion: as many as a menu shows. The limit of the protocol is 100."""
RECENT_TASKS: Final = 200
"""Tasks that are searched, newest first; list_video_tasks finds older ones."""
TASK_PREFIX: Final = "task:"
"""The prefix of a reference to an earlier result as an image."""


async def complete_argument(app: App, argument: str, typed: str) -> Completion:
    """Return the values of *argument* that begin with *typed*; none for an unknown argument."""
    if argument == "task_id":
        return _completion(await _recent_task_ids(app), typed)
    if argument == "image":
        return _completion(
            [f"{TASK_PREFIX}{name}" for name in await _recent_task_ids(app, stored=True)], typed
        )
    if argument == "model":
        return _completion(list(catalogue.models()), typed)
    return Completion(values=[], total=0, has_more=False)


async def _recent_task_ids(app: App, *, stored: bool = False) -> list[str]:
    """The ids of recent tasks, newest first; with *stored*, only of tasks with a file."""
    recent = await app.engine.list_tasks(limit=RECENT_TASKS)
    return [task.id for task in recent if not stored or task.file_status is FileStatus.STORED]


def _completion(values: list[str], typed: str) -> Completion:
    matching = [value for value in values if value.lower().startswith(typed.lower())]
    return Completion(
        values=matching[:MAX_VALUES], total=len(matching), has_more=len(matching) > MAX_VALUES
    )
