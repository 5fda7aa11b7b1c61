"""The camera fields of `extra_body`, parsed to six axes and a gain.

GeekAI documents `camera_control` only as a string (create page, read 2026-11-22). The
models' own documentation has preset names and Kling's object
`{"type", "config": {six axes, -10..10}}`. Preset names, the object, and the object as a
JSON string are accepted.
"""

from __future__ import annotations

import json
from typing import Final, cast

from pydantic import BaseModel, ConfigDict

from .errors import validation_error
from .fields import FieldReader, parse_number

AXIS_LIMIT: Final = 10.0
PRESET_STRENGTH: Final = 5.0
"""Half of an axis's range: clearly visible without being too fast."""


class Camera(BaseModel):
    """Kling's axes, each -10..10.

    `horizontal` moves along x and `vertical` along y; `pan` turns up and down and
    `tilt` left and right (Kling's naming); `roll` turns about the line of sight.
    `zoom` above 0 moves closer: Kling's documentation calls it wider, its presets do not.
    """

    model_config = ConfigDict(frozen=True)

    horizontal: float = 0.0
    vertical: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0


_ZOOM_IN, _ZOOM_OUT = Camera(zoom=PRESET_STRENGTH), Camera(zoom=-PRESET_STRENGTH)

PRESETS: Final[dict[str, Camera]] = {
    **dict.fromkeys(("push", "push_in", "zoom_in", "dolly_in"), _ZOOM_IN),
    **dict.fromkeys(("pull", "pull_out", "pull_back", "zoom_out", "dolly_out"), _ZOOM_OUT),
    **dict.fromkeys(("static", "fixed", "still"), Camera()),
    "pan_left": Camera(tilt=-PRESET_STRENGTH),
    "pan_right": Camera(tilt=PRESET_STRENGTH),
    "tilt_up": Camera(pan=PRESET_STRENGTH),
    "tilt_down": Camera(pan=-PRESET_STRENGTH),
    **dict.fromkeys(("left", "truck_left", "move_left"), Camera(horizontal=-PRESET_STRENGTH)),
    **dict.fromkeys(("right", "truck_right", "move_right"), Camera(horizontal=PRESET_STRENGTH)),
    **dict.fromkeys(("up", "crane_up", "move_up"), Camera(vertical=PRESET_STRENGTH)),
    **dict.fromkeys(("down", "crane_down", "move_down"), Camera(vertical=-PRESET_STRENGTH)),
    "roll_left": Camera(roll=-PRESET_STRENGTH),
    "roll_right": Camera(roll=PRESET_STRENGTH),
    # Kling's own four presets, which have no config.
    "down_back": Camera(pan=-PRESET_STRENGTH, zoom=-PRESET_STRENGTH),
    "forward_up": Camera(pan=PRESET_STRENGTH, zoom=PRESET_STRENGTH),
    "right_turn_forward": Camera(tilt=PRESET_STRENGTH, zoom=PRESET_STRENGTH),
    "left_turn_forward": Camera(tilt=-PRESET_STRENGTH, zoom=PRESET_STRENGTH),
}

STRENGTHS: Final[dict[str, float]] = {
    "auto": 1.0,
    **dict.fromkeys(("small", "weak", "low"), 0.5),
    **dict.fromkeys(("medium", "normal"), 1.0),
    **dict.fromkeys(("large", "strong", "high"), 1.6),
}
"""Vidu's and Jimeng's names for the amount of motion, as a gain."""


def parse_camera(extra: FieldReader) -> Camera | None:
    """Return the requested camera move; None leaves the choice to the renderer.

    An unknown preset is reported as ignored and not rejected: models support more presets
    than their documentation lists.
    """
    value = extra.read_value("camera_control")
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = cast("object", json.loads(value))
        except (ValueError, RecursionError) as exc:
            raise validation_error(
                message="extra_body.camera_control starts with { but is not valid JSON."
            ) from exc
    if isinstance(value, str):
        preset = PRESETS.get(value.strip().lower().replace("-", "_").replace(" ", "_"))
        if preset is None:
            extra.mark_ignored("camera_control")
        return preset
    if isinstance(value, dict):
        return _parse_camera_object(cast("dict[str, object]", value), extra)
    if value is not None:
        raise validation_error(
            message="extra_body.camera_control must be the name of a preset or an object."
        )
    return Camera() if extra.read_flag("camerafixed") else None


def _parse_camera_object(camera: dict[str, object], extra: FieldReader) -> Camera | None:
    config = camera.get("config")
    if isinstance(config, dict):
        axes = {
            name: _parse_axis(name, value)
            for name, value in cast("dict[str, object]", config).items()
        }
        return Camera.model_validate(axes)
    preset = PRESETS.get(str(camera.get("type")))
    if preset is None:
        extra.mark_ignored("camera_control")
    return preset


def _parse_axis(name: str, value: object) -> float:
    number = 0.0 if value is None else parse_number(value)
    if name not in Camera.model_fields:
        axes = ", ".join(Camera.model_fields)
        raise validation_error(
            message=f"camera_control.config has an unknown axis; supported are {axes}."
        )
    if number is None or abs(number) > AXIS_LIMIT:
        raise validation_error(
            message=f"camera_control.config.{name} must be a number from -10 to 10."
        )
    return number


def parse_movement(extra: FieldReader) -> float:
    """Return the gain of all motion, 0.0..2.0, from the two fields that control it."""
    gain = 1.0
    for name in ("movement_amplitude", "camera_strength"):
        value = extra.read_value(name)
        if value is None:
            continue
        factor = STRENGTHS.get(value.strip().lower()) if isinstance(value, str) else None
        if factor is None:
            factor = parse_number(value)
        if factor is None or factor < 0:
            extra.mark_ignored(name)
            continue
        gain *= factor
    return min(gain, 2.0)
