"""How long a render takes, and how long until it is done. Pure.

The figures were measured on two cores (2026-11-22): 720p, 5 s at 30 fps takes 1.8 s in
speed and 2.9 s in quality, 1080p 2.6 and 4.9, 4K 7.8; a still adds about as much again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .pictures import ImagePlan
from .plan import Plan
from .store import Task

STARTUP_SECONDS: Final = 0.9
"""Interpreter, imports, typesetting, and the last flush to disk."""
FRAME_SECONDS: Final = 0.004
MEGAPIXEL_SECONDS: Final = 0.0055
QUALITY_MEGAPIXEL_SECONDS: Final = 0.005
"""What the better preset adds; above 1080p the renderer does without it."""
INPUT_IMAGE_MEGAPIXEL_SECONDS: Final = 0.010
FULL_HD_PIXELS: Final = 1920 * 1080

IMAGE_MEGAPIXEL_SECONDS: Final = 0.3
"""Painting, typesetting and compressing one picture."""

MIN_SECONDS: Final = 0.3
"""An estimate that is used up says "any moment now", never zero or less."""


def render_seconds(plan: Plan) -> float:
    """Seconds of rendering that *plan* asks of this machine, once it starts."""
    per_megapixel = MEGAPIXEL_SECONDS
    if plan.quality == "quality" and plan.width * plan.height <= FULL_HD_PIXELS:
        per_megapixel += QUALITY_MEGAPIXEL_SECONDS
    if plan.image or plan.image_tail:
        per_megapixel += INPUT_IMAGE_MEGAPIXEL_SECONDS
    drawing = plan.frames * FRAME_SECONDS + plan.pixel_frames / 1e6 * per_megapixel
    return STARTUP_SECONDS + drawing


def image_seconds(plan: ImagePlan) -> float:
    """The same for pictures."""
    megapixels = plan.width * plan.height / 1e6
    return STARTUP_SECONDS + plan.count * megapixels * IMAGE_MEGAPIXEL_SECONDS


def remaining_seconds(expected: float, *, elapsed: float, progress: float) -> float:
    """Seconds left of a render that was *expected* to take so long in all.

    The further it is, the more the pace so far counts and the less the forecast. A
    clock that was set back makes *elapsed* negative, which counts as none.
    """
    elapsed = max(elapsed, 0.0)
    if progress <= 0.0:
        left = expected - elapsed
    else:
        # (1 - progress) of the forecast plus progress of the pace's own total, elapsed / progress.
        left = ((1.0 - progress) * expected + elapsed) * (1.0 - progress)
    return max(left, MIN_SECONDS)


def seconds_until_done(task_id: str, queue: Sequence[Task], *, now: float) -> float:
    """Seconds until the task is done, given every unfinished task, first come first."""
    total = 0.0
    for task in queue:
        if task.started_at is None:
            total += task.expected_seconds
        else:
            elapsed = now - task.started_at
            total += remaining_seconds(
                task.expected_seconds, elapsed=elapsed, progress=task.progress
            )
        if task.id == task_id:
            break
    return round(max(total, MIN_SECONDS), 2)
