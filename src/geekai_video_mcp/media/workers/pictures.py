"""Pictures of unknown origin, decoded within fixed bounds: the header is judged before decoding."""

import math
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

from PIL import Image, WebPImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

MAX_PIXELS: Final = 120_000_000
"""More than cameras produce."""
DECODED_BYTES: Final = 500_000_000
"""Bytes of the decoded picture and of what its decoder keeps beside it."""
STORED_BYTES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2}
"""Bytes of a pixel in Pillow's modes; in all others it has 4, in RGB as well."""
FORMATS: Final = ("PNG", "JPEG", WebPImagePlugin.WebPImageFile.format or "WEBP")
"""WebP's plugin is imported above: Pillow would load all of its forty to look for it."""
DAMAGED: Final = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError),
    struct.error,
)
"""What Pillow raises for a damaged picture, depending on its format."""
STRIP_ROWS: Final = 512
"""Rows that are converted and scaled at once, so that there is never a second copy of all."""
LANCZOS_REACH: Final = 3
_ORIENTATION: Final = 0x0112
_SOURCE_SIZE: Final = "source size"
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its orientation (Exif 2.32, 4.6.4)."""


class TooLarge(Exception):
    """The picture has more pixels than are decoded here."""


@contextmanager
def open_picture(source: BinaryIO, *, longest: int | None = None) -> Generator[Image.Image]:
    """Open the picture; only its header has been read.

    With *longest*, a JPEG is decoded no larger than a longer side of that many pixels needs, which
    saves time and memory.

    Raises:
        TooLarge: it has more pixels than are decoded here, or its decoder needs more memory.
    """
    Image.MAX_IMAGE_PIXELS = None  # checked here instead, and not with a warning
    with Image.open(source, formats=FORMATS) as image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise TooLarge
        beside = pixels * _decoder_bytes(image)
        image.info[_SOURCE_SIZE] = image.size
        if longest is not None:
            image.draft("RGB", _scaled_size(image.size, longest))
        if beside + image.width * image.height * STORED_BYTES.get(image.mode, 4) > DECODED_BYTES:
            raise TooLarge
        yield image


def _decoder_bytes(image: Image.Image) -> float:
    """Bytes per pixel that the decoder keeps beside the picture itself."""
    if image.format == "WEBP":
        return 12  # two canvases of the decoder, and a copy
    if isinstance(image, JpegImageFile) and image.info.get("progressive"):
        # All coefficients, of 16 bits each; colour often has fewer of them.
        samples = [(across, down) for _, across, down, *_ in image.layer]
        most = max(across for across, _ in samples) * max(down for _, down in samples)
        return 2 * sum(across * down for across, down in samples) / max(1, most)
    return 0


def source_size(image: Image.Image) -> tuple[int, int]:
    """The size of an opened picture in its file; with *longest*, it is decoded at a part of it."""
    return image.info[_SOURCE_SIZE]


def is_upright(image: Image.Image) -> bool:
    """Whether the picture is stored as it is to be seen."""
    return _turn(image) is None


def _turn(image: Image.Image) -> Image.Transpose | None:
    with suppress(*DAMAGED):
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return None


def read_scaled(
    image: Image.Image, *, longest: int | None = None, mode: str | None = None
) -> Image.Image:
    """Decode the picture upright, no larger than *longest*, in *mode* or its own.

    What is returned has no metadata; *image* may be it, and must not be used any more.
    """
    image.load()
    turn, mode = _turn(image), mode or image.mode
    size = _scaled_size(image.size, longest or max(image.size))
    if image.size == size and image.mode == mode:
        image.info, scaled = {}, image
    else:
        scaled = Image.new(mode, size)
        step = max(1, STRIP_ROWS * scaled.height // image.height)
        for top in range(0, scaled.height, step):
            bottom = min(scaled.height, top + step)
            scaled.paste(_read_strip(image, scaled, top, bottom), (0, top))
    return scaled if turn is None else scaled.transpose(turn)


def _read_strip(image: Image.Image, scaled: Image.Image, top: int, bottom: int) -> Image.Image:
    """The rows of *scaled* from *top* to *bottom*, as if the whole image was scaled at once."""
    scale = image.height / scaled.height
    reach = math.ceil(LANCZOS_REACH * scale) + 1
    first = max(0, math.floor(top * scale) - reach)
    last = min(image.height, math.ceil(bottom * scale) + reach)
    strip = _convert(image.crop((0, first, image.width, last)), scaled.mode)
    box = (0.0, top * scale - first, strip.width, min(bottom * scale - first, strip.height))
    return strip.resize((scaled.width, bottom - top), Image.Resampling.LANCZOS, box=box)


def _scaled_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip sixteen bits to eight.
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    return image if image.mode == mode else image.convert(mode)
