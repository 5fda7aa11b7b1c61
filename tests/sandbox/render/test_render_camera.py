"""The camera over a landscape: what a move shows, and a sun that sets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from geekai_sandbox.camera_control import PRESETS
from geekai_sandbox.render.camera import Pose, camera_pose
from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.frames import frame_planes
from geekai_sandbox.render.landscape import Landscape
from geekai_sandbox.render.mood_words import choose_mood
from geekai_sandbox.render.moods import BACKDROP, MOODS
from geekai_sandbox.render.pipeline import LandscapeScene
from geekai_sandbox.render.plan import Camera, Plan

WIDTH, HEIGHT = 600, 350
"""A preset turns by 108 and 63 whole pixels of it."""

PLAN = Plan("Sunset behind the mountains", "sandbox", width=640, height=360, fps=1, seconds=60.0)
LABELS = 0.11
"""Fraction of the height of which the labels at the top take a part."""
DISC_LEVEL = 205
"""The sun is brighter, and no sky is, at sunset."""

Levels = npt.NDArray[np.float64]


def paint(mood: str, pose: Pose) -> Levels:
    landscape = Landscape("p", mood, width=WIDTH, height=HEIGHT, sway=0.0, end=pose)
    planes = Planes(
        np.zeros((HEIGHT, WIDTH), np.uint8),
        *(np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8) for _ in "uv"),
    )
    landscape.paint(planes, time=0, pose=pose)
    return planes.y.astype(np.float64)


def preset_pose(name: str) -> Pose:
    return camera_pose(Camera(**PRESETS[name].model_dump()), movement=1.0, progress=1.0)


def difference(one: Levels, other: Levels) -> float:
    """Mean difference in levels, where neither has a particle or the edge of a shape."""
    return float(np.percentile(np.abs(one - other), 95))


@pytest.mark.parametrize("mood", sorted(MOODS))
@pytest.mark.parametrize(
    ("preset", "x", "y"),
    [("pan_right", 108, 0), ("pan_left", -108, 0), ("tilt_up", 0, 63), ("tilt_down", 0, -63)],
)
def test_a_turn_moves_sky_and_land_by_a_sixth_and_all_of_it_together(
    mood: str, preset: str, x: int, y: int
) -> None:
    """Glow, clouds, stars, windows and the road, and not the disc of the moon alone."""
    before, after = paint(mood, Pose()), paint(mood, preset_pose(preset))
    rows, columns = HEIGHT - abs(y), WIDTH - abs(x)
    was = before[max(0, -y) :, max(0, x) :][:rows, :columns]
    now = after[max(0, y) :, max(0, -x) :][:rows, :columns]

    assert abs(x) > WIDTH / 6 or abs(y) > HEIGHT / 6
    # What is left is the vignette, which stays with the lens.
    assert difference(was, now) < 16
    # Plain paper has little that could differ by a move.
    left = 0.6 if mood == BACKDROP else 0.5
    assert np.abs(was - now).mean() < left * np.abs(before - after).mean()


@pytest.mark.parametrize("mood", sorted(MOODS))
@pytest.mark.parametrize(("preset", "zoom"), [("zoom_in", 1.36), ("zoom_out", 1 / 1.36)])
def test_a_zoom_brings_all_closer_by_a_third_and_the_sky_too(
    mood: str, preset: str, zoom: float
) -> None:
    before, after = paint(mood, Pose()), paint(mood, preset_pose(preset))
    rows, columns = (
        np.round((np.arange(length) + 0.5 - length / 2) / zoom + length / 2 - 0.5).astype(int)
        for length in (HEIGHT, WIDTH)
    )
    # The sky and the farthest land, within the frame as it was.
    rows_seen = (rows >= 0) & (np.arange(HEIGHT) < 0.5 * HEIGHT)
    seen = np.ix_(rows_seen, (columns >= 0) & (columns < WIDTH))
    was = before[rows.clip(0, HEIGHT - 1)][:, columns.clip(0, WIDTH - 1)][seen]

    assert np.abs(was - after[seen]).mean() < 0.5 * np.abs(before - after)[seen].mean()


@pytest.mark.parametrize("prompt", ["The ocean on a starry night", "A city at night", "海上明月"])
@pytest.mark.parametrize("take", range(4))
def test_the_moon_stays_below_the_row_of_labels(prompt: str, take: int) -> None:
    plan = replace(PLAN, prompt=prompt, take=take, seconds=5.0)
    scene = LandscapeScene(plan, choose_mood(prompt))
    last = paint_scene(scene, time=5.0, progress=1.0)
    row = round(LABELS * PLAN.height)

    assert disc_pixels(last[row:]) > 200
    assert disc_pixels(last[:row]) == 0


def disc_pixels(frame: Levels) -> int:
    return int((frame > DISC_LEVEL).sum())


def paint_scene(scene: LandscapeScene, *, time: float, progress: float | None = None) -> Levels:
    frame = scene.paint_frame(time=time, progress=time / 60 if progress is None else progress)
    return frame_planes(frame).y.astype(np.float64)


@pytest.mark.parametrize("take", range(4))
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
@pytest.mark.parametrize("prompt", ["Sunset behind the mountains", "A city at sunset"])
def test_the_sun_of_a_minute_sets_and_it_grows_dark(
    prompt: str, size: tuple[int, int], take: int
) -> None:
    plan = replace(PLAN, prompt=prompt, take=take, width=size[0], height=size[1], camera=Camera())
    scene = LandscapeScene(plan, choose_mood(prompt))
    frames = [paint_scene(scene, time=seconds) for seconds in (0.0, 20.0, 40.0, 59.0)]
    light = [float(frame.mean()) for frame in frames]

    assert disc_pixels(frames[0]) > 200
    assert disc_pixels(frames[-1]) == 0
    assert sorted(light, reverse=True) == light
    assert light[-1] < 0.75 * light[0]


def test_a_sun_that_rises_does_not_set() -> None:
    prompt = "Sunrise behind the mountains"
    plan = replace(PLAN, prompt=prompt, camera=Camera())
    scene = LandscapeScene(plan, choose_mood(prompt))
    rows = [
        float(np.nonzero(paint_scene(scene, time=seconds) > DISC_LEVEL)[0].mean())
        for seconds in (0.0, 30.0, 59.0)
    ]

    assert sorted(rows, reverse=True) == rows
    assert rows[0] - rows[-1] > 0.05 * PLAN.height
