"""From what was asked to what will be drawn, or a refusal in one sentence. Pure.

GeekAI's own lists of sizes and durations are narrower than its models (a model page
lists 16 fps where the schema has 24, 30, 60), so anything drawable is taken.
Defaults are the create page's (read 2026-11-22), at 720p for a preview's sake.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from .camera import Camera, camera_of, movement_of
from .fields import Fields
from .refusals import invalid
from .stills import Still

DEFAULT_SHORT_SIDE_PX: Final = 720
DEFAULT_RATIO: Final = 16 / 9
DEFAULT_SECONDS: Final = 5.0
DEFAULT_FPS: Final = 30

MAX_PROMPT_CHARS: Final = 20_000
"""The longest that any of GeekAI's models is known to take (Wan 3.0)."""
MAX_MODEL_CHARS: Final = 200
MIN_SIDE_PX: Final = 64
MAX_PIXELS: Final = 3840 * 2160
MAX_PIXEL_FRAMES: Final = MAX_PIXELS * 10 * 60
"""4K for 10 s at 60 fps: minutes of work for two cores."""
MAX_SECONDS: Final = 60.0
MAX_FPS: Final = 60
MAX_RATIO: Final = 4.0

SIZE: Final = re.compile(r"(\d{1,5})\s*[xX*×]\s*(\d{1,5})", re.ASCII)
LINES: Final = re.compile(r"(\d{2,4})[pP]", re.ASCII)
RATIO: Final = re.compile(r"(\d{1,5}(?:\.\d{1,4})?):(\d{1,5}(?:\.\d{1,4})?)", re.ASCII)
SHORT_SIDES_PX: Final = {"1k": 720, "2k": 1440, "4k": 2160, "hd": 720, "fhd": 1080, "uhd": 2160}
IMAGE_SHAPED: Final = frozenset({"adaptive", "keep_ratio"})

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
        prompt=_prompt(asked),
        model=_model(asked),
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


def _prompt(asked: Fields) -> str:
    prompt = asked.text("prompt")
    if prompt is None:
        raise invalid(message="prompt is required.")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise invalid(message=f"prompt is longer than {MAX_PROMPT_CHARS} characters.")
    return prompt


def _model(asked: Fields) -> str:
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
    ratio = _ratio(asked, still)
    exact = _sides(size, "size") if size else None
    if exact is None and resolution and SIZE.fullmatch(resolution):
        # Sora's page uses resolution as another name for size.
        exact = _sides(resolution, "resolution")
    elif exact is not None:
        asked.ignore("resolution")
    if exact is not None:
        asked.ignore("aspect_ratio")
        return _checked(*exact)
    short = _short_side(resolution) if resolution else DEFAULT_SHORT_SIDE_PX
    return _checked(short * max(ratio, 1.0), short / min(ratio, 1.0))


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


def _ratio(asked: Fields, still: Still | None) -> float:
    text = asked.text("aspect_ratio")
    if text is None:
        return DEFAULT_RATIO
    if text.lower() in IMAGE_SHAPED:
        own = still.width / still.height if still else DEFAULT_RATIO
        return min(max(own, 1 / MAX_RATIO), MAX_RATIO)
    found = RATIO.fullmatch(text)
    width, height = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not (width and height and 1 / MAX_RATIO <= width / height <= MAX_RATIO):
        raise invalid(message="aspect_ratio must be width:height from 1:4 to 4:1, or adaptive.")
    return width / height


def _checked(width: float, height: float) -> tuple[int, int]:
    even_width, even_height = 2 * round(width / 2), 2 * round(height / 2)
    if min(even_width, even_height) < MIN_SIDE_PX:
        raise invalid(message=f"The video must be at least {MIN_SIDE_PX} pixels on each side.")
    if even_width * even_height > MAX_PIXELS:
        raise invalid(
            message=f"{even_width}x{even_height} is over the sandbox's limit of 3840x2160 pixels."
        )
    return even_width, even_height
