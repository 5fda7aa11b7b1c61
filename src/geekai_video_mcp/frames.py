"""A child program: frames of one video, or a picture, as one picture on stdout.

Run as `python -m geekai_video_mcp.frames FILE cover|frames|picture|last`. It is a process of
its own because the codecs are heavy to load and the file is a stranger's. `last` is the last
frame, or the picture itself, in full size as PNG: what a next shot begins with. All others are
small JPEGs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
from PIL import Image, UnidentifiedImageError

COLUMNS: Final = 3
ROWS: Final = 2
CELL: Final = 288
"""Pixels of a frame's longer side on the sheet: faces and motion can be judged, and six
of them stay under about 60 kB."""
COVER: Final = 640
"""Pixels of a single frame's longer side."""
GAP: Final = 4
GROUND: Final = (16, 16, 18)
QUALITY: Final = 72


def main(argv: list[str]) -> int:
    """Write the picture of FILE; 1 when it has no frame that can be decoded."""
    path, kind = Path(argv[0]), argv[1]
    if kind == "picture":
        with Image.open(path) as image:
            return _write(_fitted(image.convert("RGB"), COVER))
    if kind == "last":
        return _last(path)
    cells = 1 if kind == "cover" else COLUMNS * ROWS
    found = list(_frames(path, cells=cells, longest=COVER if cells == 1 else CELL))
    if not found:
        return 1
    return _write(found[0] if cells == 1 else _sheet(found))


def _write(picture: Image.Image) -> int:
    picture.save(sys.stdout.buffer, "JPEG", quality=QUALITY, optimize=True)
    return 0


def _last(path: Path) -> int:
    """Write the picture, or the last frame that is shown, in every pixel."""
    last = _picture(path) or _last_frame(path)
    if last is None:
        return 1
    last.save(sys.stdout.buffer, "PNG")
    return 0


def _picture(path: Path) -> Image.Image | None:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except UnidentifiedImageError:
        return None


def _last_frame(path: Path) -> Image.Image | None:
    last: av.VideoFrame | None = None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        # From the last key frame before the end: a minute of video is not decoded for one frame.
        container.seek((stream.start_time or 0) + (stream.duration or 0), stream=stream)
        for frame in container.decode(stream):
            last = frame
    return Image.fromarray(last.to_ndarray(format="rgb24")) if last else None


def _frames(path: Path, *, cells: int, longest: int) -> Iterator[Image.Image]:
    """*cells* frames, each from the middle of its share of the running time."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        wanted = [(share + 0.5) / cells for share in range(cells)]
        # By time, not by number: a variable frame rate keeps its pace.
        total = float((stream.duration or 0) * (stream.time_base or 0)) or 1.0
        for frame in container.decode(stream):
            if wanted and (frame.time or 0.0) / total >= wanted[0] - 1e-6:
                wanted.pop(0)
                yield _fitted(Image.fromarray(frame.to_ndarray(format="rgb24")), longest)
            if not wanted:
                return


def _fitted(image: Image.Image, longest: int) -> Image.Image:
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image


def _sheet(cells: list[Image.Image]) -> Image.Image:
    """The frames in reading order, three to a row."""
    width, height = cells[0].size
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (width + GAP) + GAP, rows * (height + GAP) + GAP), GROUND)
    for number, cell in enumerate(cells):
        row, column = divmod(number, COLUMNS)
        sheet.paste(cell, (GAP + column * (width + GAP), GAP + row * (height + GAP)))
    return sheet


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
