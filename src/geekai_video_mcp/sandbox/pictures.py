"""From a request for pictures to what will be drawn, or a refusal in one sentence. Pure.

GeekAI's image models disagree about sizes (1024x1024, 2K, or a ratio alone), so every
spelling is taken (generations page, read 2026-11-22). A picture that is made from
another keeps its shape unless another is asked for.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from .fields import Fields
from .plan import model_of, prompt_of
from .refusals import invalid
from .sizes import IMAGE_SHAPED, RATIO, SIZE, drawable, ratio_of, shape_of
from .stills import Still
from .store import MAX_PICTURES

DEFAULT_SIDE_PX: Final = 1024
SIDES_PX: Final = {"1k": 1024, "2k": 2048, "4k": 4096}
"""Sides of the square with as many pixels as a picture of that word."""
STEP_PX: Final = 16
"""Sides that follow from a ratio are whole steps, as image models have them."""

Format = Literal["png", "jpg", "webp"]
FORMATS: Final[dict[str, Format]] = {"png": "png", "jpg": "jpg", "jpeg": "jpg", "webp": "webp"}


class PicturePlan(BaseModel):
    """picture.json: what the render child is told of `count` pictures; sides in pixels."""

    model_config = ConfigDict(frozen=True)

    prompt: str
    model: str
    width: int
    height: int
    count: int
    format: Format
    watermark: bool
    image: str | None


def draw_pictures(asked: Fields, still: Still | None) -> PicturePlan:
    """Return what to render for the request *asked*, from *still* if it has one.

    Raises:
        Refused: 400; what was asked cannot be understood, or is too much.
    """
    width, height = _size(asked, still)
    return PicturePlan(
        prompt=prompt_of(asked),
        model=model_of(asked),
        width=width,
        height=height,
        count=_count(asked),
        format=_format(asked),
        watermark=asked.flag("watermark"),
        image=f"image.{still.suffix}" if still else None,
    )


def inline_of(asked: Fields) -> bool:
    """Whether the pictures are wanted in the answer itself."""
    word = asked.text("response_format") or "url"
    if word not in ("url", "b64_json"):
        raise invalid(message="response_format must be url or b64_json.")
    return word == "b64_json"


def _count(asked: Fields) -> int:
    count = asked.number("n")
    if count is None:
        return 1
    if count not in range(1, MAX_PICTURES + 1):
        raise invalid(message=f"n must be a whole number from 1 to {MAX_PICTURES}.")
    return int(count)


def _format(asked: Fields) -> Format:
    word = (asked.text("output_format") or "png").lower()
    if word not in FORMATS:
        raise invalid(message="output_format must be png, jpeg or webp.")
    return FORMATS[word]


def _size(asked: Fields, still: Still | None) -> tuple[int, int]:
    """Even sides in pixels; exact ones win over a shape."""
    size = (asked.text("size") or "auto").lower()
    ratio = ratio_of(asked, still, default=shape_of(still) if still else 1.0)
    if exact := SIZE.fullmatch(size):
        asked.ignore("aspect_ratio")
        return drawable(int(exact[1]), int(exact[2]), what="picture")
    if RATIO.fullmatch(size):
        asked.ignore("aspect_ratio")
        ratio = ratio_of(Fields({"aspect_ratio": size}), still, default=ratio)
    elif size not in SIDES_PX and size not in IMAGE_SHAPED:
        raise invalid(message="size must be width x height in pixels, as in 1024x1024, or 2K.")
    side = SIDES_PX.get(size, DEFAULT_SIDE_PX)
    width, height = side * math.sqrt(ratio), side / math.sqrt(ratio)
    return drawable(_stepped(width), _stepped(height), what="picture")


def _stepped(length: float) -> int:
    return STEP_PX * round(length / STEP_PX)
