"""A child program that makes an image fit to be sent.

Its argument is the largest size in bytes, and its content the image. An image that is upright and
small enough is passed through unchanged. Any other is rotated according to its EXIF orientation,
scaled down if needed, and encoded again without metadata. The same input always gives the same
output. The exit status is FAILED if the image cannot be decoded, and TOO_LARGE if it has too many
pixels. It is a separate process because the image is untrusted.
"""

import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from typing import Final

from PIL import Image, ImageCms

from geekai_video_mcp.media.workers import pictures
from geekai_video_mcp.media.workers.limits import FAILED, TOO_LARGE, run_program

MAX_SIDE_PX: Final = 6000
"""Pixels of the longer side: the most that any model is documented to take (Seedance's page
in the Ark documents, read 2026-11-22)."""
JPEG_QUALITY: Final = 92
"""JPEG quality without visible loss; a photograph takes a fifth of the size of its PNG."""
MAX_TRIES: Final = 6
SIDE_SAFETY: Final = 0.9
"""Factor for the estimated side: the size in bytes shrinks a little less than the pixels."""
MAX_SHRINK: Final = 0.75
BACKGROUND: Final = (255, 255, 255)
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped in Pillow


def main(arguments: Sequence[str], content: bytes) -> int:
    """Write the image; the only argument is the limit in bytes."""
    try:
        out = _fit(content, int(arguments[0]))
    except pictures.TooLarge:
        return TOO_LARGE
    except pictures.DAMAGED:
        return FAILED
    sys.stdout.buffer.write(out)
    return 0


def _fit(content: bytes, limit: int) -> bytes:
    picture = _read_plain(content, limit)
    return content if picture is None else _encode_within(picture, limit)


def _read_plain(content: bytes, limit: int) -> Image.Image | None:
    """Decode the image upright, in sRGB, without metadata; None if it is fit as it is."""
    with pictures.open_picture(BytesIO(content), longest=MAX_SIDE_PX) as image:
        small = len(content) <= limit and max(pictures.source_size(image)) <= MAX_SIDE_PX
        if small and pictures.is_upright(image):
            image.load()  # also if it is passed through: a truncated image must be rejected
            return None
        profile = image.info.get("icc_profile")
        if profile is None or image.mode not in {"RGB", "CMYK"}:
            mode = "RGBA" if image.has_transparency_data else "RGB"
            return pictures.read_scaled(image, longest=MAX_SIDE_PX, mode=mode)
        plain = pictures.read_scaled(image, longest=MAX_SIDE_PX)
    with suppress(ImageCms.PyCMSError, OSError):  # invalid profile: keep the colours
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        plain = ImageCms.profileToProfile(plain, source, _SRGB, outputMode="RGB") or plain
    plain.info = {}
    return plain if plain.mode == "RGB" else plain.convert("RGB")


def _encode_within(image: Image.Image, limit: int) -> bytes:
    """Encode the image in at most *limit* bytes: PNG if it has alpha and fits, else JPEG."""
    side = min(max(image.size), MAX_SIDE_PX)
    if image.mode == "RGBA":
        clear = _encode(_shrink(image, side), "PNG")
        if len(clear) <= limit:
            return clear
        ground = Image.new("RGB", image.size, BACKGROUND)
        ground.paste(image, mask=image.getchannel("A"))
        image = ground
    out = b""
    for _ in range(MAX_TRIES):
        out = _encode(_shrink(image, side), "JPEG")
        if len(out) <= limit:
            return out
        side = max(1, int(side * min(MAX_SHRINK, SIDE_SAFETY * math.sqrt(limit / len(out)))))
    raise ValueError(len(out))


def _shrink(image: Image.Image, side: int) -> Image.Image:
    if max(image.size) <= side:
        return image
    return pictures.read_scaled(image, longest=side)


def _encode(image: Image.Image, form: str) -> bytes:
    out = BytesIO()
    image.save(out, form, quality=JPEG_QUALITY, optimize=form == "JPEG")
    return out.getvalue()


if __name__ == "__main__":
    run_program(main)
