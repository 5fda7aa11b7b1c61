"""Rendering of an image request: landscape or input image, poster, files, report.

As for a video, files appear only when complete, and report.json is written last.
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

from geekai_sandbox.render.background import (
    decode_background,
    landscape_metadata,
    overlay_metadata,
    paint_landscape,
)
from geekai_sandbox.render.camera import Pose
from geekai_sandbox.render.frames import frame_planes, frame_to_image, make_frame
from geekai_sandbox.render.image_scene import Shot, load_image
from geekai_sandbox.render.layout import Backdrop
from geekai_sandbox.render.mood_words import choose_mood
from geekai_sandbox.render.plan import ImageFormat, ImagePlan
from geekai_sandbox.render.poster import Poster
from geekai_sandbox.render.workspace import Workspace

ZOOM_PER_TAKE: Final = 0.15
"""Zoom that each further image adds to an input image, on the camera's scale."""
ZOOMS: Final = 12
"""After so many images, the zooms begin again: closer, an input image has no detail left."""

SAVE_OPTIONS: Final[dict[ImageFormat, tuple[str, dict[str, Any]]]] = {
    # Level 1: a tenth larger and five times faster than the default.
    "png": ("PNG", {"compress_level": 1}),
    "jpg": ("JPEG", {"quality": 92}),
    "webp": ("WEBP", {"quality": 90, "method": 2}),
}
"""Pillow's name and settings for each format."""


def render_images(
    plan: ImagePlan, workspace: Workspace, progress: Callable[[float], None]
) -> dict[str, Any]:
    """Render every image of the plan into the workspace's folder; return the report.

    Raises:
        InvalidImageError: the input image cannot be used.
    """
    started = time.perf_counter()
    background = _Background(plan, workspace.folder)
    poster = Poster(plan, background.backdrop)
    names: list[str] = []
    size = 0
    for number in range(plan.count):
        take = plan.take * plan.count + number
        frame = background.paint_frame(take)
        if plan.image is None:
            exif = landscape_metadata(plan.prompt, take)
        else:
            exif = overlay_metadata(frame_to_image(frame), poster.header_height)
        poster.draw(frame_planes(frame), time=0.0, progress=0.0)
        content = _encode_image(frame_to_image(frame), plan.format, exif)
        names.append(f"picture-{number + 1}.{plan.format}")
        workspace.write_file(names[-1], content)
        size += len(content)
        progress((number + 1) / plan.count)
    report = {
        "width": plan.width,
        "height": plan.height,
        "pictures": names,
        "bytes": size,
        "typeset": poster.typeset,
        "render_seconds": round(time.perf_counter() - started, 3),
    }
    workspace.write_file("report.json", json.dumps(report).encode())
    return report


class _Background:
    """What is below the text: a landscape of the prompt, or the input image."""

    def __init__(self, plan: ImagePlan, folder: Path) -> None:
        self._plan = plan
        self._shot: Shot | None = None
        if plan.image is None:
            self.backdrop = Backdrop.for_landscape(choose_mood(plan.prompt))
            return
        image = load_image(folder / plan.image, field="image")
        # For one of our posters, the image below its text: the new poster adds its own text.
        bare = decode_background(folder / plan.image) or image
        self._shot = Shot(bare, None, width=plan.width, height=plan.height, margin=0.0)
        top, bottom = self._shot.edge_tints()
        self.backdrop = Backdrop(top_tint=top, bottom_tint=bottom, over_image=True)

    def paint_frame(self, take: int) -> VideoFrame:
        plan = self._plan
        if self._shot is None:
            return paint_landscape(plan.prompt, take, width=plan.width, height=plan.height)
        frame = make_frame(plan.width, plan.height)
        pose = Pose(zoom=ZOOM_PER_TAKE * (take % ZOOMS))
        self._shot.paint(frame_planes(frame), progress=0.0, seconds=0.0, pose=pose, approach=pose)
        return frame


def _encode_image(image: Image.Image, format_: ImageFormat, exif: Image.Exif) -> bytes:
    name, settings = SAVE_OPTIONS[format_]
    buffer = io.BytesIO()
    image.save(buffer, name, exif=exif, **settings)
    return buffer.getvalue()
