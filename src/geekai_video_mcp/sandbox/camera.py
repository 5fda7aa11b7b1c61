"""`extra_body`'s words for motion, as six numbers and a gain.

GeekAI documents `camera_control` as a string and says no more (create page, read
2026-11-22); its models' own documents have preset names and Kling's object
`{"type", "config": {six axes, -10..10}}`. All three are taken.
"""

from __future__ import annotations

import json
from typing import Final, cast

from pydantic import BaseModel, ConfigDict

from .fields import Fields, as_number
from .refusals import invalid

AXIS_LIMIT: Final = 10.0
PRESET: Final = 5.0
"""Half of what an axis can do: plain to see, and not violent."""


class Camera(BaseModel):
    """Kling's axes, each -10..10.

    `horizontal` moves along x and `vertical` along y; `pan` turns up and down and
    `tilt` left and right (Kling's naming); `roll` turns about the line of sight.
    `zoom` above 0 comes closer: Kling's document calls it wider, its presets do not.
    """

    model_config = ConfigDict(frozen=True)

    horizontal: float = 0.0
    vertical: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0


_IN, _OUT = Camera(zoom=PRESET), Camera(zoom=-PRESET)

PRESETS: Final[dict[str, Camera]] = {
    **dict.fromkeys(("push", "push_in", "zoom_in", "dolly_in"), _IN),
    **dict.fromkeys(("pull", "pull_out", "pull_back", "zoom_out", "dolly_out"), _OUT),
    **dict.fromkeys(("static", "fixed", "still"), Camera()),
    "pan_left": Camera(tilt=-PRESET),
    "pan_right": Camera(tilt=PRESET),
    "tilt_up": Camera(pan=PRESET),
    "tilt_down": Camera(pan=-PRESET),
    **dict.fromkeys(("left", "truck_left", "move_left"), Camera(horizontal=-PRESET)),
    **dict.fromkeys(("right", "truck_right", "move_right"), Camera(horizontal=PRESET)),
    **dict.fromkeys(("up", "crane_up", "move_up"), Camera(vertical=PRESET)),
    **dict.fromkeys(("down", "crane_down", "move_down"), Camera(vertical=-PRESET)),
    "roll_left": Camera(roll=-PRESET),
    "roll_right": Camera(roll=PRESET),
    # Kling's own four, which take no config.
    "down_back": Camera(pan=-PRESET, zoom=-PRESET),
    "forward_up": Camera(pan=PRESET, zoom=PRESET),
    "right_turn_forward": Camera(tilt=PRESET, zoom=PRESET),
    "left_turn_forward": Camera(tilt=-PRESET, zoom=PRESET),
}

STRENGTHS: Final[dict[str, float]] = {
    "auto": 1.0,
    **dict.fromkeys(("small", "weak", "low"), 0.5),
    **dict.fromkeys(("medium", "normal"), 1.0),
    **dict.fromkeys(("large", "strong", "high"), 1.6),
}
"""Vidu's and Jimeng's words for how much moves, as a gain."""


def camera_of(extra: Fields) -> Camera | None:
    """The move that was asked for; None leaves the choice to the renderer.

    A preset that the sandbox has not heard of is noted as ignored: models have more
    of them than anyone lists.
    """
    asked = extra.value("camera_control")
    if isinstance(asked, str) and asked.lstrip().startswith("{"):
        asked = _parse(asked)
    if isinstance(asked, str):
        preset = PRESETS.get(asked.strip().lower().replace("-", "_").replace(" ", "_"))
        if preset is None:
            extra.ignore("camera_control")
        return preset
    if isinstance(asked, dict):
        return _from_object(cast("dict[str, object]", asked), extra)
    if asked is not None:
        raise invalid(message="extra_body.camera_control must be a preset's name or an object.")
    return Camera() if extra.flag("camerafixed") else None


def _parse(text: str) -> object:
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError) as exc:
        raise invalid(message="extra_body.camera_control begins like JSON but is not.") from exc


def _from_object(asked: dict[str, object], extra: Fields) -> Camera | None:
    config = asked.get("config")
    if isinstance(config, dict):
        axes = {
            name: _axis(name, value) for name, value in cast("dict[str, object]", config).items()
        }
        return Camera.model_validate(axes)
    preset = PRESETS.get(str(asked.get("type")))
    if preset is None:
        extra.ignore("camera_control")
    return preset


def _axis(name: str, value: object) -> float:
    number = 0.0 if value is None else as_number(value)
    if name not in Camera.model_fields:
        axes = ", ".join(Camera.model_fields)
        raise invalid(message=f"camera_control.config has an unknown axis; the axes are {axes}.")
    if number is None or abs(number) > AXIS_LIMIT:
        raise invalid(message=f"camera_control.config.{name} must be a number from -10 to 10.")
    return number


def movement_of(extra: Fields) -> float:
    """The gain of all motion, 0.0..2.0, from both fields that speak of it."""
    gain = 1.0
    for name in ("movement_amplitude", "camera_strength"):
        asked = extra.value(name)
        if asked is None:
            continue
        factor = STRENGTHS.get(asked.strip().lower()) if isinstance(asked, str) else None
        if factor is None:
            factor = as_number(asked)
        if factor is None or factor < 0:
            extra.ignore(name)
            continue
        gain *= factor
    return min(gain, 2.0)
