"""Image to video: the image is unchanged, the camera moves as requested, and shots join."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from geekai_sandbox.camera_control import PRESETS
from geekai_sandbox.render.camera import Pose, camera_pose
from geekai_sandbox.render.fitted_image import FittedImage, homography
from geekai_sandbox.render.image_scene import InvalidImageError, load_image
from geekai_sandbox.render.pipeline import render_video
from geekai_sandbox.render.plan import Camera, Plan
from geekai_sandbox.render.workspace import Workspace

WIDTH, HEIGHT = 320, 180
PLAN = Plan(
    "The camera glides toward the ridge",
    "sandbox",
    width=WIDTH,
    height=HEIGHT,
    fps=10,
    seconds=2.0,
    image="first.png",
    quality="quality",
    last_frame=True,
)
Pixels = npt.NDArray[np.int16]


def scene(colour: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """Return a soft image with a few recognisable shapes."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    picture = Image.blend(picture, Image.new("RGB", size, colour), 0.6)
    draw = ImageDraw.Draw(picture)
    w, h = size
    draw.ellipse((0.45 * w, 0.42 * h, 0.55 * w, 0.58 * h), fill="white")
    draw.rectangle((0.1 * w, 0.6 * h, 0.2 * w, 0.75 * h), fill="navy")
    return picture


def render_shot(folder: Path, plan: Plan, **pictures: Image.Image) -> list[Pixels]:
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    render_video(plan, Workspace(folder), lambda _share: None)
    with av.open(str(folder / "video.mp4")) as film:
        return [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in film.decode(video=0)]


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"), np.int16)


def mean_difference(a: Pixels, b: Pixels) -> float:
    """Mean difference in levels."""
    return float(np.abs(a - b).mean())


def test_the_first_frame_is_the_picture_and_nothing_else(tmp_path: Path) -> None:
    picture = scene("teal")
    shown = render_shot(tmp_path, PLAN, first=picture)
    assert mean_difference(shown[0], pixels(picture)) < 2.5


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((400, 900), (0, 300 - 225 / 2, 400, 300 + 225 / 2)),
        ((400, 300), (0, 0, 400, 225)),
        ((900, 400), ((900 - 711) / 2, 0, (900 + 711) / 2, 400)),
    ],
    ids=["portrait", "a little too high", "too wide"],
)
def test_a_picture_of_another_shape_is_cropped_around_its_upper_third(
    tmp_path: Path, size: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    picture = scene("olive", size)
    shown = render_shot(tmp_path, PLAN, first=picture)
    fitted = picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=box)
    assert mean_difference(shown[0], pixels(fitted)) < 3


def test_the_last_frame_is_the_tail_so_that_shots_join(tmp_path: Path) -> None:
    tail = scene("maroon")
    shown = render_shot(
        tmp_path, replace(PLAN, image_tail="tail.png"), first=scene("teal"), tail=tail
    )
    assert mean_difference(shown[-1], pixels(tail)) < 2.5


def test_a_second_shot_begins_where_the_first_ended(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = render_shot(tmp_path / "one", PLAN, first=scene("teal"))
    with Image.open(tmp_path / "one" / "last-frame.png") as last:
        second = render_shot(tmp_path / "two", PLAN, first=last.convert("RGB"))
        assert mean_difference(second[0], pixels(last)) < 2.5
    assert mean_difference(second[0], first[-1]) < 3


def test_a_shot_without_an_image_moves_towards_the_image_of_its_last_frame(tmp_path: Path) -> None:
    tail = scene("maroon")
    arrival = replace(PLAN, image=None, image_tail="tail.png")
    (tmp_path / "plain").mkdir()
    shown = render_shot(tmp_path, arrival, tail=tail)
    landscape = render_shot(tmp_path / "plain", replace(arrival, image_tail=None))
    share = [mean_difference(frame, shown[-1]) for frame in shown]

    assert mean_difference(shown[-1], pixels(tail)) < 2.5
    # It begins with the landscape of its prompt, under which a label would still be too early.
    assert mean_difference(shown[0][60:], landscape[0][60:]) < 2.5
    assert share[0] > 20
    assert 0.2 * share[0] < share[len(share) * 58 // 100] < 0.8 * share[0]


def test_the_tail_dissolves_in(tmp_path: Path) -> None:
    plan = replace(PLAN, image_tail="tail.png", camera=Camera())
    shown = render_shot(tmp_path, plan, first=scene("teal"), tail=scene("maroon"))
    band = slice(40, 70)  # below the label, above the caption
    share = [mean_difference(frame[band], shown[0][band]) for frame in shown]
    middle = share[len(share) * 58 // 100]
    assert 0.2 * share[-1] < middle < 0.8 * share[-1]
    assert share[3] < 0.1 * share[-1]


def test_a_label_is_shown_between_a_clean_start_and_a_clean_end(tmp_path: Path) -> None:
    picture = Image.new("RGB", (WIDTH, HEIGHT), "#808080")
    shown = render_shot(tmp_path, replace(PLAN, camera=Camera()), first=picture)
    corner = [frame[:24, :200] for frame in shown]
    contrast = [float(part.max()) - float(np.median(part)) for part in corner]
    assert max(contrast[:2]) < 12
    assert contrast[-1] < 12
    assert min(contrast[7:14]) > 90


def test_the_watermark_is_shown_between_bare_ends(tmp_path: Path) -> None:
    """A second one would be drawn beside it in the next shot, which begins with the last frame."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "#606060")
    shown = render_shot(tmp_path, replace(PLAN, camera=Camera(), watermark=True), first=picture)
    contrast = [
        float(part.max()) - float(np.median(part)) for part in (f[26:50, 200:] for f in shown)
    ]
    assert min(contrast[7:14]) > 40
    assert max(contrast[0], contrast[-1]) < 12


def centre_of_white(planes_y: npt.NDArray[np.uint8]) -> tuple[float, float]:
    rows, columns = np.nonzero(planes_y > 200)
    return float(columns.mean()), float(rows.mean())


@pytest.mark.parametrize(
    ("pose", "dx", "dy"),
    [
        (Pose(x=1), -1, 0),
        (Pose(x=-1), 1, 0),
        (Pose(y=1), 0, 1),
        (Pose(y=-1), 0, -1),
        (Pose(yaw=1), -1, 0),
        (Pose(yaw=-1), 1, 0),
        (Pose(pitch=1), 0, 1),
        (Pose(pitch=-1), 0, -1),
    ],
)
def test_the_picture_moves_against_the_camera(pose: Pose, dx: int, dy: int) -> None:
    x, y = centre_of_white(FittedImage(scene("teal"), WIDTH, HEIGHT).render_view(pose).y)
    moved_x, moved_y = (x - WIDTH / 2) / WIDTH, (y - HEIGHT / 2) / HEIGHT
    assert moved_x * dx > 0.05 if dx else abs(moved_x) < 0.02
    assert moved_y * dy > 0.05 if dy else abs(moved_y) < 0.02


@pytest.mark.parametrize(("zoom", "grows"), [(1.0, True), (-1.0, False)])
def test_zoom_comes_closer_or_pulls_back(zoom: float, *, grows: bool) -> None:
    picture = FittedImage(scene("teal"), WIDTH, HEIGHT)
    size = [int((picture.render_view(pose).y > 200).sum()) for pose in (Pose(), Pose(zoom=zoom))]
    assert size[1] > 1.5 * size[0] if grows else size[1] < 0.85 * size[0]


@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_moves_what_is_in_the_middle_visibly(name: str, aspect: float) -> None:
    """By a sixth of the frame, to 1.35 of its size, or by five degrees; two at once a bit less."""
    axes = PRESETS[name]
    pose = camera_pose(Camera(**axes.model_dump()), movement=1.0, progress=1.0)
    seen = np.linalg.inv(homography(pose, aspect))
    middle, right = (seen @ (x, 0.5, 1.0) for x in (0.5, 0.51))
    moved = np.abs(middle[:2] / middle[2] - 0.5)
    scale = float((right[0] / right[2] - middle[0] / middle[2]) / 0.01)

    alone = sum(axis != 0 for axis in axes.model_dump().values()) == 1
    least, zoomed = (1 / 6, 1.35) if alone else (0.1, 1.2)

    if axes.tilt or axes.horizontal:
        assert moved[0] > least
    if axes.pan or axes.vertical:
        assert moved[1] > least
    if axes.zoom:
        assert (scale if axes.zoom > 0 else 1 / scale) > zoomed
    if axes.roll:
        assert abs(right[1] / right[2] - middle[1] / middle[2]) / aspect > 0.01 * math.sin(0.087)


@pytest.mark.parametrize(("zoom", "factor"), [(5.0, 1.3**2), (-5.0, 1 / 1.3**2)])
def test_a_film_zooms_to_where_its_camera_is_told(
    tmp_path: Path, zoom: float, factor: float
) -> None:
    plan = replace(PLAN, width=1280, height=720, fps=3, camera=Camera(zoom=zoom))
    shown = render_shot(tmp_path, plan, first=scene("teal", (1280, 720)))
    before, after = (int((frame.min(axis=2) > 200).sum()) for frame in (shown[0], shown[-1]))

    assert after > factor * before if zoom > 0 else after < factor * before


def centre_of_blob(planes_y: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The centre of a soft white blob on black, to a hundredth of a pixel."""
    light = planes_y.astype(np.float64) - 16
    rows, columns = (np.arange(length) + 0.5 for length in light.shape)
    return np.array([light.sum(0) @ columns, light.sum(1) @ rows]) / light.sum()


@pytest.mark.parametrize(
    "move", [Pose(x=0.1), Pose(zoom=0.1), Pose(0.5, 0.25, zoom=0.3), Pose(zoom=-0.5)]
)
@pytest.mark.parametrize("detail", [1.0, 1.21])
def test_the_slowest_move_has_no_steps(move: Pose, detail: float) -> None:
    """Every view is within a fifteenth of a pixel of its place, and not on whole ones."""
    size = (round(WIDTH * detail), round(HEIGHT * detail))
    across, down = (np.linspace(-8, 8, length) for length in size)
    blob = np.exp(-((across + 0.9) ** 2))[None] * np.exp(-((down * 9 / 16 + 0.4) ** 2))[:, None]
    picture = FittedImage(
        Image.fromarray((blob * 255).astype(np.uint8)).convert("RGB"), WIDTH, HEIGHT
    )
    at = np.array([*(centre_of_blob(picture.exact.y) / (WIDTH, HEIGHT)), 1.0])
    for share in np.linspace(0.02, 1, 50):
        pose = Pose(move.x * share, move.y * share, zoom=move.zoom * share)
        seen = np.linalg.inv(homography(pose, WIDTH / HEIGHT)) @ at
        expected = seen[:2] / seen[2] * (WIDTH, HEIGHT)
        found = centre_of_blob(picture.render_view(pose).y)
        assert np.abs(found - expected).max() < 1 / 15, share


@pytest.mark.parametrize("roll", [1.0, -1.0])
def test_a_clockwise_roll_turns_the_picture_the_other_way(roll: float) -> None:
    picture = Image.new("RGB", (WIDTH, HEIGHT), "black")
    ImageDraw.Draw(picture).rectangle((0, HEIGHT / 2 - 4, WIDTH, HEIGHT / 2 + 4), fill="white")
    seen = FittedImage(picture, WIDTH, HEIGHT).render_view(Pose(roll=roll)).y
    left, right = (np.nonzero(seen[:, column] > 150)[0].mean() for column in (60, WIDTH - 60))
    assert (left - right) * roll > 15  # clockwise: the right end rises


@pytest.mark.parametrize("gain", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("signs", [(1, 1, 1, 1, 1), (-1, 1, -1, 1, -1), (1, -1, -1, -1, 1)])
@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16])
def test_no_move_looks_past_the_picture(gain: float, signs: tuple[int, ...], aspect: float) -> None:
    x, y, pitch, yaw, roll = (gain * sign for sign in signs)
    matrix = homography(Pose(x, y, pitch, yaw, roll, 0.0), aspect)
    corners = matrix @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    seen = corners[:2] / corners[2]
    assert seen.min() >= -1e-6
    assert seen.max() <= 1 + 1e-6


@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16])
def test_zooming_out_shows_nothing_a_second_time(aspect: float) -> None:
    """Mirrored, the border would show a second face beside each at the picture's edge."""
    height = round((320 * 180 / aspect) ** 0.5 / 2) * 2
    width = round(height * aspect / 2) * 2
    checks = np.indices((height, width)).sum(axis=0) // 8 % 2 * 255
    picture = Image.fromarray(checks.astype(np.uint8)).convert("RGB")
    zoom = camera_pose(Camera(**PRESETS["zoom_out"].model_dump()), movement=1.0, progress=1.0)
    seen = FittedImage(picture, width, height).render_view(zoom).y.astype(float)
    rows, columns = height // 12, width // 12
    high, wide = slice(4 * rows, -4 * rows), slice(4 * columns, -4 * columns)
    middle = seen[high, wide]

    for border in (
        seen[:rows, wide],
        seen[-rows:, wide],
        seen[high, :columns],
        seen[high, -columns:],
    ):
        assert np.ptp(border) < 0.2 * np.ptp(middle)


def test_movement_is_the_gain_of_the_camera(tmp_path: Path) -> None:
    moved: list[float] = []
    for name, movement in (("still", 0.0), ("half", 0.5), ("full", 2.0)):
        (tmp_path / name).mkdir()
        shown = render_shot(tmp_path / name, replace(PLAN, movement=movement), first=scene("teal"))
        moved.append(mean_difference(shown[0], shown[-1]))
    assert moved[0] < 1.5 < moved[1] < moved[2]


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (60, 40), "black")
    picture.paste("white", (0, 0, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate a quarter clockwise to show
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)

    upright = pixels(load_image(tmp_path / "turned.jpg", field="image"))
    assert upright.shape == (60, 40, 3)
    assert upright[:25].mean() > 200
    assert upright[35:].mean() < 50


def test_a_transparent_picture_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    assert pixels(load_image(tmp_path / "clear.png", field="image")).min() == 255


def test_sixteen_bit_grey_keeps_its_tones(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 32768, np.uint16)).save(tmp_path / "deep.png")
    assert pixels(load_image(tmp_path / "deep.png", field="image")).mean() == pytest.approx(
        127.5, abs=1
    )


def bomb(width: int, height: int) -> bytes:
    """A PNG header that promises more than it has."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8_001, 9_600, 40_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(side, side))
    with pytest.raises(InvalidImageError, match=r"^image .*pixels"):
        load_image(tmp_path / "bomb.png", field="image")


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\xff\xd8\xff\xe0" + b"\0" * 30, bomb(40, 40)]
)
def test_damaged_bytes_are_an_invalid_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(InvalidImageError) as caught:
        load_image(tmp_path / "damaged", field="image_tail")
    assert caught.value.field == "image_tail"


def test_a_picture_gets_no_grain(tmp_path: Path) -> None:
    flat = Image.new("RGB", (WIDTH, HEIGHT), "#406080")
    shown: Any = render_shot(tmp_path, replace(PLAN, camera=Camera()), first=flat)[0]
    assert shown.std(axis=(0, 1)).max() < 0.6
