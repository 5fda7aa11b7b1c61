"""The background of a poster, and its recovery when the poster is the input of a video.

The metadata of a poster describes what its text covers: the prompt of its landscape, or,
over an input image, the strip below the label. A video that starts with a poster can
therefore fade out the text, instead of moving the camera over it.
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

from geekai_sandbox.render.camera import Pose
from geekai_sandbox.render.frames import enlarge_frame, frame_planes, frame_to_image, make_frame
from geekai_sandbox.render.landscape import Landscape
from geekai_sandbox.render.mood_words import choose_mood
from geekai_sandbox.render.noise import seed_of_take

PAINTED_PIXELS: Final = 1920 * 1080
"""Largest landscape painted at full size, in a third of a second; larger ones are enlarged."""

MAX_POSTER_PIXELS: Final = 3840 * 2160
"""The largest image that the service accepts."""

NOTICE: Final = "Sandbox preview, made on this machine. Not a generated image."

MAX_METADATA_BYTES: Final = 60_000
"""A JPEG has room for 65,533; a description that is longer than this is left out."""

STRIP_QUALITIES: Final = (90, 70, 50)
"""JPEG qualities of the strip; the first that fits is used. At 2048 pixels the last one does."""


def paint_landscape(prompt: str, take: int, *, width: int, height: int) -> VideoFrame:
    """Paint the landscape of *prompt* without camera movement; *take* counts from 0."""
    shrink = min(1.0, (PAINTED_PIXELS / (width * height)) ** 0.5)
    size = (width, height)
    if shrink < 1.0:
        size = (round(width * shrink) & ~1, round(height * shrink) & ~1)
    frame = make_frame(*size)
    seed, mood = seed_of_take(prompt, take), choose_mood(prompt)
    scene = Landscape(seed, mood, width=size[0], height=size[1], sway=1.0)
    scene.paint(frame_planes(frame), time=0.0, pose=Pose())
    return frame if shrink == 1.0 else enlarge_frame(frame, width, height)


def landscape_metadata(prompt: str, take: int) -> Image.Exif:
    """Return the metadata of a poster over a landscape."""
    return _make_exif(json.dumps({"prompt": prompt, "take": take}))


def overlay_metadata(picture: Image.Image, height: int) -> Image.Exif:
    """Return the metadata of a poster over *picture* that covers its top *height* rows."""
    strip = picture.crop((0, 0, picture.width, height))
    recipes = (json.dumps({"strip": _encode_strip(strip, quality)}) for quality in STRIP_QUALITIES)
    return _make_exif(next((recipe for recipe in recipes if len(recipe) <= MAX_METADATA_BYTES), ""))


def _encode_strip(strip: Image.Image, quality: int) -> str:
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=quality)
    return base64.b64encode(buffer.getvalue()).decode()


def _make_exif(recipe: str) -> Image.Exif:
    # JSON escapes everything to ASCII, as EXIF requires for a description.
    exif = Image.Exif()
    exif[ExifTag.ImageDescription] = (
        f"{NOTICE} {recipe if len(recipe) <= MAX_METADATA_BYTES else ''}"
    )
    return exif


def decode_background(path: Path) -> Image.Image | None:
    """Return the background of the poster at *path*; None if it is not a poster of ours.

    The metadata is untrusted, so the result is never larger than the image.
    """
    with Image.open(path) as poster:
        description = str(poster.getexif().get(ExifTag.ImageDescription, ""))
        width, height = poster.size
        ours = description.startswith(NOTICE) and width % 2 == height % 2 == 0
        if not ours or width * height > MAX_POSTER_PIXELS:
            return None
        try:
            recipe = cast("dict[str, Any]", json.loads(description.removeprefix(NOTICE)))
            if "strip" in recipe:
                return _recover_pixels(poster.convert("RGB"), base64.b64decode(recipe["strip"]))
            prompt, take = str(recipe["prompt"]), int(recipe["take"])
        except _UNREADABLE:
            return None
    return frame_to_image(paint_landscape(prompt, take, width=width, height=height))


_UNREADABLE: Final = (
    *(OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, SyntaxError),
    Image.DecompressionBombError,
)
"""What an invalid description or strip may raise."""


def _recover_pixels(poster: Image.Image, strip: bytes) -> Image.Image | None:
    with Image.open(io.BytesIO(strip), formats=["JPEG"]) as under:
        if under.width != poster.width or under.height > poster.height:
            return None
        poster.paste(under.convert("RGB"))
    return poster
