"""Validation of a video request into the plan of a render. Pure.

GeekAI's documented values are narrower than what its models accept (a model page lists
16 fps where the schema has 24, 30, 60), so everything that can be rendered is accepted.
The defaults are those of the create page (read 2026-11-22), except 720p for speed.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from .camera_control import Camera, parse_camera, parse_movement
from .errors import validation_error
from .fields import FieldReader
from .input_images import InputImage
from .sizes import (
    MAX_PIXELS,
    SIZE,
    image_ratio,
    limit_pixels,
    read_aspect_ratio,
    validate_size,
)

DEFAULT_SHORT_SIDE_PX: Final = 720
DEFAULT_RATIO: Final = 16 / 9
DEFAULT_SECONDS: Final = 5.0
DEFAULT_FPS: Final = 30

MAX_PROMPT_CHARS: Final = 20_000
"""The longest prompt that any of GeekAI's models is known to accept (Wan 3.0)."""
MAX_MODEL_CHARS: Final = 200
MAX_PIXEL_FRAMES: Final = MAX_PIXELS * 10 * 60
"""4K for 10 s at 60 fps, which takes two cores some minutes."""
FULL_HD_PIXELS: Final = 1920 * 1080
MAX_SECONDS: Final = 60.0
MAX_FPS: Final = 60

RESOLUTION: Final = re.compile(r"(\d{2,4})[pP]", re.ASCII)
SHORT_SIDES_PX: Final = {"1k": 720, "2k": 1440, "4k": 2160, "hd": 720, "fhd": 1080, "uhd": 2160}

Quality = Literal["speed", "quality"]
QUALITIES: Final[dict[str, Quality]] = {
    "speed": "speed",
    "std": "speed",
    "quality": "quality",
    "pro": "quality",
}


class Plan(BaseModel):
    """plan.json: the complete input of the render child. Sides are even, in pixels."""

    model_config = ConfigDict(frozen=True)

    prompt: str
    model: str
    width: int
    height: int
    fps: int
    seconds: float
    audio: bool
    watermark: bool
    quality: Quality
    image: str | None
    image_tail: str | None
    camera: Camera | None
    movement: float
    last_frame: bool
    take: int = 0
    """Earlier requests with the same plan. It is not written for the first: a server of an earlier
    version, which may share the folder, does not know it."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields that were understood and have no effect in this combination."""
        # A landscape is painted for the frame only and cannot be rotated.
        rolls = self.image is None and self.camera is not None and self.camera.roll != 0
        # Above Full HD, the slower preset would need more memory than a preview may take.
        hasty = self.quality == "quality" and self.width * self.height > FULL_HD_PIXELS
        found = {"extra_body.camera_control.roll": rolls, "quality": hasty}
        return tuple(name for name, unused in found.items() if unused)

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.fps))

    @property
    def pixel_frames(self) -> int:
        return self.width * self.height * self.frames


def make_plan(
    fields: FieldReader,
    extra_body: FieldReader,
    *,
    first: InputImage | None,
    tail: InputImage | None,
) -> Plan:
    """Return what to render for the request *fields* with its `extra_body` *extra_body*.

    Raises:
        ApiError: 400; a field is not valid or exceeds a limit.
    """
    width, height = _read_size(fields, first or tail)
    plan = Plan(
        prompt=read_prompt(fields),
        model=read_model(fields),
        width=width,
        height=height,
        fps=_read_fps(fields),
        seconds=_read_seconds(fields),
        audio=fields.read_flag("with_audio"),
        watermark=fields.read_flag("watermark"),
        quality=_read_quality(fields),
        image=f"image.{first.suffix}" if first else None,
        image_tail=f"image_tail.{tail.suffix}" if tail else None,
        camera=parse_camera(extra_body),
        movement=parse_movement(extra_body),
        last_frame=extra_body.read_flag("return_last_frame"),
    )
    if plan.pixel_frames > MAX_PIXEL_FRAMES:
        raise validation_error(
            message=f"{width}x{height}, {plan.seconds:g} s at {plan.fps} fps is too much for the "
            "sandbox; the limit is 3840x2160 for 10 s at 60 fps, or the same total of pixels."
        )
    return plan


def read_prompt(fields: FieldReader) -> str:
    prompt = fields.read_text("prompt")
    if prompt is None:
        raise validation_error(message="prompt is required.")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise validation_error(message=f"prompt is longer than {MAX_PROMPT_CHARS} characters.")
    return prompt


def read_model(fields: FieldReader) -> str:
    model = fields.read_text("model")
    if model is None:
        raise validation_error(
            message="model is required; any name is accepted, for example sandbox."
        )
    if len(model) > MAX_MODEL_CHARS:
        raise validation_error(message=f"model is longer than {MAX_MODEL_CHARS} characters.")
    return model


def _read_seconds(fields: FieldReader) -> float:
    seconds = fields.read_number("duration")
    if seconds is None:
        return DEFAULT_SECONDS
    if not 0 < seconds <= MAX_SECONDS:
        raise validation_error(
            message=f"duration must be above 0 and at most {MAX_SECONDS:g} seconds."
        )
    return seconds


def _read_fps(fields: FieldReader) -> int:
    fps = fields.read_number("fps")
    if fps is None:
        return DEFAULT_FPS
    if not 1 <= round(fps) <= MAX_FPS:
        raise validation_error(message=f"fps must be from 1 to {MAX_FPS}.")
    return round(fps)


def _read_quality(fields: FieldReader) -> Quality:
    quality = fields.read_text("quality")
    if quality is None:
        return "speed"
    if quality.lower() not in QUALITIES:
        fields.mark_ignored("quality")
    return QUALITIES.get(quality.lower(), "speed")


def _read_size(fields: FieldReader, image: InputImage | None) -> tuple[int, int]:
    """Return even sides in pixels; an exact size in either field has precedence over a ratio.

    With neither, a video that starts from an image has the shape of the image.
    """
    size, resolution = fields.read_text("size"), fields.read_text("resolution")
    shape = image_ratio(image) if image else DEFAULT_RATIO
    ratio = read_aspect_ratio(fields, image, default=shape)
    exact = _parse_size(size, "size") if size else None
    if exact is None and resolution and SIZE.fullmatch(resolution):
        # Sora's page uses resolution as an alias of size.
        exact = _parse_size(resolution, "resolution")
    elif exact is not None:
        fields.mark_ignored("resolution")
    if exact is not None:
        fields.mark_ignored("aspect_ratio")
        return validate_size(*exact, subject="video")
    short = _parse_short_side(resolution) if resolution else DEFAULT_SHORT_SIDE_PX
    width, height = short * max(ratio, 1.0), short / min(ratio, 1.0)
    if image and ratio == shape and short <= SHORT_SIDES_PX["4k"]:
        # No refusal for a shape that nobody asked for: in 4K, a wide image makes fewer rows.
        width, height = limit_pixels(width, height)
    return validate_size(width, height, subject="video")


def _parse_size(text: str, name: str) -> tuple[int, int]:
    match = SIZE.fullmatch(text)
    if match is None:
        raise validation_error(
            message=f"{name} must be width x height in pixels, for example 1280x720."
        )
    return int(match[1]), int(match[2])


def _parse_short_side(text: str) -> int:
    match = RESOLUTION.fullmatch(text)
    short = int(match[1]) if match else SHORT_SIDES_PX.get(text.lower())
    if short is None:
        raise validation_error(
            message="resolution must be the short side, for example 480p, 720p, 1080p, 2K or 4K."
        )
    return short
