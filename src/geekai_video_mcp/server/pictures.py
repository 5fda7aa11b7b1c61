"""Pictures of finished tasks, for a model to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.lifecycle import Media, Task


class RenderedView(NamedTuple):
    """A picture of one task or of several."""

    jpeg: bytes
    path: Path | None
    """Where it is saved; None if it could not be."""


async def render_view(
    app: App,
    tasks: Sequence[Task],
    *,
    view: Literal["frames", "cover"] = "frames",
    at: Sequence[float] = (),
) -> RenderedView | None:
    """The picture; None if nothing can be decoded. Stub until the branch `look` is merged."""
    del at
    task = tasks[0]
    kind = "picture" if task.media is Media.IMAGE else view
    jpeg = await app.render_preview(Path(task.file_path or ""), kind)
    return RenderedView(jpeg, None) if jpeg is not None else None


def shows_pictures(client_name: str | None, setting: Literal["inline", "path", "auto"]) -> bool:
    """Whether a picture is sent to this client. Stub until the branch `look` is merged."""
    del client_name
    return setting != "path"
