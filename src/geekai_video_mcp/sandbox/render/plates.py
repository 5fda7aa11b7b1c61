"""The ground of a poster, without its type: painted for it, and again when it begins a video.

A poster says in its own metadata what is under its type: what its landscape was painted
from, or, over a given picture, the strip that the label covers. So a video that is given
one can let the type on it go and the scene stay, instead of moving a camera over letters.
"""

from __future__ import annotations

import base64
import io
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
"""Bytes; a JPEG has no room for more than 65,533, and then what would fill it is left out."""

STRIP_QUALITIES: Final = (90, 70, 50)
"""Of the strip, as a JPEG; the first that fits is used, and at 2048 pixels across the last does."""


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


def painted_from(prompt: str, take: int) -> Image.Exif:
    """Return the metadata of a poster over a landscape."""
    return _described(json.dumps({"prompt": prompt, "take": take}))


def laid_over(picture: Image.Image, height: int) -> Image.Exif:
    """Return the metadata of a poster over *picture* that covers its first *height* rows."""
    strip = picture.crop((0, 0, picture.width, height))
    words = (json.dumps({"strip": _packed(strip, quality)}) for quality in STRIP_QUALITIES)
    return _described(next((word for word in words if len(word) <= MOST_METADATA), ""))


def _packed(strip: Image.Image, quality: int) -> str:
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=quality)
    return base64.b64encode(buffer.getvalue()).decode()


def _described(recipe: str) -> Image.Exif:
    # ASCII, by JSON's escapes: EXIF has no other letters for a description.
    exif = Image.Exif()
    exif[ExifTag.ImageDescription] = f"{NOTICE} {recipe if len(recipe) <= MOST_METADATA else ''}"
    return exif


def plate_of(path: Path) -> Image.Image | None:
    """Return the ground of the poster at *path*; None if it is none, or does not tell.

    The words in it may be anybody's, so nothing larger than the picture comes of them.
    """
    with Image.open(path) as poster:
        told = str(poster.getexif().get(ExifTag.ImageDescription, ""))
        width, height = poster.size
        ours = told.startswith(NOTICE) and width % 2 == height % 2 == 0
        if not ours or width * height > LARGEST_POSTER:
            return None
        try:
            recipe = cast("dict[str, Any]", json.loads(told.removeprefix(NOTICE)))
            if "strip" in recipe:
                return _uncovered(poster.convert("RGB"), base64.b64decode(recipe["strip"]))
            prompt, take = str(recipe["prompt"]), int(recipe["take"])
        except _UNREADABLE:
            return None
    return image_of(landscape(prompt, take, width=width, height=height))


_UNREADABLE: Final = (
    *(OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, SyntaxError),
    Image.DecompressionBombError,
)
"""What words that are no recipe, and bytes that are no strip, may raise."""


def _uncovered(poster: Image.Image, strip: bytes) -> Image.Image | None:
    with Image.open(io.BytesIO(strip), formats=["JPEG"]) as under:
        if under.width != poster.width or under.height > poster.height:
            return None
        poster.paste(under.convert("RGB"))
    return poster
