"""From what was asked to what will be drawn, or a refusal in one sentence. Pure.

GeekAI's own lists of durations are narrower than its models (a model page lists 16 fps
where the schema has 24, 30, 60), so anything drawable is taken.
Defaults are the create page's (read 2026-11-22), at 720p for a preview's sake.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from .camera import Camera, camera_of, movement_of
from .fields import Fields
from .refusals import invalid
from .sizes import MAX_PIXELS, SIZE, drawable, ratio_of
from .stills import Still

DEFAULT_SHORT_SIDE_PX: Final = 720
DEFAULT_RATIO: Final = 16 / 9
DEFAULT_SECONDS: Final = 5.0
DEFAULT_FPS: Final = 30

MAX_PROMPT_CHARS: Final = 20_000
"""The longest that any of GeekAI's models is known to take (Wan 3.0)."""
MAX_MODEL_CHARS: Final = 200
MAX_PIXEL_FRAMES: Final = MAX_PIXELS * 10 * 60
"""4K for 10 s at 60 fps: minutes of work for two cores."""
MAX_SECONDS: Final = 60.0
MAX_FPS: Final = 60

LINES: Final = re.compile(r"(\d{2,4})[pP]", re.ASCII)
SHORT_SIDES_PX: Final = {"1k": 720, "2k": 1440, "4k": 2160, "hd": 720, "fhd": 1080, "uhd": 2160}

Quality = Literal["speed", "quality"]
QUALITIES: Final[dict[str, Quality]] = {
    "speed": "speed",
    "std": "speed",
    "quality": "quality",
    "pro": "quality",
}


class Plan(BaseModel):
    """plan.json: everything the render child is told. Sides are even, in pixels."""

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

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.fps))

    @property
    def pixel_frames(self) -> int:
        return self.width * self.height * self.frames


def draw_plan(asked: Fields, extra: Fields, *, first: Still | None, tail: Still | None) -> Plan:
    """Return what to render for the request *asked* with its `extra_body` *extra*.

    Raises:
        Refused: 400; what was asked cannot be understood, or is too much.
    """
    width, height = _size(asked, first or tail)
    plan = Plan(
        prompt=prompt_of(asked),
        model=model_of(asked),
        width=width,
        height=height,
        fps=_fps(asked),
        seconds=_seconds(asked),
        audio=asked.flag("with_audio"),
        watermark=asked.flag("watermark"),
        quality=_quality(asked),
        image=f"image.{first.suffix}" if first else None,
        image_tail=f"image_tail.{tail.suffix}" if tail else None,
        camera=camera_of(extra),
        movement=movement_of(extra),
        last_frame=extra.flag("return_last_frame"),
    )
    if plan.pixel_frames > MAX_PIXEL_FRAMES:
        raise invalid(
            message=f"{width}x{height}, {plan.seconds:g} s at {plan.fps} fps is too much for the "
            "sandbox; its limit is 3840x2160 for 10 s at 60 fps, or as many pixels in all."
        )
    return plan


def prompt_of(asked: Fields) -> str:
    prompt = asked.text("prompt")
    if prompt is None:
        raise invalid(message="prompt is required.")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise invalid(message=f"prompt is longer than {MAX_PROMPT_CHARS} characters.")
    return prompt


def model_of(asked: Fields) -> str:
    model = asked.text("model")
    if model is None:
        raise invalid(message="model is required; any name will do, sandbox for one.")
    if len(model) > MAX_MODEL_CHARS:
        raise invalid(message=f"model is longer than {MAX_MODEL_CHARS} characters.")
    return model


def _seconds(asked: Fields) -> float:
    seconds = asked.number("duration")
    if seconds is None:
        return DEFAULT_SECONDS
    if not 0 < seconds <= MAX_SECONDS:
        raise invalid(message=f"duration must be above 0 and at most {MAX_SECONDS:g} seconds.")
    return seconds


def _fps(asked: Fields) -> int:
    fps = asked.number("fps")
    if fps is None:
        return DEFAULT_FPS
    if not 1 <= round(fps) <= MAX_FPS:
        raise invalid(message=f"fps must be from 1 to {MAX_FPS}.")
    return round(fps)


def _quality(asked: Fields) -> Quality:
    word = asked.text("quality")
    if word is None:
        return "speed"
    if word.lower() not in QUALITIES:
        asked.ignore("quality")
    return QUALITIES.get(word.lower(), "speed")


def _size(asked: Fields, still: Still | None) -> tuple[int, int]:
    """Even sides in pixels; a size, wherever it stands, wins over a shape."""
    size, resolution = asked.text("size"), asked.text("resolution")
    ratio = ratio_of(asked, still, default=DEFAULT_RATIO)
    exact = _sides(size, "size") if size else None
    if exact is None and resolution and SIZE.fullmatch(resolution):
        # Sora's page uses resolution as another name for size.
        exact = _sides(resolution, "resolution")
    elif exact is not None:
        asked.ignore("resolution")
    if exact is not None:
        asked.ignore("aspect_ratio")
        return drawable(*exact, what="video")
    short = _short_side(resolution) if resolution else DEFAULT_SHORT_SIDE_PX
    return drawable(short * max(ratio, 1.0), short / min(ratio, 1.0), what="video")


def _sides(text: str, name: str) -> tuple[int, int]:
    found = SIZE.fullmatch(text)
    if found is None:
        raise invalid(message=f"{name} must be width x height in pixels, as in 1280x720.")
    return int(found[1]), int(found[2])


def _short_side(text: str) -> int:
    lines = LINES.fullmatch(text)
    short = int(lines[1]) if lines else SHORT_SIDES_PX.get(text.lower())
    if short is None:
        raise invalid(
            message="resolution must be the short side, as in 480p, 720p, 1080p, 2K or 4K."
        )
    return short
