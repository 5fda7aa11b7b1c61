"""Pictures of what tasks have made: contact sheets, covers and single frames, for tool results.

`view_video` and `get_video_task` show them in the result itself, except to a client that would
pass base64 text to its model; such a client gets the path of the saved picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from mcp.server.mcpserver import Context

from geekai_video_mcp.app import App
from geekai_video_mcp.config import PreviewDelivery
from geekai_video_mcp.domain.lifecycle import Media, Task
from geekai_video_mcp.domain.statuses import FileStatus

TEXT_ONLY_CLIENTS: Final = frozenset({"@cline/core", "continue-cli-client"})
"""Clients that give their model a picture as base64 text, by the name in their client info.
Observed with Cline CLI 3.0.65 and Continue CLI 1.5.47, 2026-11-26: Cline cuts the result in the
middle, and in Continue a sheet of 33 KB took some 31,000 tokens."""

View = Literal["frames", "cover"]


class RenderedView(NamedTuple):
    """A picture of one task or several."""

    jpeg: bytes
    path: Path | None
    """Where it is saved, for hosts that only hand over paths; None if it could not be saved."""


async def render_view(
    app: App, tasks: Sequence[Task], *, view: View = "frames", at: Sequence[float] = ()
) -> RenderedView | None:
    """One picture of the files of *tasks*; *at*, in seconds, replaces *view*.

    None if no file can be decoded, or not in time. Tasks without a file are left out.
    """
    stored = [task for task in tasks if task.file_status is FileStatus.STORED and task.file_path]
    if len(stored) != 1 or at:
        return None
    (task,) = stored
    kind = "picture" if task.media is Media.IMAGE else view
    jpeg = await app.render_preview(Path(task.file_path or ""), kind)
    return None if jpeg is None else RenderedView(jpeg, None)


def shows_pictures(client_name: str | None, setting: PreviewDelivery) -> bool:
    """Whether a result may hold a picture, by GEEKAI_PREVIEW and the client's name."""
    if setting == "auto":
        return client_name not in TEXT_ONLY_CLIENTS
    return setting == "inline"


def client_name(ctx: "Context[Any]") -> str | None:
    """The name in the client info of the caller; None if it gave none."""
    params = ctx.session.client_params
    return params.client_info.name if params else None
