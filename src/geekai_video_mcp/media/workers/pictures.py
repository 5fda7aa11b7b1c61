"""Pictures of unknown origin, opened within fixed bounds: the header is judged before decoding."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import BinaryIO, Final

from PIL import Image

MAX_PIXELS: Final = 120_000_000
"""More than cameras produce."""
DECODED_BYTES: Final = 500_000_000
"""Bytes of the decoded picture and of what its decoder keeps beside it."""
STORED_BYTES: Final = 4
"""Bytes in which Pillow stores a pixel of RGB as well as of RGBA."""
WEBP_BYTES: Final = 16
"""Bytes per pixel while a WebP is decoded: its decoder keeps two canvases, Pillow two copies."""
FORMATS: Final = ("PNG", "JPEG", "WEBP")
DAMAGED: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError)
"""What Pillow raises for a damaged picture, depending on its format."""

_STORED_BYTES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2}


class TooLarge(Exception):
    """The picture has more pixels than are decoded here."""


@contextmanager
def open_picture(
    source: BinaryIO, *, formats: tuple[str, ...] = FORMATS, longest: int | None = None
) -> Generator[Image.Image]:
    """Open the picture; only its header has been read.

    With *longest*, a JPEG is decoded no larger than is needed for a longer side of that many
    pixels, which saves time and memory.

    Raises:
        TooLarge: it has more pixels than are decoded here, or decoding needs more memory.
    """
    Image.MAX_IMAGE_PIXELS = None  # checked here instead, and not with a warning
    with Image.open(source, formats=formats) as image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise TooLarge
        if longest is not None:
            image.draft("RGB", (longest, longest))
        if pixels * _decoder_bytes(image) + _stored_bytes(image) > DECODED_BYTES:
            raise TooLarge
        yield image


def _stored_bytes(image: Image.Image) -> int:
    return image.width * image.height * _STORED_BYTES.get(image.mode, STORED_BYTES)


def _decoder_bytes(image: Image.Image) -> int:
    """Bytes per pixel that the decoder keeps beside the picture itself."""
    if image.format == "WEBP":
        return WEBP_BYTES - STORED_BYTES
    if image.format == "JPEG" and image.info.get("progressive"):
        return 2 * len(image.getbands())  # all coefficients, of 16 bits each
    return 0
