"""Images: labelled, in the requested format and number, and without text in a video."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from PIL.ExifTags import Base as ExifTag

from geekai_sandbox.render.background import (
    MAX_METADATA_BYTES,
    NOTICE,
    decode_background,
    landscape_metadata,
    overlay_metadata,
)
from geekai_sandbox.render.layout import Backdrop
from geekai_sandbox.render.pictures import render_images
from geekai_sandbox.render.pipeline import render_video
from geekai_sandbox.render.plan import (
    Camera,
    ImageFormat,
    ImagePlan,
    InvalidPlanError,
    Plan,
    read_plan,
)
from geekai_sandbox.render.poster import Poster
from geekai_sandbox.render.workspace import Workspace

WIDTH, HEIGHT = 320, 180
PLAN = ImagePlan("Waves roll onto a quiet beach", "sandbox", WIDTH, HEIGHT)
Pixels = npt.NDArray[np.int16]


def render_plan(folder: Path, plan: ImagePlan = PLAN) -> list[Path]:
    report = render_images(plan, Workspace(folder), lambda _share: None)
    return [folder / name for name in report["pictures"]]


def pixels(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.int16)


def mean_difference(a: Pixels, b: Pixels) -> float:
    """Mean difference in levels."""
    return float(np.abs(a - b).mean())


@pytest.mark.parametrize(("kind", "name"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_a_picture_has_the_format_and_size_asked_for_and_says_what_it_is(
    tmp_path: Path, kind: ImageFormat, name: str
) -> None:
    (path,) = render_plan(tmp_path, replace(PLAN, format=kind))

    assert path.name == f"picture-1.{kind}"
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == (name, (WIDTH, HEIGHT))
        assert str(picture.getexif()[ExifTag.ImageDescription]).startswith(NOTICE)


def test_the_report_names_every_picture_and_the_size_of_all(tmp_path: Path) -> None:
    paths = render_plan(tmp_path, replace(PLAN, count=3))

    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["pictures"] == ["picture-1.png", "picture-2.png", "picture-3.png"]
    assert report["bytes"] == sum(path.stat().st_size for path in paths)
    assert (report["width"], report["height"], report["typeset"]) == (WIDTH, HEIGHT, True)


def test_every_take_is_another_picture_and_the_same_again_another_time(tmp_path: Path) -> None:
    takes = [pixels(path) for path in render_plan(tmp_path, replace(PLAN, count=3))]
    again = pixels(render_plan(tmp_path)[0])

    assert np.array_equal(takes[0], again)
    assert min(mean_difference(takes[0], takes[1]), mean_difference(takes[1], takes[2])) > 2


def test_takes_of_a_given_picture_come_closer(tmp_path: Path) -> None:
    dot = Image.new("RGB", (WIDTH, HEIGHT), "#406080")
    dot.paste("white", (140, 80, 180, 120))
    dot.save(tmp_path / "image.png")
    takes = [
        pixels(path) for path in render_plan(tmp_path, replace(PLAN, count=3, image="image.png"))
    ]
    white = [int((take[60:140] > 200).all(axis=2).sum()) for take in takes]

    assert white[0] == pytest.approx(40 * 40, rel=0.1)
    assert white[0] < white[1] < white[2]


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (240, 240), (480, 206)])
@pytest.mark.parametrize("image", [None, "image.png"])
def test_every_picture_is_labelled(
    tmp_path: Path, size: tuple[int, int], image: str | None
) -> None:
    Image.new("RGB", size, "#808080").save(tmp_path / "image.png")
    (path,) = render_plan(tmp_path, replace(PLAN, width=size[0], height=size[1], image=image))
    corner = pixels(path)[: size[1] // 5, : size[0] // 2]

    assert float(corner.max()) - float(np.median(corner)) > 90


def test_a_given_picture_is_cover_fitted_and_has_no_title(tmp_path: Path) -> None:
    given = Image.linear_gradient("L").resize((400, 900)).convert("RGB")
    given.save(tmp_path / "image.png")
    (path,) = render_plan(tmp_path, replace(PLAN, image="image.png"))
    box = (0, 300 - 225 / 2, 400, 300 + 225 / 2)
    fitted = given.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=box)
    below = slice(HEIGHT // 3, None)

    assert mean_difference(pixels(path)[below], np.asarray(fitted, np.int16)[below]) < 2


def test_a_landscape_has_the_prompt_for_its_title(tmp_path: Path) -> None:
    titled = pixels(render_plan(tmp_path)[0])
    bare = decode_background(tmp_path / "picture-1.png")
    assert bare is not None
    changed = np.abs(titled - np.asarray(bare, np.int16))[HEIGHT // 2 :]

    assert (changed.max(axis=2) > 90).sum() > 200


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (480, 480), (840, 360), (128, 128)])
@pytest.mark.parametrize(
    "prompt",
    [
        "Sun",
        "清晨的森林里，阳光透过薄雾洒在林间小路上，一只小鹿缓缓走来" * 3,
        "قطة صغيرة",
        "हिमालय",
    ],
)
def test_no_two_lines_of_a_poster_overlap_or_leave_it(prompt: str, size: tuple[int, int]) -> None:
    plan = ImagePlan(prompt, "sandbox", size[0], size[1], watermark=True)
    boxes = Poster(plan, Backdrop.for_landscape("sea")).sprite_boxes()

    assert boxes
    for i, (top, left, low, right) in enumerate(boxes):
        assert 0 <= top < low <= size[1]
        assert 0 <= left < right <= size[0]
        for above, before, below, after in boxes[i + 1 :]:
            assert above >= low or below <= top or before >= right or after <= left


def test_a_large_picture_is_painted_small_and_enlarged(tmp_path: Path) -> None:
    (path,) = render_plan(tmp_path, replace(PLAN, width=2736, height=1536, format="jpg"))
    with Image.open(path) as picture:
        assert picture.size == (2736, 1536)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
@pytest.mark.parametrize("prompt", ["海边的灯塔", "Waves"])
def test_the_ground_of_a_poster_is_painted_again_without_its_type(
    tmp_path: Path, kind: ImageFormat, prompt: str
) -> None:
    first, second = render_plan(tmp_path, replace(PLAN, prompt=prompt, count=2, format=kind))
    bare = [np.asarray(decode_background(path), np.int16) for path in (first, second)]
    sky = slice(HEIGHT // 4, HEIGHT // 3)

    for path, ground in zip((first, second), bare, strict=True):
        assert mean_difference(pixels(path)[sky], ground[sky]) < 2.5
    assert mean_difference(bare[0][sky], bare[1][sky]) > 2.5


def write_described(folder: Path, words: str, size: tuple[int, int] = (64, 64)) -> Path:
    exif = Image.Exif()
    exif[ExifTag.ImageDescription] = words
    path = folder / "described.png"
    Image.new("RGB", size).save(path, exif=exif)
    return path


def strip(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    "words",
    [
        "a holiday",
        NOTICE,
        f"{NOTICE} [",
        f"{NOTICE} []",
        f"{NOTICE} {{}}",
        f'{NOTICE} {{"prompt": "x", "take": "many"}}',
        f'{NOTICE} {{"prompt": "x", "take": Infinity}}',
        f"{NOTICE} {'[' * 30_000}",
        f'{NOTICE} {{"strip": 7}}',
        f'{NOTICE} {{"strip": "?"}}',
        f'{NOTICE} {{"strip": "AAAA"}}',
        f'{NOTICE} {{"strip": "{strip(62, 8)}"}}',
        f'{NOTICE} {{"strip": "{strip(64, 66)}"}}',
        f'{NOTICE} {{"strip": "{strip(64, 64)[:400]}"}}',
    ],
)
def test_other_words_about_a_picture_are_no_recipe(tmp_path: Path, words: str) -> None:
    assert decode_background(write_described(tmp_path, words)) is None


@pytest.mark.parametrize("size", [(65, 64), (3842, 2160)])
def test_a_recipe_is_not_followed_beyond_what_a_poster_can_be(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    assert (
        decode_background(write_described(tmp_path, f'{NOTICE} {{"prompt": "x", "take": 0}}', size))
        is None
    )


def test_a_prompt_too_long_for_a_jpeg_stays_out_of_it(tmp_path: Path) -> None:
    (path,) = render_plan(tmp_path, replace(PLAN, prompt="海" * 20_000, format="jpg"))

    assert decode_background(path) is None
    assert len(description(landscape_metadata("x" * (MAX_METADATA_BYTES - 200), 0))) > 59_000


def description(exif: Image.Exif) -> str:
    return str(exif[ExifTag.ImageDescription])


def test_a_strip_is_packed_until_it_fits_or_left_out() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (128, 3840, 3), np.uint8)
    rows = Image.fromarray(noise)

    assert len(description(overlay_metadata(rows, 8))) > len(NOTICE) + 1_000
    assert (
        len(description(overlay_metadata(rows.resize((1024, 64)), 64)))
        <= MAX_METADATA_BYTES + len(NOTICE) + 1
    )
    assert description(overlay_metadata(rows, 128)) == f"{NOTICE} "


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_given_picture_is_bare_again_when_it_begins_a_video(
    tmp_path: Path, kind: ImageFormat
) -> None:
    given = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    given.save(tmp_path / "image.png")
    (path,) = render_plan(tmp_path, replace(PLAN, image="image.png", format=kind, watermark=True))
    bare = np.asarray(decode_background(path), np.int16)
    head = slice(0, HEIGHT // 3)

    assert mean_difference(pixels(path)[head], np.asarray(given, np.int16)[head]) > 5
    assert np.abs(bare - np.asarray(given, np.int16)).mean(axis=2).max() < 16


def render_shot(folder: Path, picture: Path, **fields: Any) -> list[Pixels]:  # noqa: ANN401 - of a plan
    """Every frame of a still camera over *picture*, or of another plan with it."""
    shot = folder / "shot"
    shot.mkdir()
    (shot / "image.png").write_bytes(picture.read_bytes())
    fields = {"image": "image.png", "camera": Camera()} | fields
    plan = Plan(" ", "sandbox", WIDTH, HEIGHT, fps=10, seconds=1.0, **fields)
    render_video(plan, Workspace(shot), lambda _share: None)
    with av.open(str(shot / "video.mp4")) as film:
        return [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in film.decode(video=0)]


def test_a_video_begins_with_the_poster_and_then_its_type_is_gone(tmp_path: Path) -> None:
    (path,) = render_plan(tmp_path)
    frames = render_shot(tmp_path, path)
    bare = np.asarray(decode_background(path), np.int16)

    assert mean_difference(frames[0], pixels(path)) < 3
    assert mean_difference(frames[-1], bare) < 3
    assert mean_difference(pixels(path), bare) > 8


@pytest.mark.parametrize("begins", [True, False])
def test_a_video_that_ends_with_a_poster_ends_without_its_type(
    tmp_path: Path, *, begins: bool
) -> None:
    (path,) = render_plan(tmp_path)
    bare = np.asarray(decode_background(path), np.int16)
    image = "image.png" if begins else None
    shot = render_shot(tmp_path, path, image=image, image_tail="image.png")

    assert mean_difference(shot[-1], bare) < 3


def test_equal_requests_make_different_pictures(tmp_path: Path) -> None:
    first, second = render_plan(tmp_path, replace(PLAN, count=2))
    takes = [pixels(first), pixels(second)]
    takes += map(pixels, render_plan(tmp_path, replace(PLAN, count=2, take=1)))

    pairs = combinations(takes, 2)
    assert min(mean_difference(one, other) for one, other in pairs) > 2


def test_a_picture_made_from_a_poster_has_no_type_but_its_own(tmp_path: Path) -> None:
    (path,) = render_plan(tmp_path)
    bare = np.asarray(decode_background(path), np.int16)
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "image.png").write_bytes(path.read_bytes())
    (again,) = render_plan(folder, replace(PLAN, image="image.png"))
    below = slice(HEIGHT // 3, None)

    assert mean_difference(pixels(again)[below], bare[below]) < 2


def run_child(folder: Path, **fields: object) -> subprocess.CompletedProcess[bytes]:
    plan: dict[str, object] = {"prompt": "x", "model": "m", "width": 64, "height": 64}
    (folder / "picture.json").write_text(json.dumps(plan | fields), "utf-8")
    command = [sys.executable, "-m", "geekai_sandbox.render", str(folder)]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and package
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def test_the_child_renders_pictures_when_that_is_the_plan(tmp_path: Path) -> None:
    done = run_child(tmp_path, count=2, format="png", watermark=True, image=None)

    assert (done.returncode, done.stderr) == (0, b"")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"picture.json", "picture-1.png", "picture-2.png", "report.json"}
    assert json.loads(done.stdout.splitlines()[-1]) == {"progress": 1.0}


@pytest.mark.parametrize("fields", [{"width": 63}, {"count": 0}, {"brand_new": 1}])
def test_a_plan_for_pictures_that_cannot_be_rendered_is_refused(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    plan: dict[str, object] = {"prompt": "x", "model": "m", "width": 64, "height": 64}
    (tmp_path / "picture.json").write_text(json.dumps(plan | fields), "utf-8")
    with pytest.raises(InvalidPlanError):
        read_plan(tmp_path)


def test_a_picture_that_is_none_ends_with_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    done = run_child(tmp_path, image="image.png")

    assert done.returncode == 1
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert (error["code"], error["message"][:6]) == ("invalid_image", "image ")
    assert {path.name for path in tmp_path.iterdir()} == {"picture.json", "image.png"}
