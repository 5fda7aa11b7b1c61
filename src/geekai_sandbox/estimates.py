"""Estimates of the render time and of the time until a task is done. Pure.

Measured on two cores (2026-11-22): 720p, 5 s at 30 fps takes 1.8 s with quality=speed and
2.9 s with quality=quality, 1080p 2.6 and 4.9, 4K 7.8; an input image about doubles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .image_plan import ImagePlan
from .plan import FULL_HD_PIXELS, Plan
from .store import Task

STARTUP_SECONDS: Final = 0.9
"""Starting the interpreter, imports, typesetting, and the final flush to disk."""
FRAME_SECONDS: Final = 0.004
MEGAPIXEL_SECONDS: Final = 0.0055
QUALITY_MEGAPIXEL_SECONDS: Final = 0.005
"""Added by the slower encoder preset, which the renderer does not use above 1080p."""
INPUT_IMAGE_MEGAPIXEL_SECONDS: Final = 0.010

IMAGE_MEGAPIXEL_SECONDS: Final = 0.3
"""Painting, text and compression of an image."""

MIN_SECONDS: Final = 0.3
"""The smallest estimate that is reported for an unfinished task."""


def render_seconds(plan: Plan) -> float:
    """Return the seconds that rendering *plan* takes on this machine, without queueing."""
    per_megapixel = MEGAPIXEL_SECONDS
    if plan.quality == "quality" and plan.width * plan.height <= FULL_HD_PIXELS:
        per_megapixel += QUALITY_MEGAPIXEL_SECONDS
    if plan.image or plan.image_tail:
        per_megapixel += INPUT_IMAGE_MEGAPIXEL_SECONDS
    drawing = plan.frames * FRAME_SECONDS + plan.pixel_frames / 1e6 * per_megapixel
    return STARTUP_SECONDS + drawing


def image_seconds(plan: ImagePlan) -> float:
    """Return the seconds that rendering the images of *plan* takes, without queueing."""
    megapixels = plan.width * plan.height / 1e6
    return STARTUP_SECONDS + plan.count * megapixels * IMAGE_MEGAPIXEL_SECONDS


def remaining_seconds(expected: float, *, elapsed: float, progress: float) -> float:
    """Return the seconds left of a render that was *expected* to take that many in total.

    The weight of the pace so far grows with the progress, that of the forecast shrinks.
    A negative *elapsed*, from a clock that was set back, counts as 0.
    """
    elapsed = max(elapsed, 0.0)
    if progress <= 0.0:
        left = expected - elapsed
    else:
        # The total is (1 - progress) * forecast + progress * (elapsed / progress).
        left = ((1.0 - progress) * expected + elapsed) * (1.0 - progress)
    return max(left, MIN_SECONDS)


def seconds_until_done(task_id: str, queue: Sequence[Task], *, now: float) -> float:
    """Return the seconds until the task is done; *queue* has all unfinished tasks in order."""
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
