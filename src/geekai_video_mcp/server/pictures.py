"""Pictures of what tasks have made: contact sheets, covers and single frames, for tool results.

`view_video` and `get_video_task` show them in the result itself, except to a client that would
pass base64 text to its model; such a client gets the path of the saved picture.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

import anyio.to_thread
from mcp.server.session import ServerSession

from geekai_video_mcp.app import App
from geekai_video_mcp.config import PreviewDelivery
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.media import saved_pictures
from geekai_video_mcp.media.preview import PreviewRequest, ShownFile
from geekai_video_mcp.server.views.report import FilePlace

TEXT_ONLY_CLIENTS: Final = frozenset({"@cline/core", "continue-cli-client"})
"""Clients that give their model a picture as base64 text, by the name in their client info.
Observed with Cline CLI 3.0.65 and Continue CLI 1.5.47, 2026-11-26: Cline cuts the result in the
middle, and in Continue a sheet of 33 KB took some 31,000 tokens."""

View = Literal["frames", "cover"]


class RenderedView(NamedTuple):
    """A picture of one task or several."""

    jpeg: bytes
    path: Path | None
    """Where it is saved, for hosts that only hand over paths; None if it could not be saved. One
    picture alone is not saved again: its own path is given."""
    files: tuple[ShownFile, ...] = ()
    """What is known of each task's file, and what is shown of it, in order."""


class Unrenderable(Exception):
    """No file can be shown; `files` has the reasons."""

    def __init__(self, files: tuple[ShownFile, ...]) -> None:
        super().__init__(*(file.reason for file in files))
        self.files = files


async def render_view(app: App, tasks: Sequence[Task], *, view: View) -> RenderedView | None:
    """One picture of the files of *tasks*.

    None if no file can be decoded, or not in time. Tasks without a file are left out.
    """
    stored = [task for task in tasks if task.file_status is FileStatus.STORED and task.file_path]
    if not stored:
        return None
    try:
        return await render_stored(app, stored, view=view)
    except Unrenderable:
        return None


async def render_stored(
    app: App, tasks: Sequence[Task], *, view: View, at: Sequence[float] = ()
) -> RenderedView:
    """As `render_view`, of tasks that all have a file; *at*, in seconds, replaces *view*.

    Raises:
        Unrenderable: none of the files can be shown.
    """
    request = PreviewRequest(
        paths=tuple(Path(task.file_path or "") for task in tasks),
        titles=tuple(short_id(task.id) for task in tasks) if len(tasks) > 1 else (),
        kind=view,
        at=tuple(at),
    )
    saved = await anyio.to_thread.run_sync(saved_pictures.find_saved, request)
    if saved is not None:
        return RenderedView(saved.jpeg, saved.path, saved.files)
    state = await anyio.to_thread.run_sync(saved_pictures.read_state, request)
    rendered = await app.render_preview(request)
    if rendered.picture is None:
        raise Unrenderable(rendered.files)
    if len(tasks) == 1 and rendered.files[0].labels is None:
        return RenderedView(rendered.picture, request.paths[0], rendered.files)
    save = partial(saved_pictures.save_picture, request, rendered, state=state)
    path = await anyio.to_thread.run_sync(save)
    return RenderedView(rendered.picture, path, rendered.files)


def shows_pictures(client_name: str | None, setting: PreviewDelivery) -> bool:
    """Whether a result may hold a picture, by GEEKAI_PREVIEW and the client's name."""
    if setting == "auto":
        return client_name not in TEXT_ONLY_CLIENTS
    return setting == "inline"


def picture_file_text(place: FilePlace, *, inline: bool) -> str:
    """Where the picture is, for the user; and if it is not *inline*, that it is only there."""
    if inline:
        return f"Picture file, for the user: {place.described()}"
    return f"This client cannot show pictures; the file is {place.described()}, for the user."


def client_name(session: ServerSession) -> str | None:
    """The name in the client info of the caller; None if it gave none."""
    params = session.client_params
    return params.client_info.name if params else None
