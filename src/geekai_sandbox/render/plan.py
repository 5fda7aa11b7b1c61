"""The renderer's input: plan.json or picture.json as a frozen dataclass.

The service has already validated the request. This checks only what would make the
renderer fail late or report wrong values, and names the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

from geekai_sandbox.render.noise import seed_of_take

Quality = Literal["speed", "quality"]
ImageFormat = Literal["png", "jpg", "webp"]

FULL_HD_PIXELS: Final = 1920 * 1080
"""Above this, x264's look-ahead alone would need more memory than a preview may take."""


FULL_MOTION_SECONDS: Final = 3.0
"""Videos at least this long have fades of the normal duration; shorter ones, proportionally."""


class InvalidPlanError(ValueError):
    """The plan cannot be rendered; the message names the field."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Kling's six axes, each -10..10, of the camera; the picture moves the other way.

    horizontal: to the right. vertical: up. pan: turns up. tilt: turns right. roll: turns
    clockwise about the lens. zoom: closer (wider in Kling's documentation, closer in its
    presets and here).
    """

    horizontal: float = 0.0
    vertical: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0

    @classmethod
    def from_axes(cls, axes: Mapping[str, Any] | None) -> Self | None:
        return None if axes is None else cls(**{name: float(axes[name]) for name in axes})


@dataclass(frozen=True, slots=True)
class Plan:
    """One video to render. Lengths in pixels, times in seconds."""

    prompt: str
    model: str
    width: int
    height: int
    fps: int
    seconds: float
    audio: bool = False
    watermark: bool = False
    quality: Quality = "speed"
    image: str | None = None
    image_tail: str | None = None
    camera: Camera | None = None
    movement: float = 1.0
    last_frame: bool = False
    take: int = 0
    """Earlier requests that were equal to this one; each makes another video."""

    def __post_init__(self) -> None:
        _check_sides(self.width, self.height)
        if self.fps < 1 or not self.seconds > 0:
            msg = f"fps and seconds must be positive, not {self.fps} and {self.seconds}."
            raise InvalidPlanError(msg)

    @property
    def frames(self) -> int:
        """Number of frames, at least one."""
        return max(1, int(self.seconds * self.fps + 0.5))

    @property
    def duration(self) -> float:
        """Seconds that the frames take; both tracks have this duration."""
        return self.frames / self.fps

    @property
    def pace(self) -> float:
        """Factor for the duration of every fade."""
        return min(1.0, self.duration / FULL_MOTION_SECONDS)

    @property
    def uses_fast_preset(self) -> bool:
        """Whether the encoder uses its fastest preset."""
        return self.quality == "speed" or self.width * self.height > FULL_HD_PIXELS

    @property
    def seed(self) -> str:
        """The text that everything random in the video is seeded by."""
        return seed_of_take(self.prompt, self.take)


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """A request for `count` different images. Lengths in pixels."""

    prompt: str
    model: str
    width: int
    height: int
    count: int = 1
    format: ImageFormat = "png"
    watermark: bool = False
    image: str | None = None
    take: int = 0
    """Earlier requests that were equal to this one; each makes other images."""

    def __post_init__(self) -> None:
        _check_sides(self.width, self.height)
        if self.count < 1:
            msg = f"count must be positive, not {self.count}."
            raise InvalidPlanError(msg)


def _check_sides(width: int, height: int) -> None:
    if width < 2 or height < 2 or width % 2 or height % 2:
        msg = f"width and height must be even, not {width}x{height}."
        raise InvalidPlanError(msg)


def read_plan(folder: Path) -> Plan | ImagePlan:
    """Read the plan in *folder*: of images if it has a picture.json, else of a video.

    Raises:
        InvalidPlanError: it is not JSON, or a field is missing or not valid.
    """
    picture = folder / "picture.json"
    path = picture if picture.exists() else folder / "plan.json"
    try:
        fields = cast("dict[str, Any]", json.loads(path.read_bytes()))
        if path == picture:
            return ImagePlan(**fields)
        fields["camera"] = Camera.from_axes(fields["camera"])
        return Plan(**fields)
    except InvalidPlanError:
        raise
    except (OSError, TypeError, ValueError, KeyError, RecursionError) as exc:
        msg = f"{path.name} cannot be read: {exc}"
        raise InvalidPlanError(msg) from exc
