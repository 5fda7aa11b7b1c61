"""Contact sheets: how frames are laid out and labelled, and how a picture is kept small. Pure.

The layout is computed from the frames' shape, so that a vertical and a very wide video are as
legible as a square one: of all numbers of columns, the one that gives a frame most pixels.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image, ImageDraw, ImageFont

MAX_SIDE_PX: Final = 1200
"""Pixels of the longer side of every picture; models scale larger ones down."""
MAX_BYTES: Final = 118_000
"""Bytes of a JPEG: 120 KB, less what is noted in a saved one."""
PICTURE_PIXELS: Final = 1_150_000
"""Pixels of a whole picture: a model sees no more of a larger one (Anthropic's vision page, read
2026-11-24)."""
SHEET_PIXELS: Final = 290_000
"""Pixels of the contact sheet of one video, which comes with every finished one: 390 tokens."""
FRAME_PIXELS: Final = 50_000
"""Pixels of each frame on a contact sheet of many frames."""
DETAIL_PIXELS: Final = 800_000
"""Pixels of a sheet that was asked for to see more: single moments, or several videos."""

GAP_PX: Final = 4
BAND_PX: Final = 24
"""Height of the line above the frames of one of several videos, which holds its name."""
MIN_CELL_PX: Final = 200
"""The longer side up to which a tiny frame is scaled up, so that its label can be read."""
BACKGROUND: Final = (16, 16, 18)
TEXT: Final = (255, 255, 255)
LABEL_GROUND: Final = (0, 0, 0, 168)
LABEL_SHARE: Final = 0.075
"""Height of a label's letters as a share of the frame's shorter side."""
LABEL_PX: Final = (12, 22)
"""The smallest and the largest letters of a label."""
TITLE_PX: Final = 17
PREFERRED_SHAPE: Final = 1.5
"""Width by height of a sheet, where two layouts give a frame about the same pixels."""
ABOUT_THE_SAME: Final = 0.97

QUALITIES: Final = (84, 74, 62)
SCALES: Final = (1.0, 0.8, 0.64, 0.5, 0.38, 0.28, 0.2)
"""Shares of the pixels that are tried until the JPEG is small enough; noise needs the last."""

Size = tuple[int, int]


class Cell(NamedTuple):
    """One frame of a sheet."""

    image: Image.Image
    label: str
    """When it is shown in the video; empty for a picture."""
    size: Size | None = None
    """The size by which the layout is chosen, if the image is smaller already."""


class Strip(NamedTuple):
    """The frames of one of several tasks."""

    title: str
    cells: Sequence[Cell]


class Grid(NamedTuple):
    """A layout in cells of one size."""

    columns: int
    rows: int
    cell: Size


def choose_grid(sizes: Sequence[Size], *, pixels: int) -> Grid:
    """The layout that gives images of these sizes most room on *pixels*."""
    best: tuple[float, float, Grid] | None = None
    for aspect in {width / height for width, height in sizes}:
        for columns in range(1, len(sizes) + 1):
            rows = -(-len(sizes) // columns)
            grid = Grid(columns, rows, _cell_size(sizes, aspect, (columns, rows), pixels))
            seen = sum(_area(_fit(size, grid.cell)) for size in sizes)
            width, height = _grid_size(grid)
            oddness = abs(math.log(width / height / PREFERRED_SHAPE))
            if (
                best is None
                or seen * ABOUT_THE_SAME > best[0]
                or (seen > best[0] * ABOUT_THE_SAME and oddness < best[1])
            ):
                best = seen, oddness, grid
    if best is None:
        msg = "a sheet needs at least one image"
        raise ValueError(msg)
    return best[2]


def _cell_size(sizes: Sequence[Size], aspect: float, shape: Size, pixels: int) -> Size:
    columns, rows = shape
    width = min(
        (MAX_SIDE_PX - GAP_PX * (columns + 1)) / columns,
        (MAX_SIDE_PX - GAP_PX * (rows + 1)) / rows * aspect,
        math.sqrt(pixels * aspect / (columns * rows)),
        max(max(size[0], size[1] * aspect) * _most_scale(size) for size in sizes),
    )
    return max(1, int(width)), max(1, int(width / aspect))


def _grid_size(grid: Grid) -> Size:
    if grid.columns == grid.rows == 1:
        return grid.cell
    return (
        grid.columns * (grid.cell[0] + GAP_PX) + GAP_PX,
        grid.rows * (grid.cell[1] + GAP_PX) + GAP_PX,
    )


def fit_into_grid(size: Size, count: int, *, pixels: int) -> Size:
    """The size in which `draw_grid` shows each of *count* frames of *size*."""
    return _fit(size, choose_grid([size] * count, pixels=pixels).cell)


def draw_grid(cells: Sequence[Cell], *, pixels: int) -> Image.Image:
    """The frames in reading order, each with its label."""
    sizes = [cell.size or cell.image.size for cell in cells]
    grid = choose_grid(sizes, pixels=pixels)
    sheet = Image.new("RGB", _grid_size(grid), BACKGROUND)
    gap = GAP_PX if len(cells) > 1 else 0
    for number, (cell, whole) in enumerate(zip(cells, sizes, strict=True)):
        row, column = divmod(number, grid.columns)
        size = _fit(whole, grid.cell)
        left = gap + column * (grid.cell[0] + gap) + (grid.cell[0] - size[0]) // 2
        top = gap + row * (grid.cell[1] + gap) + (grid.cell[1] - size[1]) // 2
        _paste_cell(sheet, cell, (left, top), size)
    return sheet


def draw_strips(strips: Sequence[Strip], *, pixels: int) -> Image.Image:
    """Several tasks side by side: a row for each, or a column where that gives more room."""
    if all(len(strip.cells) == 1 for strip in strips):
        names = [Cell(strip.cells[0].image, _named(strip)) for strip in strips]
        return draw_grid(names, pixels=pixels)
    rows, columns = (_cell_side(strips, pixels, in_rows=each) for each in (True, False))
    draw = _draw_rows if rows >= columns * ABOUT_THE_SAME else _draw_columns
    return draw(
        strips, [_cell_of(strip, rows if draw is _draw_rows else columns) for strip in strips]
    )


def _named(strip: Strip) -> str:
    label = strip.cells[0].label
    return f"{strip.title}  {label}" if label else strip.title


def _cell_side(strips: Sequence[Strip], pixels: int, *, in_rows: bool) -> float:
    """The side of the square that each frame has the area of, whatever its shape."""
    shapes = [math.sqrt(_aspect(strip)) for strip in strips]
    longest, stacked = list[float](), 0.0
    for strip, shape in zip(strips, shapes, strict=True):
        gaps, count = GAP_PX * (len(strip.cells) + 1), len(strip.cells)
        if in_rows:
            longest.append((MAX_SIDE_PX - gaps) / (count * shape))
            stacked += 1 / shape
        else:
            longest.append((MAX_SIDE_PX - BAND_PX - gaps) / (count / shape))
            stacked += shape
    beside = GAP_PX + len(strips) * (GAP_PX + (BAND_PX if in_rows else 0))
    return min(
        *longest,
        (MAX_SIDE_PX - beside) / stacked,
        math.sqrt(pixels / sum(len(strip.cells) for strip in strips)),
        max(math.sqrt(_area(size)) * _most_scale(size) for size in map(_first_size, strips)),
    )


def _cell_of(strip: Strip, side: float) -> Size:
    shape = math.sqrt(_aspect(strip))
    return max(1, int(side * shape)), max(1, int(side / shape))


def _draw_rows(strips: Sequence[Strip], sizes: Sequence[Size]) -> Image.Image:
    across = max(
        len(strip.cells) * (width + GAP_PX) + GAP_PX
        for strip, (width, _) in zip(strips, sizes, strict=True)
    )
    down = sum(BAND_PX + height + GAP_PX for _, height in sizes) + GAP_PX
    sheet, top = Image.new("RGB", (across, down), BACKGROUND), GAP_PX
    for strip, (width, height) in zip(strips, sizes, strict=True):
        _write_title(sheet, strip.title, (GAP_PX, top), across)
        top += BAND_PX
        for column, cell in enumerate(strip.cells):
            left = GAP_PX + column * (width + GAP_PX)
            _paste_cell(sheet, cell, (left, top), (width, height))
        top += height + GAP_PX
    return sheet


def _draw_columns(strips: Sequence[Strip], sizes: Sequence[Size]) -> Image.Image:
    down = BAND_PX + max(
        len(strip.cells) * (height + GAP_PX) + GAP_PX
        for strip, (_, height) in zip(strips, sizes, strict=True)
    )
    across = sum(width + GAP_PX for width, _ in sizes) + GAP_PX
    sheet, left = Image.new("RGB", (across, down), BACKGROUND), GAP_PX
    for strip, (width, height) in zip(strips, sizes, strict=True):
        _write_title(sheet, strip.title, (left, GAP_PX), width)
        for row, cell in enumerate(strip.cells):
            top = BAND_PX + GAP_PX + row * (height + GAP_PX)
            _paste_cell(sheet, cell, (left, top), (width, height))
        left += width + GAP_PX
    return sheet


def _first_size(strip: Strip) -> Size:
    return strip.cells[0].image.size


def _aspect(strip: Strip) -> float:
    width, height = _first_size(strip)
    return width / height


def _most_scale(size: Size) -> float:
    return max(1.0, MIN_CELL_PX / max(size))


def _fit(size: Size, box: Size) -> Size:
    """The size of an image within *box*."""
    scale = min(box[0] / size[0], box[1] / size[1], _most_scale(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _area(size: Size) -> int:
    return size[0] * size[1]


def _paste_cell(sheet: Image.Image, cell: Cell, at: Size, size: Size) -> None:
    image = (
        cell.image if cell.image.size == size else cell.image.resize(size, Image.Resampling.LANCZOS)
    )
    sheet.paste(image, at)
    if not cell.label:
        return
    smallest, largest = LABEL_PX
    letters = min(largest, max(smallest, round(min(size) * LABEL_SHARE)))
    font, pad = _font(letters), letters // 3
    draw = ImageDraw.Draw(sheet, "RGBA")
    left, bottom = at[0], at[1] + size[1]
    width = min(size[0], math.ceil(draw.textlength(cell.label, font=font)) + 2 * pad)
    draw.rectangle((left, bottom - letters - 2 * pad, left + width, bottom - 1), fill=LABEL_GROUND)
    draw.text((left + pad, bottom - pad), cell.label, font=font, fill=TEXT, anchor="ls")


def _write_title(sheet: Image.Image, title: str, at: Size, width: int) -> None:
    font = _font(TITLE_PX)
    draw = ImageDraw.Draw(sheet)
    while title and draw.textlength(title, font=font) > width:
        title = title[:-1]
    draw.text((at[0] + 2, at[1] + BAND_PX - 7), title, font=font, fill=TEXT, anchor="ls")


@lru_cache
def _font(letters: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(letters)


def encode_within(draw: Callable[[float], Image.Image]) -> bytes:
    """What *draw* makes, as a JPEG of at most `MAX_BYTES`: with less quality, then fewer pixels.

    *draw* is given the share of its pixels that it may use.
    """
    jpeg = b""
    for scale in SCALES:
        image = draw(scale)
        for quality in QUALITIES:
            out = BytesIO()
            image.save(out, "JPEG", quality=quality, optimize=True)
            jpeg = out.getvalue()
            if len(jpeg) <= MAX_BYTES:
                return jpeg
    return jpeg
