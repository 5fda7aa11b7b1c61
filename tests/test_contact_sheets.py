"""What a contact sheet shows, in every shape of video: real decoders, clips of known colours."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from geekai_video_mcp.media.inspection import Reason
from geekai_video_mcp.media.preview import PreviewRenderer, PreviewRequest, RenderedPreview
from geekai_video_mcp.media.workers.sheets import choose_grid
from support.clips import make_clip
from support.sampling import sample
from support.stills import encode_image, is_close, noise_image, write_file

SHEET_SIDE_AT_MOST = 1200
BYTES_AT_MOST = 120_000
SHAPES = {"16:9": (640, 360), "9:16": (360, 640), "21:9": (840, 360), "1:1": (480, 480)}

Colour = tuple[int, int, int]


def colour(number: int, of: int) -> Colour:
    """The colour of one of *of* frames: from dark red to dark blue, over green."""
    share = number / max(1, of - 1)
    return round(170 * (1 - share)), 20 + round(150 * (1 - abs(2 * share - 1))), round(170 * share)


def clip(folder: Path, frames: int, *, size: tuple[int, int] = (320, 180)) -> Path:
    """A video of 12 frames a second, each of its own colour."""
    colours = [colour(number, frames) for number in range(frames)]
    # All of them key frames, or the encoder smears one colour into the next.
    content = make_clip(colours=colours, size=size, options={"g": "1", "crf": "8"})
    return write_file(folder, f"{frames}-{size[0]}x{size[1]}.mp4", content)


async def show(*paths: Path, titles: Sequence[str] = (), **wanted: object) -> RenderedPreview:
    named = tuple(titles) or tuple(f"{number:08x}" for number in range(len(paths)))
    request = PreviewRequest(paths=paths, titles=named, **wanted)  # pyright: ignore[reportArgumentType] - a test's own
    return await PreviewRenderer().render(request)


def picture_of(rendered: RenderedPreview) -> Image.Image:
    assert rendered.picture is not None, rendered.files
    assert len(rendered.picture) <= BYTES_AT_MOST
    image = Image.open(io.BytesIO(rendered.picture))
    assert image.format == "JPEG"
    assert max(image.size) <= SHEET_SIDE_AT_MOST
    return image


def cells_of(sheet: Image.Image, count: int, aspect: float) -> list[Image.Image]:
    """The frames of the sheet of one video, cut out by its background's lines."""
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        width, height = (sheet.width - 4) / columns - 4, (sheet.height - 4) / rows - 4
        if abs(width / height / aspect - 1) < 0.03:
            break
    else:
        pytest.fail(f"no grid of {count} fits {sheet.size}")
    cells: list[Image.Image] = []
    for number in range(count):
        row, column = divmod(number, columns)
        left, top = 4 + column * (width + 4), 4 + row * (height + 4)
        cells.append(
            sheet.crop((round(left), round(top), round(left + width), round(top + height)))
        )
    return cells


def middle(image: Image.Image) -> Colour:
    red, green, blue = image.convert("RGB").resize((3, 3)).getpixel((1, 1))  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType] - Pillow's own
    return red, green, blue  # pyright: ignore[reportUnknownVariableType] - as above


def has_label(cell: Image.Image) -> bool:
    """Whether light letters on a dark ground stand in the lower left corner."""
    corner = cell.convert("L").crop((0, cell.height - 20, 44, cell.height))
    pixels = corner.tobytes()
    return min(pixels) < 60 and max(pixels) > 180


@pytest.mark.parametrize("shape", sample(SHAPES, every=3))
async def test_a_sheet_shows_the_first_and_the_last_frame_and_is_as_legible_in_every_shape(
    tmp_path: Path, shape: str
) -> None:
    width, height = SHAPES[shape]
    rendered = await show(clip(tmp_path, 60, size=(width, height)))
    cells = cells_of(picture_of(rendered), 6, width / height)
    (file,) = rendered.files

    assert is_close(middle(cells[0]), colour(0, 60), within=14)
    assert is_close(middle(cells[-1]), colour(59, 60), within=14)
    assert is_close(middle(cells[2]), colour(24, 60), within=20)
    assert all(map(has_label, cells))
    assert all(cell.width * cell.height >= 42_000 for cell in cells)
    assert file.labels == ("0.0 s", "1.0 s", "2.0 s", "2.9 s", "3.9 s", "4.9 s")
    assert (file.seconds, file.width, file.height, file.fps) == (5.0, width, height, 12.0)
    assert file.has_sound is False


@pytest.mark.parametrize("frames", sample(range(1, 8), every=3))
async def test_a_very_short_video_shows_what_it_has(tmp_path: Path, frames: int) -> None:
    rendered = await show(clip(tmp_path, frames))
    shown = min(frames, 6)
    sheet = picture_of(rendered)
    cells = cells_of(sheet, shown, 16 / 9) if shown > 1 else [sheet]

    assert len(rendered.files[0].labels or ()) == shown
    assert len(set(rendered.files[0].labels or ())) == shown
    assert is_close(middle(cells[0]), colour(0, frames), within=14)
    assert is_close(middle(cells[-1]), colour(frames - 1, frames), within=14)
    assert all(map(has_label, cells))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("seconds", "frames"), sample([(12, 6), (13, 9), (31, 12), (61, 12)], every=2)
)
async def test_a_longer_video_shows_more_frames_and_each_stays_legible(
    tmp_path: Path, seconds: int, frames: int
) -> None:
    rendered = await show(clip(tmp_path, 12 * seconds))
    cells = cells_of(picture_of(rendered), frames, 16 / 9)

    assert all(cell.width * cell.height >= 45_000 for cell in cells)
    assert is_close(middle(cells[-1]), colour(1, 2), within=14)


@pytest.mark.parametrize("rate", [[0, 1, 2, 50, 51, 52, 53, 54, 119], [0, 100, *range(101, 120)]])
async def test_frames_are_spaced_by_time_where_the_rate_varies(
    tmp_path: Path, rate: list[int]
) -> None:
    content = make_clip(frames=len(rate), times=rate, size=(320, 180))
    rendered = await show(write_file(tmp_path, "a.mp4", content))
    times = [float(label.removesuffix(" s")) for label in rendered.files[0].labels or ()]

    assert times[0] == 0.0
    assert times[-1] == pytest.approx(rate[-1] / 12, abs=0.06)
    assert times == sorted(set(times))


async def test_frames_at_given_seconds_have_the_times_that_are_shown(tmp_path: Path) -> None:
    path = clip(tmp_path, 60, size=(640, 360))
    rendered = await show(path, at=(3.3, 0.5, 99.0, 0.51))
    cells = cells_of(picture_of(rendered), 3, 16 / 9)

    assert rendered.files[0].labels == ("0.50 s", "3.25 s", "4.92 s")
    assert [
        is_close(middle(cell), colour(number, 60), within=14)
        for cell, number in zip(cells, (6, 39, 59), strict=True)
    ] == [True] * 3
    one = picture_of(await show(path, at=(1e300,)))
    assert is_close(middle(one), colour(59, 60), within=14)
    assert one.size == (640, 360)
    assert has_label(one)


@pytest.mark.exhaustive
async def test_the_worst_picture_to_compress_is_small_enough(tmp_path: Path) -> None:
    noisy = make_clip(frames=12, size=(1280, 720), noisy=True, options={"crf": "4"})
    path = write_file(tmp_path, "a.mp4", noisy)
    for rendered in (
        await show(path),
        await show(path, kind="cover"),
        await show(path, at=(0.0, 0.5)),
    ):
        picture_of(rendered)
    picture_of(await show(*[path] * 8))
    photo = write_file(tmp_path, "a.png", encode_image(noise_image(1500, 1500)))
    assert min(picture_of(await show(photo)).size) >= 300


async def test_a_video_that_is_turned_is_shown_upright(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.mp4", make_clip(rotation=90, size=(320, 180)))
    rendered = await show(path, kind="cover")

    assert picture_of(rendered).size == (180, 320)
    assert (rendered.files[0].width, rendered.files[0].height) == (180, 320)


@pytest.mark.parametrize(("size", "shown"), [((1500, 1000), (1200, 800)), ((300, 200), (300, 200))])
async def test_a_picture_is_shown_as_itself(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    path = write_file(tmp_path, "a.png", encode_image(Image.new("RGB", size, (90, 30, 30))))
    rendered = await show(path)

    assert picture_of(rendered).size == shown
    assert rendered.files[0].labels is None
    assert (rendered.files[0].width, rendered.files[0].height) == size


@pytest.mark.parametrize("shape", sample(SHAPES, every=2))
async def test_several_videos_stand_side_by_side_with_their_names(
    tmp_path: Path, shape: str
) -> None:
    path = clip(tmp_path, 60, size=SHAPES[shape])
    rendered = await show(path, path, path)
    named, unnamed = picture_of(rendered), picture_of(await show(path, path, path, titles=" " * 3))

    assert [len(file.labels or ()) for file in rendered.files] == [4] * 3
    assert named.size == unnamed.size
    assert named.tobytes() != unnamed.tobytes()
    pixels = named.convert("RGB").resize((60, 60)).tobytes()
    seen = [pixels[start : start + 3] for start in range(0, len(pixels), 3)]
    for number in (0, 59):
        assert any(is_close(pixel, colour(number, 60), within=25) for pixel in seen)


async def test_one_that_cannot_be_shown_leaves_the_others_visible(tmp_path: Path) -> None:
    good, picture = (
        clip(tmp_path, 12),
        write_file(tmp_path, "a.png", encode_image(Image.new("RGB", (400, 400), (200, 200, 20)))),
    )
    damaged = write_file(tmp_path, "b.mp4", os.urandom(5000))
    empty = write_file(tmp_path, "c.mp4", b"")
    rendered = await show(good, damaged, picture, tmp_path / "gone.mp4", empty)

    picture_of(rendered)
    reasons = [file.reason for file in rendered.files]
    assert reasons == [None, Reason.FRAME, None, Reason.UNREADABLE, Reason.EMPTY]
    none = await show(damaged, tmp_path / "gone.mp4")
    assert none.picture is None
    assert [file.reason for file in none.files] == [Reason.FRAME, Reason.UNREADABLE]


def test_eight_videos_of_any_shape_use_most_of_a_sheet() -> None:
    for width, height in SHAPES.values():
        for count in range(1, 13):
            grid = choose_grid([(width * 3, height * 3)] * count, pixels=400_000)
            area = grid.cell[0] * grid.cell[1] * count

            assert area >= 250_000, (width, height, count)
