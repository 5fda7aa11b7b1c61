"""The camera's pose at each moment, computed from the plan's axes and gain.

Landscapes and input images use the same pose, each with its own scale, so an axis means
the same in both. A pose starts at zero: the first frame of a shot must match the last
frame of the shot before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from geekai_sandbox.render.noise import make_generator
from geekai_sandbox.render.plan import Camera, Plan

AXIS_FULL: Final = 10.0
"""The end of each of Kling's axes."""

_LINEAR_SHARE: Final = 0.35
"""Linear share of the easing, so that the camera neither rests at the ends nor jerks."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The camera's position; 1.0 on an axis is its full range at a movement of 1."""

    x: float = 0.0
    y: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0


def smootherstep(x: float) -> float:
    """Return 0 to 1, with a slope of zero at both ends."""
    x = min(1.0, max(0.0, x))
    return x * x * x * (x * (x * 6 - 15) + 10)


def ease_out(x: float) -> float:
    """Return 0 to 1, fast at the start, with a slope of zero at the end."""
    return 1 - (1 - min(1.0, max(0.0, x))) ** 3


def ease_in_out(progress: float) -> float:
    wave = 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, progress)))
    return _LINEAR_SHARE * progress + (1 - _LINEAR_SHARE) * wave


_MOVES: Final = (
    Camera(horizontal=0.7, vertical=0.2, zoom=2.0),
    Camera(horizontal=1.8, vertical=0.2, zoom=0.8),
    Camera(horizontal=0.3, vertical=1.2, zoom=1.3),
    Camera(horizontal=1.1, vertical=-0.8, zoom=2.6),
)
"""The camera of each take in turn where the request has none: first a slow push that drifts."""


def choose_camera(plan: Plan) -> Camera:
    """Return the plan's camera; by default a slow move, to the other side in every other round."""
    if plan.camera is not None:
        return plan.camera
    rounds, turn = divmod(plan.take, len(_MOVES))
    to_right = (make_generator(plan.prompt, "camera").random() < 0.5) == (rounds % 2 == 0)
    move = _MOVES[turn]
    return move if to_right else replace(move, horizontal=-move.horizontal)


def camera_pose(camera: Camera, *, movement: float, progress: float) -> Pose:
    """Return the pose at *progress*, 0 to 1; a negative progress is before the start."""
    distance = math.copysign(ease_in_out(abs(progress)), progress) * movement / AXIS_FULL
    return Pose(
        x=camera.horizontal * distance,
        y=camera.vertical * distance,
        pitch=camera.pan * distance,
        yaw=camera.tilt * distance,
        roll=camera.roll * distance,
        zoom=camera.zoom * distance,
    )
