"""Validation of an image request into the plan of a render. Pure.

GeekAI's image models use different forms of size (1024x1024, 2K, or only a ratio), so all
of them are accepted (generations page, read 2026-11-22). An image that is made from
another one keeps its aspect ratio unless the request has a different one.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from .errors import validation_error
from .fields import FieldReader
from .input_images import InputImage
from .plan import read_model, read_prompt
from .sizes import KEEP_IMAGE_RATIO, RATIO, SIZE, image_ratio, read_aspect_ratio, validate_size
from .store import MAX_IMAGES

DEFAULT_SIDE_PX: Final = 1024
SIDES_PX: Final = {"1k": 1024, "2k": 2048, "4k": 4096}
"""Side of a square with as many pixels as an image of that size."""
STEP_PX: Final = 16
"""Sides that are computed from a ratio are multiples of this, as image models have them."""

ImageFormat = Literal["png", "jpg", "webp"]
FORMATS: Final[dict[str, ImageFormat]] = {"png": "png", "jpg": "jpg", "jpeg": "jpg", "webp": "webp"}


class ImagePlan(BaseModel):
    """picture.json: the input of the render child for `count` images; sides in pixels."""

    model_config = ConfigDict(frozen=True)

    prompt: str
    model: str
    width: int
    height: int
    count: int
    format: ImageFormat
    watermark: bool
    image: str | None
    take: int = 0
    """Earlier requests with the same plan; not written for the first, as in a video's plan."""


def make_image_plan(fields: FieldReader, image: InputImage | None) -> ImagePlan:
    """Return what to render for the request *fields*, from *image* if it has one.

    Raises:
        ApiError: 400; a field is not valid or exceeds a limit.
    """
    width, height = _read_size(fields, image)
    return ImagePlan(
        prompt=read_prompt(fields),
        model=read_model(fields),
        width=width,
        height=height,
        count=_read_count(fields),
        format=_read_format(fields),
        watermark=fields.read_flag("watermark"),
        image=f"image.{image.suffix}" if image else None,
    )


def wants_base64(fields: FieldReader) -> bool:
    """Return whether the response must contain the images themselves."""
    response_format = fields.read_text("response_format") or "url"
    if response_format not in ("url", "b64_json"):
        raise validation_error(message="response_format must be url or b64_json.")
    return response_format == "b64_json"


def _read_count(fields: FieldReader) -> int:
    count = fields.read_number("n")
    if count is None:
        return 1
    if count not in range(1, MAX_IMAGES + 1):
        raise validation_error(message=f"n must be a whole number from 1 to {MAX_IMAGES}.")
    return int(count)


def _read_format(fields: FieldReader) -> ImageFormat:
    output_format = (fields.read_text("output_format") or "png").lower()
    if output_format not in FORMATS:
        raise validation_error(message="output_format must be png, jpeg or webp.")
    return FORMATS[output_format]


def _read_size(fields: FieldReader, image: InputImage | None) -> tuple[int, int]:
    """Return even sides in pixels; an exact size has precedence over a ratio."""
    size = (fields.read_text("size") or "auto").lower()
    ratio = read_aspect_ratio(fields, image, default=image_ratio(image) if image else 1.0)
    if exact := SIZE.fullmatch(size):
        fields.mark_ignored("aspect_ratio")
        return validate_size(int(exact[1]), int(exact[2]), subject="image")
    if RATIO.fullmatch(size):
        fields.mark_ignored("aspect_ratio")
        ratio = read_aspect_ratio(FieldReader({"aspect_ratio": size}), image, default=ratio)
    elif size not in SIDES_PX and size not in KEEP_IMAGE_RATIO:
        raise validation_error(
            message="size must be width x height in pixels, such as 1024x1024, or 2K."
        )
    side = SIDES_PX.get(size, DEFAULT_SIDE_PX)
    width, height = side * math.sqrt(ratio), side / math.sqrt(ratio)
    return validate_size(_round_to_step(width), _round_to_step(height), subject="image")


def _round_to_step(length: float) -> int:
    return STEP_PX * round(length / STEP_PX)
