"""The overlay of a video: readable text in every mood, and no overlapping elements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from geekai_sandbox.render.camera import Pose, camera_pose
from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.clean_overlay import VideoOverlay
from geekai_sandbox.render.landscape import Landscape
from geekai_sandbox.render.moods import MOODS
from geekai_sandbox.render.pipeline import LandscapeScene
from geekai_sandbox.render.plan import Camera, Plan
from support.sampling import sample

PLAN = Plan("Waves roll onto a quiet beach", "sandbox", width=640, height=360, fps=10, seconds=4.0)
SIZES = [(640, 360), (360, 640), (480, 480), (840, 360), (192, 108), (128, 128), (480, 854)]
PROMPTS = [
    "Sun",
    "Kittens and puppies are playing in the grass",
    "清晨的森林里，阳光透过薄雾洒在林间小路上，一只小鹿缓缓走来，抬头望向镜头；远处传来鸟鸣，露珠从叶尖滑落。"
    * 2,
    "قطة صغيرة تلعب في الحديقة مع فراشات جميلة تحت أشعة الشمس",
    "A sweeping drone shot over a neon city at night with rain slick streets and steam " * 8,
    "हिमालय के ऊपर सूर्योदय",
]


def blank(width: int, height: int) -> Planes:
    half = (height // 2, width // 2)
    return Planes(
        np.full((height, width), 40, np.uint8),
        np.full(half, 128, np.uint8),
        np.full(half, 128, np.uint8),
    )


def draw_overlay(plan: Plan, *, time: float, mood: str = "sea") -> tuple[VideoOverlay, Planes]:
    card = VideoOverlay(plan, LandscapeScene(plan, mood).backdrop)
    planes = blank(plan.width, plan.height)
    card.draw(planes, time=time, progress=time / plan.seconds)
    return card, planes


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("watermark", [True, False])
def test_no_two_lines_of_type_overlap_or_leave_the_frame(
    prompt: str, size: tuple[int, int], *, watermark: bool
) -> None:
    plan = replace(PLAN, prompt=prompt, width=size[0], height=size[1], watermark=watermark)
    card = VideoOverlay(plan, LandscapeScene(plan, "sea").backdrop)
    boxes = sorted(card.sprite_boxes())
    assert boxes
    for top, left, low, right in boxes:
        assert 0 <= top < low <= size[1], (top, low)
        assert 0 <= left < right <= size[0], (left, right)
    for i, (top, left, low, right) in enumerate(boxes):
        for other_top, other_left, other_low, other_right in boxes[i + 1 :]:
            apart = (
                other_top >= low or other_low <= top or other_left >= right or other_right <= left
            )
            assert apart, ((top, left, low, right), (other_top, other_left, other_low, other_right))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("time", [0.0, 2.0, 3.5])
def test_a_landscape_is_labelled_until_shortly_before_its_end(
    size: tuple[int, int], time: float
) -> None:
    plan = replace(PLAN, width=size[0], height=size[1])
    _, planes = draw_overlay(plan, time=time)
    corner = planes.y[: size[1] // 4, : size[0] // 2]
    assert int(corner.max()) > 180


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("prompt", sample(PROMPTS, every=4))
def test_the_last_frame_bears_no_type_at_all(prompt: str, size: tuple[int, int]) -> None:
    for fps, seconds in ((10, 4.0), (60, 0.2), (1, 2.0), (24, 1 / 24)):
        plan = replace(PLAN, prompt=prompt, width=size[0], height=size[1], fps=fps, seconds=seconds)
        plan = replace(plan, watermark=True)
        _, planes = draw_overlay(plan, time=(plan.frames - 1) / fps)
        assert all(map(np.array_equal, planes, blank(*size)))


def luminance(levels: npt.NDArray[np.uint8]) -> float:
    """Relative luminance of a grey, as WCAG has it; a sky is close enough to one."""
    grey = (float(np.percentile(levels, 90)) - 16) / 219
    return ((grey + 0.055) / 1.055) ** 2.4 if grey > 0.04045 else grey / 12.92


@pytest.mark.parametrize("mood", sorted(MOODS))
def test_label_and_title_stand_out_in_every_mood(mood: str) -> None:
    plan = replace(
        PLAN, prompt=" "
    )  # nothing to read, so what is measured is the ground it would stand on
    scene = LandscapeScene(plan, mood)
    planes = blank(plan.width, plan.height)
    Landscape("any", mood, width=plan.width, height=plan.height, sway=1.0).paint(
        planes, time=2, pose=Pose()
    )
    titled = replace(plan, prompt="One two three four")
    before = planes.copy()
    VideoOverlay(titled, scene.backdrop).draw(planes, time=3.0, progress=0.5)
    assert not np.array_equal(before.y, planes.y)
    top = planes.y[34:40, 28:200]  # right under the label
    assert (1.0 + 0.05) / (luminance(top) + 0.05) > 3.0


def test_the_same_moment_is_painted_the_same_by_any_thread_in_any_order() -> None:
    landscape = Landscape("a prompt", "meadow", width=320, height=180, sway=1.0)
    first, again = blank(320, 180), blank(320, 180)
    landscape.paint(first, time=1.5, pose=Pose())
    landscape.paint(again, time=0.2, pose=Pose(zoom=1))
    landscape.paint(again, time=1.5, pose=Pose())
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("mood", sorted(MOODS))
@pytest.mark.parametrize("size", [(320, 180), (180, 320), (130, 128)])
def test_every_mood_paints_within_video_levels_and_moves(mood: str, size: tuple[int, int]) -> None:
    landscape = Landscape("a prompt", mood, width=size[0], height=size[1], sway=1.0)
    early, late = blank(*size), blank(*size)
    extreme = camera_pose(Camera(-10, -10, 10, 10, 10, -10), movement=2.0, progress=1.0)
    landscape.paint(early, time=0, pose=Pose())
    landscape.paint(late, time=2, pose=extreme)
    for planes in (early, late):
        assert planes.y.min() >= 12
        assert planes.y.max() <= 240
    assert np.abs(early.y.astype(np.int16) - late.y).mean() > 2


def test_near_paper_passes_faster_than_far() -> None:
    landscape = Landscape("a prompt", "sunset", width=640, height=360, sway=0.0)
    before, after = blank(640, 360), blank(640, 360)
    landscape.paint(before, time=0, pose=Pose())
    landscape.paint(after, time=0, pose=Pose(x=0.5))
    change = np.abs(before.y.astype(np.int16) - after.y)
    assert change[:120].mean() < 1.5  # the sky stands
    assert change[260:].mean() > 1.5 * change[160:200].mean() * 0.2


@pytest.mark.parametrize("mood", ["sunset", "snow", "night", "desert"])
def test_a_sky_has_no_bands(mood: str) -> None:
    landscape = Landscape("a prompt", mood, width=640, height=360, sway=0.0)
    planes = blank(640, 360)
    landscape.paint(planes, time=0, pose=Pose())
    sky = planes.y[40:140, 20:120].astype(np.int16)
    # Inside a band neighbours are equal; dithered, one in five or more is not.
    assert np.mean(np.diff(sky, axis=1) != 0) > 0.2
