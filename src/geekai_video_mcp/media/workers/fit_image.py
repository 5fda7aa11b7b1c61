"""A child program that reads an image from stdin and writes one that can be sent to stdout.

Run as `python -m geekai_video_mcp.media.workers.fit_image BYTES`, the largest size of the output.
An image that is upright and small enough is passed through unchanged. Any other is rotated
according to its EXIF orientation, scaled down if needed, and encoded again without metadata. The
same input always gives the same output. The exit status is 1 if the image cannot be decoded, and
2 if it has too many pixels. It is a separate process because the image is untrusted.
"""

import math
import sys
from contextlib import suppress
from io import BytesIO
from typing import Final

from PIL import Image, ImageCms, ImageOps

MAX_PIXELS: Final = 120_000_000
"""More than cameras produce. A small file may declare billions, and each takes 3 bytes."""
MAX_SIDE_PX: Final = 6000
"""Pixels of the longer side: the most that any model is documented to take (Seedance's page
in the Ark documents, read 2026-11-22)."""
JPEG_QUALITY: Final = 92
"""JPEG quality without visible loss; a photograph takes a fifth of the size of its PNG."""
MAX_TRIES: Final = 6
SIDE_SAFETY: Final = 0.9
"""Factor for the estimated side: the size in bytes shrinks a little less than the pixels."""
MAX_SHRINK: Final = 0.75
ORIENTATION: Final = 0x0112
UPRIGHT_ORIENTATIONS: Final = frozenset({None, 0, 1})
BACKGROUND: Final = (255, 255, 255)
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped in Pillow
UNREADABLE: Final = 1
TOO_LARGE: Final = 2


def main(argv: list[str]) -> int:
    """Write the image; the only argument is the limit in bytes."""
    content, limit = sys.stdin.buffer.read(), int(argv[0])
    Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is checked below, from the header
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > MAX_PIXELS:
                return TOO_LARGE
            image.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))  # decode a JPEG no larger than needed
            upright = image.getexif().get(ORIENTATION) in UPRIGHT_ORIENTATIONS
            fit = upright and len(content) <= limit and max(image.size) <= MAX_SIDE_PX
            image.load()  # also if it is passed through: a truncated image must be rejected
            out = content if fit else _encode_within(_normalize(image), limit)
    except (OSError, SyntaxError, ValueError):  # raised by Pillow for damaged files
        return UNREADABLE
    sys.stdout.buffer.write(out)
    return 0


def _normalize(image: Image.Image) -> Image.Image:
    """Return the image upright, in sRGB, with its alpha channel and without metadata."""
    upright = ImageOps.exif_transpose(image)
    has_alpha = upright.has_transparency_data
    mode = "RGBA" if has_alpha else "RGB"
    profile = image.info.get("icc_profile")
    if profile and upright.mode in {"RGB", "CMYK"}:
        with suppress(ImageCms.PyCMSError, OSError):  # invalid profile: keep the colours
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            upright = ImageCms.profileToProfile(upright, source, _SRGB, outputMode="RGB") or upright
    plain = Image.new(mode, upright.size)
    plain.paste(upright.convert(mode))
    return plain


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
    smaller = image.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    return smaller


def _encode(image: Image.Image, form: str) -> bytes:
    out = BytesIO()
    image.save(out, form, quality=JPEG_QUALITY, optimize=form == "JPEG")
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
