"""The edges of towers and fir trees: colours that belong to their brightness, and no streaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from geekai_sandbox.render.camera import Pose
from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.landscape import Landscape

Levels = npt.NDArray[np.floating[Any]]

WIDTH, HEIGHT = 640, 360


def paint(mood: str) -> Planes:
    half = (HEIGHT // 2, WIDTH // 2)
    planes = Planes(
        np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros(half, np.uint8), np.zeros(half, np.uint8)
    )
    landscape = Landscape("any", mood, width=WIDTH, height=HEIGHT, sway=1.0)
    landscape.paint(planes, time=1.0, pose=Pose())
    return planes


def share_across(plane: Levels) -> tuple[Levels, Levels]:
    """Return the step from two columns before each sample to two after, and how much is done."""
    step = plane[:, 4:] - plane[:, :-4]
    done = (plane[:, 2:-2] - plane[:, :-4]) / np.where(step == 0, 1, step)
    return np.abs(step), done


def test_at_the_side_of_a_tower_colour_and_brightness_change_at_the_same_place() -> None:
    planes = paint("city")
    luma = planes.y.astype(np.float32)
    luma_step, luma_done = share_across(
        (luma[0::2, 0::2] + luma[1::2, 0::2] + luma[0::2, 1::2] + luma[1::2, 1::2]) / 4
    )
    sides = fringes = 0
    for chroma in (planes.u, planes.v):
        step, done = share_across(chroma.astype(np.float32))
        side = (luma_step > 16) & (step > 8)
        sides += int(side.sum())
        fringes += int((side & (np.abs(luma_done - done) > 0.4)).sum())

    assert sides > 4000
    assert fringes < 0.02 * sides


@pytest.mark.parametrize(("mood", "most"), [("city", 1500), ("forest", 1600)])
def test_the_air_above_towers_and_firs_has_no_streaks(mood: str, most: int) -> None:
    planes = paint(mood)
    # A streak is a step in brightness alone: what is behind has one colour.
    luma_step, _ = share_across(planes.y.astype(np.float32))
    same = np.ones_like(luma_step, bool)
    for chroma in (planes.u, planes.v):
        full = chroma.repeat(2, 0).repeat(2, 1).astype(np.float32)
        same &= share_across(full)[0] < 3

    assert int(((luma_step > 5) & same)[: HEIGHT * 2 // 3].sum()) < most
