"""The settings that only some models have: an object whose members are passed through. Pure."""

from collections.abc import Mapping
from typing import Annotated, Final, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from geekai_video_mcp.server.arguments.fields import (
    EXTRA_BODY_EXAMPLE,
    AnyOrText,
    AnyPicture,
    AnyVideo,
    JsonDecoded,
    ShortText,
)
from geekai_video_mcp.server.arguments.json_text import decode_json, validate_json

CAMERA_AXES: Final = ("horizontal", "vertical", "pan", "tilt", "roll", "zoom")
CAMERA_TYPES: Final = (
    *("simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward"),
)
"""Kling's; the first goes with a config, the others stand alone (ComfyUI's schema, 2026-08-21)."""
CAMERA_SHAPE: Final = f"{EXTRA_BODY_EXAMPLE}, with one of {', '.join(CAMERA_AXES)}, from -10 to 10"
UNDECLARED: Final = ("seed", "camerafixed", "real_person_mode", "shot_type")
"""Members that models document and that need no check of ours."""


def _check_camera(control: object) -> object:
    """The shape of a camera control that is an object, or its JSON text; words are the model's."""
    decoded = decode_json(control)
    if not isinstance(decoded, Mapping):
        return control
    camera = cast("Mapping[str, object]", decoded)
    config = camera.get("config")
    axes = cast("Mapping[str, object]", config).keys() if isinstance(config, Mapping) else ()
    if (
        camera.get("type", "simple") not in CAMERA_TYPES
        or not (config is None or isinstance(config, Mapping))
        or not set(axes) <= set(CAMERA_AXES)
        or not set(camera) <= {"type", "config"}
    ):
        msg = f"must have this shape: {CAMERA_SHAPE}; or a type of {', '.join(CAMERA_TYPES[1:])}"
        raise ValueError(msg)
    return control


class ExtraBody(BaseModel):
    """Model-specific settings; members not named here are passed through unchanged."""

    model_config = ConfigDict(extra="allow", frozen=True)

    _all_json = model_validator(mode="before")(validate_json)

    draft: bool | None = None
    return_last_frame: bool | None = None
    movement_amplitude: ShortText | None = None
    camera_strength: ShortText | None = None
    image_list: Annotated[list[AnyPicture], JsonDecoded] | None = None
    video_list: Annotated[list[AnyVideo], JsonDecoded] | None = None
    camera_control: Annotated[AnyOrText, AfterValidator(_check_camera)] | None = None
    static_mask: AnyPicture | None = None


EXTRA_BODY_NAMES: Final = (*ExtraBody.model_fields, *UNDECLARED)
