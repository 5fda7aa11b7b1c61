"""A preview that moves over a picture, against one that is painted: the renderer's CPU."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.comparison import compare
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.media_child import describe_seconds
from benchmarks.support.renders import PLAN, render, save_photo
from geekai_sandbox.render.plan import Plan

SIZES: Final = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
PHOTO: Final = (4000, 3000)
"""Twelve million pixels, as a telephone takes them."""
MOST_ROUNDS: Final = 4
"""A video in 4K takes the cores half a minute, and the CPU varies little."""
TARGET: Final = Target(value=1.3)


def measure(rounds: int) -> Sequence[Row]:
    """One row for each size."""
    with tempfile.TemporaryDirectory() as scratch:
        painted, moved = Path(scratch, "text"), Path(scratch, "image")
        painted.mkdir()
        moved.mkdir()
        photo = save_photo(moved / "image.jpg", width=PHOTO[0], height=PHOTO[1])
        rows = list[Row]()
        for name, (width, height) in SIZES.items():
            plan = replace(PLAN, width=width, height=height)
            rows.append(_measure_size(name, plan, painted, photo, min(rounds, MOST_ROUNDS)))
        return rows


def _measure_size(name: str, plan: Plan, painted: Path, photo: Path, rounds: int) -> Row:
    moving = replace(plan, image=photo.name)
    found = compare(
        floor=partial(render, plan, painted),
        subject=partial(render, moving, photo.parent),
        rounds=rounds,
    )
    return ratio_row(
        found,
        figure=f"sandbox, image-to-video at {name}, CPU of the renderer",
        floor="text-to-video of the same size and length, 5 s",
        target=TARGET,
        details=describe_seconds(found),
    )
