"""What may stand in a template's or a prompt's argument, as it is being typed."""

from typing import Final

from mcp_types import Completion

from geekai_video_mcp import catalogue
from geekai_video_mcp.lifecycle import FileStatus
from geekai_video_mcp.tools import App

AT_MOST: Final = 20
"""Values offered: what a menu shows. The protocol's own limit is 100."""
RECENT: Final = 200
"""Tasks looked through, newest first: an older one is found by list_video_tasks."""
PREFIX: Final = "task:"
"""How an earlier result is named as a picture."""


async def complete(app: App, argument: str, typed: str) -> Completion:
    """What begins with *typed* and may stand in *argument*; nothing for others."""
    if argument == "task_id":
        return _offered(await _ids(app), typed)
    if argument == "image":
        return _offered([f"{PREFIX}{name}" for name in await _ids(app, stored=True)], typed)
    if argument == "model":
        return _offered(list(catalogue.models()), typed)
    return Completion(values=[], total=0, has_more=False)


async def _ids(app: App, *, stored: bool = False) -> list[str]:
    """The ids of recent tasks, newest first; *stored*: of those with a file."""
    recent = await app.engine.list_tasks(limit=RECENT)
    return [task.id for task in recent if not stored or task.file_status is FileStatus.STORED]


def _offered(values: list[str], typed: str) -> Completion:
    fitting = [value for value in values if value.lower().startswith(typed.lower())]
    return Completion(values=fitting[:AT_MOST], total=len(fitting), has_more=len(fitting) > AT_MOST)
