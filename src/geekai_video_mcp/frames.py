"""A child program: frames of one video, or a picture, as one picture on stdout.

Run as `python -m geekai_video_mcp.frames FILE cover|frames|picture|last`. It is a process of
its own because the codecs are heavy to load and the file is a stranger's. `last` is the last
frame, or the picture itself, in full size as PNG: what a next shot begins with. All others are
small JPEGs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import av
from PIL import Image, UnidentifiedImageError

COLUMNS: Final = 3
ROWS: Final = 2
CELL_PX: Final = 288
"""Pixels of a frame's longer side on the sheet: faces and motion can be judged, and six
of them stay under about 60 kB."""
COVER_PX: Final = 640
"""Pixels of a single frame's longer side."""
GAP_PX: Final = 4
BACKGROUND: Final = (16, 16, 18)
JPEG_QUALITY: Final = 72


def main(argv: list[str]) -> int:
    """Write the picture of FILE; 1 when it has no frame that can be decoded."""
    path, kind = Path(argv[0]), argv[1]
    if kind == "picture":
        with Image.open(path) as image:
            return _write_jpeg(_shrink(image.convert("RGB"), COVER_PX))
    if kind == "last":
        return _write_last_frame(path)
    cells = 1 if kind == "cover" else COLUMNS * ROWS
    frames = list(_decode_frames(path, cells=cells, longest=COVER_PX if cells == 1 else CELL_PX))
    if not frames:
        return 1
    return _write_jpeg(frames[0] if cells == 1 else _make_contact_sheet(frames))


def _write_jpeg(picture: Image.Image) -> int:
    picture.save(sys.stdout.buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return 0


def _write_last_frame(path: Path) -> int:
    """Write the picture, or the last frame that is shown, in every pixel."""
    last = _open_image(path) or _decode_last_frame(path)
    if last is None:
        return 1
    last.save(sys.stdout.buffer, "PNG")
    return 0


def _open_image(path: Path) -> Image.Image | None:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except UnidentifiedImageError:
        return None


def _decode_last_frame(path: Path) -> Image.Image | None:
    last: av.VideoFrame | None = None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        # From the last key frame before the end: a minute of video is not decoded for one frame.
        container.seek((stream.start_time or 0) + (stream.duration or 0), stream=stream)
        for frame in container.decode(stream):
            last = frame
    return _to_image(last) if last else None


def _decode_frames(path: Path, *, cells: int, longest: int) -> Iterator[Image.Image]:
    """*cells* frames, each from the middle of its share of the running time."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        shares = [(share + 0.5) / cells for share in range(cells)]
        # By time, not by number: a variable frame rate keeps its pace.
        total = float((stream.duration or 0) * (stream.time_base or 0)) or 1.0
        for frame in container.decode(stream):
            if shares and (frame.time or 0.0) / total >= shares[0] - 1e-6:
                shares.pop(0)
                yield _shrink(_to_image(frame), longest)
            if not shares:
                return


def _to_image(frame: av.VideoFrame) -> Image.Image:
    # Not by to_ndarray: it would load NumPy, which takes longer than a small video's frames.
    return cast("Image.Image", frame.to_image())  # pyright: ignore[reportUnknownMemberType] - untyped in PyAV


def _shrink(image: Image.Image, longest: int) -> Image.Image:
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image


def _make_contact_sheet(cells: list[Image.Image]) -> Image.Image:
    """The frames in reading order, three to a row."""
    width, height = cells[0].size
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new(
        "RGB", (COLUMNS * (width + GAP_PX) + GAP_PX, rows * (height + GAP_PX) + GAP_PX), BACKGROUND
    )
    for number, cell in enumerate(cells):
        row, column = divmod(number, COLUMNS)
        sheet.paste(cell, (GAP_PX + column * (width + GAP_PX), GAP_PX + row * (height + GAP_PX)))
    return sheet


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
