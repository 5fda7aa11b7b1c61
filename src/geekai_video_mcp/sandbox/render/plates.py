"""The ground of a poster, without its type: painted for it, and again when it begins a video.

A poster says in its own metadata what it was painted from. So a video that is given one
can let the type on it go and the scene stay, instead of moving a camera over letters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

from av.video.frame import VideoFrame
from PIL import Image
from PIL.ExifTags import Base as ExifTag

from geekai_video_mcp.sandbox.render.camera import Pose
from geekai_video_mcp.sandbox.render.frames import enlarged, image_of, new_frame, planes_in
from geekai_video_mcp.sandbox.render.landscape import Landscape
from geekai_video_mcp.sandbox.render.lexicon import mood_name

PAINTED_PIXELS: Final = 1920 * 1080
"""Largest picture painted as it is, in a third of a second; a larger one is enlarged."""

LARGEST_POSTER: Final = 3840 * 2160
"""Pixels; the service orders none that is larger."""

NOTICE: Final = "Sandbox preview, made on this machine. Not a generated image."

MOST_METADATA: Final = 60_000
"""Bytes; a JPEG has no room for more than 65,533, and then the prompt stays behind."""


def landscape(prompt: str, take: int, *, width: int, height: int) -> VideoFrame:
    """Paint the scene of *prompt* at rest; every *take* from 0 is another one."""
    shrink = min(1.0, (PAINTED_PIXELS / (width * height)) ** 0.5)
    size = (width, height)
    if shrink < 1.0:
        size = (round(width * shrink) & ~1, round(height * shrink) & ~1)
    seed = prompt if take == 0 else f"{prompt}\x1f{take}"
    frame = new_frame(*size)
    scene = Landscape(seed, mood_name(prompt), width=size[0], height=size[1], sway=1.0)
    scene.paint(planes_in(frame), time=0.0, pose=Pose())
    return frame if shrink == 1.0 else enlarged(frame, width, height)


def metadata(prompt: str, take: int | None) -> Image.Exif:
    """Return what a poster says of itself; *take* is None for one over a given picture."""
    told = NOTICE
    if take is not None:
        # ASCII by its escapes: EXIF has no other letters for a description.
        whole = f"{NOTICE} {json.dumps({'prompt': prompt, 'take': take})}"
        told = whole if len(whole) <= MOST_METADATA else NOTICE
    exif = Image.Exif()
    exif[ExifTag.ImageDescription] = told
    return exif


def plate_of(path: Path) -> Image.Image | None:
    """Paint the ground of the poster at *path* again; None if it is no poster of a landscape.

    The words in it may be anybody's, so what is painted is no larger than the picture.
    """
    with Image.open(path) as poster:
        told = str(poster.getexif().get(ExifTag.ImageDescription, ""))
        width, height = poster.size
    if (
        not told.startswith(NOTICE)
        or width * height > PAINTED_PIXELS * 4
        or width % 2
        or height % 2
    ):
        return None
    try:
        recipe = cast("dict[str, Any]", json.loads(told.removeprefix(NOTICE)))
        prompt, take = str(recipe["prompt"]), int(recipe["take"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return image_of(landscape(prompt, take, width=width, height=height))
