"""What is wrong with a camera control, by its model and by Kling's rules. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from geekai_video_mcp.domain.catalogue.conditions import value_at
from geekai_video_mcp.domain.catalogue.facts import Model, extra_body_values, models
from geekai_video_mcp.domain.catalogue.finding import Finding
from geekai_video_mcp.quoting import quote

CAMERA_CONTROL: Final = "camera_control"
IN_THE_PROMPT: Final = "write the camera movement in the prompt"
MAX_CAMERA_MOVE: Final = 10
"""Limit of each of Kling's camera moves in either direction; ComfyUI's Kling schema, 2026-08-21."""
MAX_NAMED_MOVES: Final = 6
"""Camera moves that a message names: as many as Kling has."""


def find_camera_problems(request: Mapping[str, Any], model: Model) -> Iterator[Finding]:
    """What speaks against the camera control of the request.

    Kling takes one camera move at a time, within limits, by ComfyUI's Kling schema.
    """
    control = value_at(request, f"extra_body.{CAMERA_CONTROL}")
    if not control:
        return
    if not _takes_it(model):
        yield from _untaken(model)
        if "camera" in model.facts or not any(map(_takes_it, _siblings_of(model))):
            return
    source = extra_body_values()[CAMERA_CONTROL].sources[0]
    moves = _moves_of(control)
    if sum(reach != 0 for reach in moves.values()) > 1:
        named = ", ".join(list(moves)[:MAX_NAMED_MOVES])
        more = f" and {len(moves) - MAX_NAMED_MOVES} more" if len(moves) > MAX_NAMED_MOVES else ""
        yield Finding(
            problem=f"{model.id} takes one camera move at a time; {named}{more} were given",
            remedy=f"give one, or {IN_THE_PROMPT}",
            certainty="maker",
            source=source,
        )
    if any(abs(reach) > MAX_CAMERA_MOVE for reach in moves.values()):
        yield Finding(
            problem=f"{model.id} takes camera moves from -{MAX_CAMERA_MOVE} to {MAX_CAMERA_MOVE}",
            remedy="give a smaller number",
            certainty="maker",
            source=source,
        )


def _takes_it(model: Model) -> bool:
    return CAMERA_CONTROL in (model.value("extras") or ())


def _siblings_of(model: Model) -> Iterator[Model]:
    return (other for other in models().values() if other.group == model.group)


def _untaken(model: Model) -> Iterator[Finding]:
    """That the model takes no camera control, or is not known to."""
    camera = model.facts.get("camera")
    known = model.facts.get("extras") if camera is None else camera
    if known is None:
        return
    sure = "doubt" if camera is None else camera.certainty
    other = f"; its camera control is {camera.value}" if camera is not None and camera.value else ""
    yield Finding(
        problem=f"{model.id} {'may' if sure == 'doubt' else 'does'} not support"
        f" extra_body.{CAMERA_CONTROL}{other}",
        remedy=IN_THE_PROMPT,
        certainty=sure,
        source=known.sources[0],
    )


def _moves_of(control: object) -> dict[str, float]:
    """The moves of a camera control, which may be an object or its JSON text."""
    if isinstance(control, str):
        try:
            control = cast("object", json.loads(control))
        except (ValueError, RecursionError):
            return {}
    config = value_at({"control": control}, "control.config")
    if not isinstance(config, Mapping):
        return {}
    moves = cast("Mapping[str, object]", config)
    return {quote(k, limit=16): v for k, v in moves.items() if isinstance(v, (int, float))}
