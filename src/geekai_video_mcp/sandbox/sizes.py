"""The words for how large and of what shape, in pixels and ratios. Pure.

GeekAI's own lists of sizes are narrower than its models, so anything drawable is taken.
"""

from __future__ import annotations

import re
from typing import Final

from .fields import Fields
from .refusals import invalid
from .stills import Still

MIN_SIDE_PX: Final = 64
MAX_PIXELS: Final = 3840 * 2160
MAX_RATIO: Final = 4.0

SIZE: Final = re.compile(r"(\d{1,5})\s*[xX*×]\s*(\d{1,5})", re.ASCII)
RATIO: Final = re.compile(r"(\d{1,5}(?:\.\d{1,4})?):(\d{1,5}(?:\.\d{1,4})?)", re.ASCII)
IMAGE_SHAPED: Final = frozenset({"adaptive", "auto", "keep_ratio"})


def shape_of(still: Still) -> float:
    """A picture's width over its height, within what can be drawn."""
    return min(max(still.width / still.height, 1 / MAX_RATIO), MAX_RATIO)


def ratio_of(asked: Fields, still: Still | None, *, default: float) -> float:
    """`aspect_ratio` as width over height; *default* where it is not said."""
    text = asked.text("aspect_ratio")
    if text is None:
        return default
    if text.lower() in IMAGE_SHAPED:
        return shape_of(still) if still else default
    found = RATIO.fullmatch(text)
    width, height = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not (width and height and 1 / MAX_RATIO <= width / height <= MAX_RATIO):
        raise invalid(message="aspect_ratio must be width:height from 1:4 to 4:1, or adaptive.")
    return width / height


def drawable(width: float, height: float, *, what: str) -> tuple[int, int]:
    """The nearest even sides, if *what* can be drawn so small or so large."""
    even_width, even_height = 2 * round(width / 2), 2 * round(height / 2)
    if min(even_width, even_height) < MIN_SIDE_PX:
        raise invalid(message=f"The {what} must be at least {MIN_SIDE_PX} pixels on each side.")
    if even_width * even_height > MAX_PIXELS:
        raise invalid(
            message=f"{even_width}x{even_height} is over the sandbox's limit of 3840x2160 pixels."
        )
    return even_width, even_height
