"""Plans of video requests: sizes, durations, motion. No disk, no event loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_sandbox.errors import ApiError
from geekai_sandbox.estimates import (
    MIN_SECONDS,
    remaining_seconds,
    render_seconds,
    seconds_until_done,
)
from geekai_sandbox.fields import FieldReader
from geekai_sandbox.input_images import InputImage
from geekai_sandbox.plan import MAX_PIXEL_FRAMES, Plan, make_plan
from geekai_sandbox.requests import parse_video_request
from geekai_sandbox.sizes import MAX_PIXELS
from geekai_sandbox.store import Task

P = ParamSpec("P")
T = TypeVar("T")


def plan_of(
    *,
    input_image: InputImage | None = None,
    extra: dict[str, object] | None = None,
    **fields: object,
) -> Plan:
    body = {"model": "sandbox", "prompt": "a fox", **fields}
    return make_plan(FieldReader(body), FieldReader(extra or {}), first=input_image, tail=None)


def test_unsaid_things_are_geekais_defaults_at_720p() -> None:
    assert plan_of().model_dump() == {
        "prompt": "a fox",
        "model": "sandbox",
        "width": 1280,
        "height": 720,
        "fps": 30,
        "seconds": 5.0,
        "audio": False,
        "watermark": False,
        "quality": "speed",
        "image": None,
        "image_tail": None,
        "camera": None,
        "movement": 1.0,
        "last_frame": False,
        "take": 0,
    }


PORTRAIT = InputImage(b"", "png", 600, 801)
WIDE = InputImage(b"", "png", 2000, 1000)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"size": "720x720"}, (720, 720)),
        ({"size": "1280*720"}, (1280, 720)),
        ({"size": "641x361"}, (640, 360)),
        ({"size": "720x480", "aspect_ratio": "9:16", "resolution": "1080p"}, (720, 480)),
        ({"resolution": "480p"}, (854, 480)),
        ({"resolution": "768P"}, (1366, 768)),
        ({"resolution": "1080p"}, (1920, 1080)),
        ({"resolution": "2K"}, (2560, 1440)),
        ({"resolution": "4k"}, (3840, 2160)),
        ({"resolution": "1024x1792"}, (1024, 1792)),
        ({"resolution": "1080p", "aspect_ratio": "9:16"}, (1080, 1920)),
        ({"aspect_ratio": "1:1"}, (720, 720)),
        ({"aspect_ratio": "21:9"}, (1680, 720)),
        ({"aspect_ratio": "2.35:1"}, (1692, 720)),
        ({"aspect_ratio": "adaptive"}, (1280, 720)),
        ({"aspect_ratio": "adaptive", "input_image": PORTRAIT}, (720, 962)),
        ({"aspect_ratio": "keep_ratio", "input_image": PORTRAIT, "resolution": "480p"}, (480, 640)),
        ({"aspect_ratio": "16:9", "input_image": PORTRAIT}, (1280, 720)),
        ({"input_image": PORTRAIT}, (720, 962)),
        ({"input_image": PORTRAIT, "resolution": "1080p"}, (1080, 1442)),
        ({"input_image": PORTRAIT, "size": "1280x720"}, (1280, 720)),
        ({"input_image": WIDE, "resolution": "4k"}, (4072, 2036)),
    ],
    ids=str,
)
def test_size_resolution_and_shape_become_even_pixels(
    fields: dict[str, Any], size: tuple[int, int]
) -> None:
    plan = plan_of(**fields)

    assert (plan.width, plan.height) == size


@pytest.mark.parametrize(
    ("word", "quality", "ignored"),
    [
        ("speed", "speed", []),
        ("std", "speed", []),
        ("quality", "quality", []),
        ("PRO", "quality", []),
        ("ultra", "speed", ["quality"]),
    ],
)
def test_both_families_of_quality_words_are_known(
    word: str, quality: str, ignored: list[str]
) -> None:
    fields = FieldReader({"model": "m", "prompt": "p", "quality": word})

    assert make_plan(fields, FieldReader({}), first=None, tail=None).quality == quality
    assert fields.ignored_names() == ignored


@pytest.mark.parametrize(
    ("control", "axes"),
    [
        ("push", {"zoom": 5}),
        ("Zoom In", {"zoom": 5}),
        ("pan_left", {"tilt": -5}),
        ("static", {}),
        ({"type": "simple", "config": {"horizontal": -3, "zoom": None}}, {"horizontal": -3}),
        ('{"type": "simple", "config": {"roll": 10}}', {"roll": 10}),
        ({"type": "forward_up"}, {"pan": 5, "zoom": 5}),
    ],
    ids=str,
)
def test_a_camera_move_may_be_a_word_an_object_or_its_json(
    control: object, axes: dict[str, float]
) -> None:
    camera = plan_of(extra={"camera_control": control}).camera

    assert camera is not None
    assert {name: value for name, value in camera.model_dump().items() if value} == axes


@pytest.mark.parametrize("control", ["vertigo", {"type": "vertigo"}, {}])
def test_an_unheard_of_camera_move_is_left_to_the_renderer_and_named(control: object) -> None:
    extra = FieldReader({"camera_control": control}, prefix="extra_body.")
    plan = make_plan(FieldReader({"model": "m", "prompt": "p"}), extra, first=None, tail=None)

    assert plan.camera is None
    assert extra.ignored_names() == ["extra_body.camera_control"]


@pytest.mark.parametrize(
    ("fields", "extra", "ignored"),
    [
        ({}, {"camera_control": "roll_left"}, ["extra_body.camera_control.roll"]),
        ({"input_image": PORTRAIT}, {"camera_control": "roll_left"}, []),
        ({}, {"camera_control": "pan_left"}, []),
        ({"quality": "pro", "size": "3840x2160"}, {}, ["quality"]),
        ({"quality": "pro", "size": "1920x1080"}, {}, []),
    ],
    ids=str,
)
def test_a_combination_without_effect_is_named_before_anything_is_rendered(
    fields: dict[str, Any], extra: dict[str, object], ignored: list[str]
) -> None:
    assert list(plan_of(extra=extra, **fields).ignored) == ignored


def test_a_fixed_camera_stands_still() -> None:
    camera = plan_of(extra={"camerafixed": True}).camera

    assert camera is not None
    assert not any(camera.model_dump().values())


@pytest.mark.parametrize(
    ("extra", "gain"),
    [
        ({"movement_amplitude": "auto"}, 1.0),
        ({"movement_amplitude": "small"}, 0.5),
        ({"camera_strength": "strong"}, 1.6),
        ({"movement_amplitude": "large", "camera_strength": "strong"}, 2.0),
        ({"movement_amplitude": 0.25}, 0.25),
        ({"movement_amplitude": "7"}, 2.0),
        ({"movement_amplitude": "wild", "camera_strength": -1}, 1.0),
    ],
    ids=str,
)
def test_words_for_motion_become_a_gain(extra: dict[str, object], gain: float) -> None:
    assert plan_of(extra=extra).movement == gain


def result_or_error(take: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | ApiError:
    try:
        return take(*args, **options)
    except ApiError as refused:
        return refused


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars | st.sampled_from(["1280x720", "720p", "16:9", "adaptive", "pro", "data:,", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = [
    "negative_prompt",
    "image",
    "image_tail",
    "images",
    "with_audio",
    "size",
    "resolution",
    "aspect_ratio",
    "quality",
    "duration",
    "fps",
    "watermark",
    "async",
    "retries",
    "video",
    "audio",
    "unheard_of",
]
EXTRAS = [
    "camera_control",
    "camera_strength",
    "movement_amplitude",
    "return_last_frame",
    "camerafixed",
    "x",
]


@given(
    st.dictionaries(st.sampled_from(NAMES), values),
    st.dictionaries(st.sampled_from(EXTRAS), values) | values,
)
def test_whatever_is_asked_becomes_a_bounded_plan_or_a_refusal(
    fields: dict[str, object], extra: object
) -> None:
    body = json.dumps({**fields, "model": "m", "prompt": "p", "extra_body": extra})
    order = result_or_error(
        parse_video_request, body.encode(), find=lambda _: None, choose_shape=lambda _: "array"
    )
    if isinstance(order, ApiError):
        assert 400 <= order.status_code < 500
        assert len(order.message.encode()) < 300
        return

    plan = Plan.model_validate_json(order.new_task.make_files(0)["plan.json"])
    assert plan.width % 2 == plan.height % 2 == 0
    assert plan.width * plan.height <= MAX_PIXELS
    assert plan.pixel_frames <= MAX_PIXEL_FRAMES
    assert 0 <= plan.movement <= 2
    assert order.new_task.build("id", 0).model_dump_json().encode()


@pytest.mark.parametrize(
    ("fields", "measured_seconds"),
    [
        ({"resolution": "480p"}, 1.7),
        ({}, 1.8),
        ({"quality": "quality"}, 2.9),
        ({"resolution": "1080p"}, 2.6),
        ({"resolution": "1080p", "quality": "pro"}, 4.9),
        ({"resolution": "4k"}, 7.8),
        ({"resolution": "1080p", "input_image": PORTRAIT}, 5.6),
    ],
    ids=str,
)
def test_a_render_is_estimated_within_a_half_of_what_was_measured(
    fields: dict[str, Any], measured_seconds: float
) -> None:
    assert measured_seconds * 0.7 < render_seconds(plan_of(**fields)) < measured_seconds * 1.5


@given(st.floats(0.1, 1000), st.floats(-1000, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_what_remains_is_never_nothing_and_shrinks_with_progress(
    expected: float, elapsed: float, progress: float, more: float
) -> None:
    early, late = sorted((progress, more))
    before = remaining_seconds(expected, elapsed=elapsed, progress=early)
    after = remaining_seconds(expected, elapsed=elapsed, progress=late)

    assert before >= MIN_SECONDS
    if early > 0:
        assert after <= before


def test_a_slow_machine_is_believed_more_than_the_forecast() -> None:
    assert remaining_seconds(2.0, elapsed=30.0, progress=0.5) > 10.0


def test_a_task_waits_for_all_before_it_and_none_behind() -> None:
    queue = [
        Task(
            id=str(n), number=n, model="m", prompt="p", charged_at=0, shape="array",
            expected_seconds=10.0, started_at=100.0 if n == 0 else None,
        )
        for n in range(3)
    ]  # fmt: skip

    assert [seconds_until_done(task.id, queue, now=104.0) for task in queue] == [6.0, 16.0, 26.0]
