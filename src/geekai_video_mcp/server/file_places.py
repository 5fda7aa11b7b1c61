"""Where a caller finds a file: by its path on this machine, or by a link from another one."""

from pathlib import Path

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import GeekAIVideoError, StorageUnavailable
from geekai_video_mcp.server.resource_links import file_uri
from geekai_video_mcp.server.views.report import FilePlace


def link_to_file(app: App, task: Task) -> FilePlace | None:
    """A link to the file of *task*; None if there is no file, or only paths are shown.

    A remote caller gets the address of its resource while nobody knows how to reach this server.
    """
    if task.file_status is not FileStatus.STORED:
        return None
    link = app.links.link(task) if app.links else None
    if link is not None:
        return FilePlace(text=link.url, link_ends_at=link.expires_at)
    return FilePlace(text=str(file_uri(task))) if app.remote else None


def place_of_picture(app: App, task: Task, path: Path) -> FilePlace | None:
    """Where a picture that is saved beside the file of *task* is found; None if by nothing."""
    if not app.remote:
        return FilePlace(text=str(path))
    if str(path) == task.file_path:  # the result is a picture itself
        return link_to_file(app, task)
    link = app.links.link(task, path.name) if app.links else None
    return None if link is None else FilePlace(text=link.url, link_ends_at=link.expires_at)


def error_for(app: App, error: GeekAIVideoError) -> GeekAIVideoError:
    """The error as the caller is told of it, which names no folder to one on another machine."""
    if app.remote and isinstance(error, StorageUnavailable):
        error.hide_folders()
    return error
