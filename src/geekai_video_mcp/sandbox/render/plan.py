"""What the service asks for: plan.json or picture.json as a frozen value.

The service has already checked what a caller may ask; this checks only what would make
the renderer fail late or lie, and says which field it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

Quality = Literal["speed", "quality"]
ImageFormat = Literal["png", "jpg", "webp"]

FULL_HD_PIXELS: Final = 1920 * 1080
"""Above this, x264's look-ahead alone would pass the memory a preview may take."""


FULL_MOTION_SECONDS: Final = 3.0
"""A video at least this long gets every entrance at its own pace; a shorter one, in proportion."""


class InvalidPlanError(ValueError):
    """The plan cannot be rendered as written; names the field."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Kling's six axes, each -10..10, as the camera moves; the picture moves the other way.

    horizontal: to the right. vertical: up. pan: turns to look up. tilt: turns to look
    right. roll: turns clockwise about the lens. zoom: closer (Kling's own document has
    positive as wider; the sandbox's service settles on closer and documents it).
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

    def __post_init__(self) -> None:
        _check_sides(self.width, self.height)
        if self.fps < 1 or not self.seconds > 0:
            msg = f"fps and seconds must be positive, not {self.fps} and {self.seconds}."
            raise InvalidPlanError(msg)

    @property
    def frames(self) -> int:
        """How many frames: the nearest whole number, and never none."""
        return max(1, int(self.seconds * self.fps + 0.5))

    @property
    def duration(self) -> float:
        """Seconds on screen: what the frames make, which is what both tracks last."""
        return self.frames / self.fps

    @property
    def pace(self) -> float:
        """What the seconds of every entrance are multiplied by."""
        return min(1.0, self.duration / FULL_MOTION_SECONDS)

    @property
    def uses_fast_preset(self) -> bool:
        """Whether the encoder takes its quickest preset."""
        return self.quality == "speed" or self.width * self.height > FULL_HD_PIXELS

    @property
    def ignored(self) -> list[str]:
        """Fields that were set and change nothing, so that the report need not pretend."""
        without_image = self.image is None
        found = {
            "image_tail": without_image and self.image_tail is not None,
            # A layered landscape has no pixels outside its own frame to turn into view.
            "camera.roll": without_image and self.camera is not None and self.camera.roll != 0,
            "quality": self.quality == "quality" and self.uses_fast_preset,
        }
        return [field for field, unused in found.items() if unused]


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """Pictures to render, `count` of them, each another take. Lengths in pixels."""

    prompt: str
    model: str
    width: int
    height: int
    count: int = 1
    format: ImageFormat = "png"
    watermark: bool = False
    image: str | None = None

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
    """Read the plan in *folder*: of a video, or, if picture.json is there, of pictures.

    Raises:
        PlanRefused: it is not JSON, misses a field, or asks for the impossible.
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
    except (OSError, TypeError, ValueError, KeyError) as exc:
        msg = f"{path.name} cannot be read: {exc}"
        raise InvalidPlanError(msg) from exc
