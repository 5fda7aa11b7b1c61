"""Pictures from start to end: scene or given picture, poster, file, report.

As with a video, files appear whole, and report.json comes last and means that all are there.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from av.video.frame import VideoFrame
from PIL import Image

from geekai_video_mcp.sandbox.render.camera import Pose
from geekai_video_mcp.sandbox.render.frames import image_of, new_frame, planes_in
from geekai_video_mcp.sandbox.render.layout import Look
from geekai_video_mcp.sandbox.render.lexicon import mood_name
from geekai_video_mcp.sandbox.render.plan import Format, PicturePlan
from geekai_video_mcp.sandbox.render.plates import (
    laid_over,
    landscape,
    painted_from,
    plate_of,
)
from geekai_video_mcp.sandbox.render.poster import Poster
from geekai_video_mcp.sandbox.render.still import Shot, open_picture
from geekai_video_mcp.sandbox.render.workspace import Workspace

CLOSER_EACH_TAKE: Final = 0.25
"""How much nearer every further take of a given picture is, on the camera's own scale."""

SAVE: Final[dict[Format, tuple[str, dict[str, Any]]]] = {
    # Level 1: a tenth larger and five times quicker than the default.
    "png": ("PNG", {"compress_level": 1}),
    "jpg": ("JPEG", {"quality": 92}),
    "webp": ("WEBP", {"quality": 90, "method": 2}),
}
"""Pillow's name and settings for each format."""


def render_pictures(
    plan: PicturePlan, workspace: Workspace, progress: Callable[[float], None]
) -> dict[str, Any]:
    """Make every picture of the plan in the workspace's folder; return the report.

    Raises:
        InvalidImageError: the picture it starts from cannot be used.
    """
    started = time.perf_counter()
    ground = _Ground(plan, workspace.folder)
    poster = Poster(plan, ground.look)
    names: list[str] = []
    size = 0
    for take in range(plan.count):
        frame = ground.frame(take)
        if plan.image is None:
            told = painted_from(plan.prompt, take)
        else:
            told = laid_over(image_of(frame), poster.head_height)
        poster.draw(planes_in(frame), time=0.0, progress=0.0)
        content = _encoded(image_of(frame), plan.format, told)
        names.append(f"picture-{take + 1}.{plan.format}")
        workspace.publish(names[-1], content)
        size += len(content)
        progress((take + 1) / plan.count)
    report = {
        "width": plan.width,
        "height": plan.height,
        "pictures": names,
        "bytes": size,
        "typeset": poster.typeset,
        "render_seconds": round(time.perf_counter() - started, 3),
    }
    workspace.publish("report.json", json.dumps(report).encode())
    return report


class _Ground:
    """What lies under the type: a landscape of the prompt, or the given picture."""

    def __init__(self, plan: PicturePlan, folder: Path) -> None:
        self._plan = plan
        self._shot: Shot | None = None
        if plan.image is None:
            self.look = Look.over(mood_name(plan.prompt))
            return
        given = open_picture(folder / plan.image, field="image")
        # Of a poster, what lies under its type: this one brings its own.
        bare = plate_of(folder / plan.image) or given
        self._shot = Shot(bare, None, width=plan.width, height=plan.height)
        top, bottom = self._shot.tints()
        self.look = Look(top_tint=top, bottom_tint=bottom, still=True, clean_end=False)

    def frame(self, take: int) -> VideoFrame:
        plan = self._plan
        if self._shot is None:
            return landscape(plan.prompt, take, width=plan.width, height=plan.height)
        frame = new_frame(plan.width, plan.height)
        pose = Pose(zoom=CLOSER_EACH_TAKE * take)
        self._shot.paint(planes_in(frame), progress=0.0, seconds=0.0, pose=pose, approach=pose)
        return frame


def _encoded(image: Image.Image, format_: Format, told: Image.Exif) -> bytes:
    name, settings = SAVE[format_]
    buffer = io.BytesIO()
    image.save(buffer, name, exif=told, **settings)
    return buffer.getvalue()
