"""A child program that writes a preview of a video or image file to stdout.

Run as `python -m geekai_video_mcp.media.workers.preview FILE cover|frames|picture|last`. It is a
separate process because codecs take long to load and the file is untrusted. `last` is the last
frame of a video, or the image itself, as a PNG in full size, for the first frame of another
video. All others are small JPEGs.
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
"""Longer side of a frame on the contact sheet: large enough to judge faces and motion, and six
of them take at most about 60 kB."""
COVER_PX: Final = 640
"""Longer side of a single frame."""
GAP_PX: Final = 4
BACKGROUND: Final = (16, 16, 18)
JPEG_QUALITY: Final = 72


def main(argv: list[str]) -> int:
    """Write the preview of FILE; return 1 if no frame can be decoded."""
    path, kind = Path(argv[0]), argv[1]
    preview: Image.Image | None
    if kind == "last":
        preview = _open_image(path) or _decode_last_frame(path)
    elif kind == "picture":
        image = _open_image(path)
        preview = _shrink(image, COVER_PX) if image else None
    elif kind == "cover":
        preview = next(_decode_frames(path, cells=1, longest=COVER_PX), None)
    else:
        frames = list(_decode_frames(path, cells=COLUMNS * ROWS, longest=CELL_PX))
        preview = _make_contact_sheet(frames) if frames else None
    if preview is None:
        return 1
    if kind == "last":
        preview.save(sys.stdout.buffer, "PNG")
    else:
        preview.save(sys.stdout.buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
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
        # Start at the last key frame before the end, and do not decode the whole video.
        container.seek((stream.start_time or 0) + (stream.duration or 0), stream=stream)
        for frame in container.decode(stream):
            last = frame
    return _to_image(last) if last else None


def _decode_frames(path: Path, *, cells: int, longest: int) -> Iterator[Image.Image]:
    """Yield *cells* frames, each from the middle of an equal part of the video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        shares = [(share + 0.5) / cells for share in range(cells)]
        # By time, not by frame number, because the frame rate may vary.
        total = float((stream.duration or 0) * (stream.time_base or 0)) or 1.0
        for frame in container.decode(stream):
            if shares and (frame.time or 0.0) / total >= shares[0] - 1e-6:
                shares.pop(0)
                yield _shrink(_to_image(frame), longest)
            if not shares:
                return


def _to_image(frame: av.VideoFrame) -> Image.Image:
    # Not to_ndarray, which would load NumPy.
    return cast("Image.Image", frame.to_image())  # pyright: ignore[reportUnknownMemberType] - untyped in PyAV


def _shrink(image: Image.Image, longest: int) -> Image.Image:
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image


def _make_contact_sheet(cells: list[Image.Image]) -> Image.Image:
    """Return the frames in reading order, three in a row."""
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
