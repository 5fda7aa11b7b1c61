"""Parsing and limits of sizes and aspect ratios. Pure.

GeekAI's documented sizes are narrower than what its models accept, so every size that
can be rendered is accepted.
"""

from __future__ import annotations

import math
import re
from typing import Final

from .errors import validation_error
from .fields import FieldReader
from .input_images import InputImage

MIN_SIDE_PX: Final = 64
MAX_PIXELS: Final = 3840 * 2160
MAX_RATIO: Final = 4.0

SIZE: Final = re.compile(r"(\d{1,5})\s*[xX*×]\s*(\d{1,5})", re.ASCII)
RATIO: Final = re.compile(r"(\d{1,5}(?:\.\d{1,4})?):(\d{1,5}(?:\.\d{1,4})?)", re.ASCII)
KEEP_IMAGE_RATIO: Final = frozenset({"adaptive", "auto", "keep_ratio"})


def image_ratio(image: InputImage) -> float:
    """Return the width of an image over its height, within the limits of a render."""
    return min(max(image.width / image.height, 1 / MAX_RATIO), MAX_RATIO)


def read_aspect_ratio(fields: FieldReader, image: InputImage | None, *, default: float) -> float:
    """Return `aspect_ratio` as width over height; *default* where it is absent."""
    text = fields.read_text("aspect_ratio")
    if text is None:
        return default
    if text.lower() in KEEP_IMAGE_RATIO:
        return image_ratio(image) if image else default
    match = RATIO.fullmatch(text)
    width, height = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not (width and height and 1 / MAX_RATIO <= width / height <= MAX_RATIO):
        raise validation_error(
            message="aspect_ratio must be width:height from 1:4 to 4:1, or adaptive."
        )
    return width / height


def limit_pixels(width: float, height: float) -> tuple[float, float]:
    """Return the sides as they are, or even and smaller by one factor to be within MAX_PIXELS."""
    shrink = math.sqrt(MAX_PIXELS / (width * height))
    if shrink >= 1:
        return width, height
    return 2 * int(width * shrink / 2), 2 * int(height * shrink / 2)


def validate_size(width: float, height: float, *, subject: str) -> tuple[int, int]:
    """Return the nearest even sides; *subject* names what has the size in the error."""
    even_width, even_height = 2 * round(width / 2), 2 * round(height / 2)
    if min(even_width, even_height) < MIN_SIDE_PX:
        raise validation_error(
            message=f"The {subject} must be at least {MIN_SIDE_PX} pixels on each side."
        )
    if even_width * even_height > MAX_PIXELS:
        raise validation_error(
            message=f"{even_width}x{even_height} is over the sandbox's limit of 3840x2160 pixels."
        )
    return even_width, even_height
