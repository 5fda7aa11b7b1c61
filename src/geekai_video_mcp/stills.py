"""A child program: the picture on stdin, fit to be sent, on stdout.

Run as `python -m geekai_video_mcp.stills BYTES`, the most that it may come to. A picture that
is fit already comes out as it went in; one that is not is turned as its camera was held,
made smaller and written anew, without anything that was noted in it. The same picture
always comes out the same. Ends with 1 when it cannot be decoded, with 2 when it is too large
to be tried. It is a process of its own because a picture may be a stranger's.
"""

import math
import sys
from contextlib import suppress
from io import BytesIO
from typing import Final

from PIL import Image, ImageCms, ImageOps

MAX_PIXELS: Final = 120_000_000
"""More than any camera's still has; a small file may promise billions, and each takes 3 bytes."""
MAX_SIDE_PX: Final = 6000
"""Pixels of the longer side: the most that any model is documented to take (Seedance's page
in the Ark documents, read 2026-11-22)."""
JPEG_QUALITY: Final = 92
"""Of a JPEG: what it loses cannot be seen, and a photograph takes a fifth of its PNG."""
MAX_TRIES: Final = 6
SIDE_SAFETY: Final = 0.9
"""Of the side that should do: bytes grow a little slower than pixels."""
MAX_SHRINK: Final = 0.75
ORIENTATION: Final = 0x0112
UPRIGHT_ORIENTATIONS: Final = frozenset({None, 0, 1})
BACKGROUND: Final = (255, 255, 255)
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped in Pillow
UNREADABLE: Final = 1
TOO_LARGE: Final = 2


def main(argv: list[str]) -> int:
    """Write the picture; the limit in bytes is the one argument."""
    content, limit = sys.stdin.buffer.read(), int(argv[0])
    Image.MAX_IMAGE_PIXELS = None  # judged below, from the header and in one place
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > MAX_PIXELS:
                return TOO_LARGE
            image.draft(
                "RGB", (MAX_SIDE_PX, MAX_SIDE_PX)
            )  # a JPEG is decoded no larger than need be
            upright = image.getexif().get(ORIENTATION) in UPRIGHT_ORIENTATIONS
            fit = upright and len(content) <= limit and max(image.size) <= MAX_SIDE_PX
            image.load()  # to the end, also if it is only passed on: half a picture is none
            out = content if fit else _encode_within(_normalize(image), limit)
    except (OSError, SyntaxError, ValueError):  # Pillow's words for what is broken
        return UNREADABLE
    sys.stdout.buffer.write(out)
    return 0


def _normalize(image: Image.Image) -> Image.Image:
    """The picture upright, in plain colours, with its alpha, and nothing else of the file."""
    upright = ImageOps.exif_transpose(image)
    clear = upright.has_transparency_data
    mode = "RGBA" if clear else "RGB"
    profile = image.info.get("icc_profile")
    if profile and upright.mode in {"RGB", "CMYK"}:
        with suppress(ImageCms.PyCMSError, OSError):  # a broken profile: its colours as they stand
            given = ImageCms.ImageCmsProfile(BytesIO(profile))
            upright = ImageCms.profileToProfile(upright, given, _SRGB, outputMode="RGB") or upright
    plain = Image.new(mode, upright.size)
    plain.paste(upright.convert(mode))
    return plain


def _encode_within(image: Image.Image, limit: int) -> bytes:
    """The picture in at most *limit* bytes: by PNG if it is clear and small, else by JPEG."""
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
    smaller = image.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    return smaller


def _encode(image: Image.Image, form: str) -> bytes:
    out = BytesIO()
    image.save(out, form, quality=JPEG_QUALITY, optimize=form == "JPEG")
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
