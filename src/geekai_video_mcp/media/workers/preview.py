"""A child program that makes a preview of a video or image file.

Its arguments are the path and the kind: cover, frames, picture or last. `last` is the last frame
of a video, or the image itself, as a PNG in full size, for the first frame of another video. All
others are small JPEGs. It is a separate process because codecs take long to load and the file is
untrusted.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from av.error import FFmpegError
from av.video.frame import VideoFrame
from PIL import Image, UnidentifiedImageError

from geekai_video_mcp.media.workers import pictures, videos
from geekai_video_mcp.media.workers.limits import FAILED, run_program

COLUMNS: Final = 3
ROWS: Final = 2
CELL_PX: Final = 288
"""Longer side of a frame on the contact sheet: large enough to judge faces and motion, and six
of them take at most about 60 kB."""
COVER_PX: Final = 640
"""Longer side of a single frame."""
GAP_PX: Final = 4
BACKGROUND: Final = (16, 16, 18)
JPEG_QUALITY: Final = 72
PNG_LEVEL: Final = 2
"""A tenth larger than by default, and a 4K frame takes a third of the time."""

_TURNS: Final = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


def main(arguments: Sequence[str], _: bytes) -> int:
    """Write the preview; the status says whether a frame could be decoded."""
    path, kind = Path(arguments[0]), arguments[1]
    try:
        preview = _make_preview(path, kind)
    except (videos.Refused, pictures.TooLarge, FFmpegError, *pictures.DAMAGED):
        preview = None
    if preview is None:
        return FAILED
    if kind == "last":
        preview.save(sys.stdout.buffer, "PNG", compress_level=PNG_LEVEL)
    else:
        preview.save(sys.stdout.buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return 0


def _make_preview(path: Path, kind: str) -> Image.Image | None:
    if kind == "picture":
        return _open_image(path, longest=COVER_PX)
    if kind == "last":
        return _open_image(path) or _decode_last(path)
    if kind == "cover":
        return next(iter(_decode_frames(path, count=1, longest=COVER_PX)), None)
    frames = _decode_frames(path, count=COLUMNS * ROWS, longest=CELL_PX)
    return _make_contact_sheet(frames) if frames else None


def _open_image(path: Path, *, longest: int | None = None) -> Image.Image | None:
    """The image; None if the file is none."""
    try:
        with path.open("rb") as file, pictures.open_picture(file, longest=longest) as image:
            return pictures.read_scaled(image, longest=longest, mode="RGB")
    except UnidentifiedImageError:
        return None


def _decode_last(path: Path) -> Image.Image | None:
    with videos.open_container(path) as container:
        stream = videos.video_stream(container)
        times = videos.scan_packets(container, stream).times
        if times:
            container.seek(times[-1], stream=stream)
        last = videos.decode_last(container, stream)
    if last is None:  # the end is damaged, or the file cannot be read from its middle
        with videos.open_container(path) as container:
            last = videos.decode_last(container, videos.video_stream(container))
    return _to_image(last) if last else None


def _decode_frames(path: Path, *, count: int, longest: int) -> list[Image.Image]:
    with videos.open_container(path) as container:
        stream = videos.video_stream(container)
        scan = videos.scan_packets(container, stream)
        ranks = videos.even_ranks(scan, count)
        frames = videos.decode_at(container, stream, scan, ranks)
        images = [_to_image(frame, longest=longest) for frame in frames]
    if images or not ranks:
        return images
    with videos.open_container(path) as container:
        frames = videos.decode_counted(container, videos.video_stream(container), ranks)
        return [_to_image(frame, longest=longest) for frame in frames]


def _to_image(frame: VideoFrame, *, longest: int | None = None) -> Image.Image:
    """The frame as it is seen: upright, and with *longest*, its longer side no longer than that."""
    width, height = frame.width, frame.height
    if longest is not None and max(width, height) > 2 * longest:
        # Here already, because a whole frame in RGB takes twice its own memory.
        scale = 2 * longest / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    # Not to_ndarray, which would load NumPy.
    small = frame.reformat(width, height, format="rgb24", interpolation="AREA")
    image = cast("Image.Image", small.to_image())  # pyright: ignore[reportUnknownMemberType] - untyped in PyAV
    turn = _TURNS.get(frame.rotation % 360)
    image = image if turn is None else image.transpose(turn)
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image


def _make_contact_sheet(cells: list[Image.Image]) -> Image.Image:
    """Return the frames in reading order, three in a row; a shorter row if there are fewer."""
    width, height = cells[0].size
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    sheet = Image.new(
        "RGB", (columns * (width + GAP_PX) + GAP_PX, rows * (height + GAP_PX) + GAP_PX), BACKGROUND
    )
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        sheet.paste(cell, (GAP_PX + column * (width + GAP_PX), GAP_PX + row * (height + GAP_PX)))
    return sheet


if __name__ == "__main__":
    run_program(main)
