"""A child program that makes a picture of a video or image file.

Its arguments are the path, the kind, and for some kinds numbers:

* `frames`: the contact sheet, with the first and the last frame; of an image, the image itself.
* `at`, with seconds: the frames at these times, labelled with the times that are really shown.
* `cover`: one frame from the middle.
* `strip`, with a number of frames and perhaps seconds: unlabelled frames for `compose`.
* `last`: the last frame of a video, or the image itself, as a PNG in full size, for the first
  frame of another video.
* `still`, with seconds: the frame at that time in the same form; after the end there is none.

For `last` it writes the PNG alone, and its exit status says whether there is one. Otherwise it
writes a line of JSON, the facts of the file and the times shown, and then the picture: a PNG for
`still` and `strip`, a JPEG of at most 120 KB for the others. If there is none, the line says why.
It is a separate process because codecs take long to load and the file is untrusted.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from av.error import FFmpegError
from PIL import Image, UnidentifiedImageError

from geekai_video_mcp.media.workers import frames, pictures, sheets, videos
from geekai_video_mcp.media.workers.limits import (
    FAILED,
    OUT_OF_MEMORY,
    is_memory_short,
    run_program,
)

COVER_PX: Final = 640
"""Longer side of a single frame."""
FRAME_PX: Final = 900
"""Longer side of a frame before it is fitted into a sheet."""
STRIP_PX: Final = 480
"""Longer side of a frame of one of several videos."""
PNG_LEVEL: Final = 2
"""A tenth larger than by default, and a 4K frame takes a third of the time."""
STRIP_PNG_LEVEL: Final = 1
WHOLE_FRAMES: Final = frozenset({"last", "still"})
"""Kinds for another video to begin or end with, and not for people to look at."""
BY_TENTHS: Final = 0.2
"""Seconds between frames from which on their times are given to a tenth."""
FRAMES_BY_LENGTH: Final = ((12.0, 6), (30.0, 9))
"""Frames of a video up to so many seconds."""
MOST_FRAMES: Final = 12

Facts = Mapping[str, Any]


class Nothing(Exception):
    """There is no picture; the argument is the reason, a word of `inspection.Reason`."""


def main(arguments: Sequence[str], _: bytes) -> int:
    """Write the facts, and the picture if there is one."""
    path, kind, *numbers = arguments
    if kind == "last":
        return _write_last(Path(path))
    try:
        facts, picture = _make_picture(Path(path), kind, [float(each) for each in numbers])
    except Nothing as exc:
        facts, picture = {"reason": str(exc)}, b""
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n" + picture)
    return 0


def _write_last(path: Path) -> int:
    try:
        _, png = _make_picture(path, "last", [])
    except Nothing as exc:
        return OUT_OF_MEMORY if str(exc) == "memory" else FAILED
    sys.stdout.buffer.write(png)
    return 0


def _make_picture(path: Path, kind: str, numbers: Sequence[float]) -> tuple[Facts, bytes]:
    reason = "damaged"
    try:
        if path.stat().st_size == 0:
            raise Nothing("empty")
        image = _open_image(path, longest=None if kind in WHOLE_FRAMES else sheets.MAX_SIDE_PX)
        if image is not None:
            return _show_image(image, kind)
        reason = "frame"
        return _show_video(path, kind, numbers)
    except (videos.TooLarge, pictures.TooLarge):
        reason = "too_large"
    except videos.UnknownCodec:
        reason = "codec"
    except videos.NoVideo:
        reason = "no_video"
    except MemoryError:  # PyAV's is a subclass of Python's, and of FFmpegError
        reason = "memory"
    except (FileNotFoundError, PermissionError):
        reason = "unreadable"
    except (FFmpegError, *pictures.DAMAGED):
        reason = "memory" if is_memory_short() else reason
    raise Nothing(reason)


def _open_image(path: Path, *, longest: int | None) -> Image.Image | None:
    """The image; None if the file is none."""
    try:
        with path.open("rb") as file, pictures.open_picture(file, longest=longest) as image:
            size = pictures.source_size(image)
            scaled = pictures.read_scaled(image, longest=longest, mode="RGB")
    except UnidentifiedImageError:
        return None
    turned = (scaled.width > scaled.height) != (size[0] > size[1])
    scaled.info = {"size": size[::-1] if turned else size}
    return scaled


def _show_image(image: Image.Image, kind: str) -> tuple[Facts, bytes]:
    width, height = image.info["size"]
    facts = {"width": width, "height": height}
    if kind in WHOLE_FRAMES:
        return facts, _encode_png(image, PNG_LEVEL)
    if kind == "strip":
        image.thumbnail((STRIP_PX, STRIP_PX), Image.Resampling.LANCZOS)
        return facts, _encode_png(image, STRIP_PNG_LEVEL)
    if kind == "cover":
        image.thumbnail((COVER_PX, COVER_PX), Image.Resampling.LANCZOS)
    pixels = min(sheets.PICTURE_PIXELS, image.width * image.height)
    return facts, sheets.encode_within(lambda share: _reduce(image, pixels * share))


def _reduce(image: Image.Image, pixels: float) -> Image.Image:
    """The image with at most so many pixels."""
    scale = min(1.0, (pixels / (image.width * image.height)) ** 0.5)
    if scale == 1.0:
        return image
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _show_video(path: Path, kind: str, numbers: Sequence[float]) -> tuple[Facts, bytes]:
    if kind == "last":
        last = frames.decode_last(path)
        if last is None:
            raise Nothing("frame")
        return {}, _encode_png(last, PNG_LEVEL)
    if kind == "still":
        return _show_still(path, *numbers)
    chosen, longest = _chooser(kind, numbers)

    def fit(size: frames.Size, count: int) -> frames.Size:
        limited = _limit(size, longest)
        if kind in {"cover", "strip"}:
            return limited
        fitted = sheets.fit_into_grid(limited, count, pixels=_sheet_pixels(kind, count))
        return min(limited, fitted)  # a tiny one is scaled up on the sheet

    facts, found = frames.read_frames(path, chosen, fit)
    if not found:
        raise Nothing("memory" if is_memory_short() else "frame")
    exact = kind == "at" or len(numbers) > 1
    labels = time_labels([frame.seconds for frame in found], exact=exact)
    facts = {**facts, "labels": labels}
    if kind == "cover":
        image = found[0].image
        pixels = image.width * image.height
        return facts, sheets.encode_within(lambda share: _reduce(image, pixels * share))
    if kind == "strip":
        strip = _join_frames([frame.image for frame in found])
        return facts, _encode_png(strip, STRIP_PNG_LEVEL)
    cells = [
        sheets.Cell(frame.image, label, _limit(frame.size, longest))
        for frame, label in zip(found, labels, strict=True)
    ]
    pixels = _sheet_pixels(kind, len(cells))
    return facts, sheets.encode_within(
        lambda share: sheets.draw_grid(cells, pixels=int(pixels * share))
    )


def _limit(size: frames.Size, longest: int) -> frames.Size:
    """The size with a longer side of at most so many pixels."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _sheet_pixels(kind: str, count: int) -> int:
    if kind == "at":
        return sheets.DETAIL_PIXELS
    return max(sheets.SHEET_PIXELS, count * sheets.FRAME_PIXELS)


def _show_still(path: Path, seconds: float) -> tuple[Facts, bytes]:
    """The length of the video, and the frame that is shown at *seconds*, if it is not over then."""
    length = 0.0

    def choose(scan: videos.Scan) -> Sequence[int]:
        nonlocal length
        length = scan.seconds
        return [] if 0 < length < seconds else videos.ranks_at(scan, [seconds])

    _, found = frames.read_frames(path, choose)
    if not found and not 0 < length < seconds:
        raise Nothing("frame")
    return {"seconds": length or None}, _encode_png(found[0].image, PNG_LEVEL) if found else b""


def _chooser(kind: str, numbers: Sequence[float]) -> tuple[frames.Chooser, int]:
    """What chooses the frames of this kind, and how long their longer side may be."""
    if kind == "cover":
        return videos.middle_rank, COVER_PX
    if kind == "at":
        return lambda scan: videos.ranks_at(scan, numbers), sheets.MAX_SIDE_PX
    if kind == "strip":
        count, *seconds = numbers
        if seconds:
            return lambda scan: videos.ranks_at(scan, seconds), STRIP_PX
        if count == 1:
            return videos.middle_rank, STRIP_PX
        return lambda scan: videos.spread_ranks(scan, int(count)), STRIP_PX
    return lambda scan: videos.spread_ranks(scan, _frame_count(scan.seconds)), FRAME_PX


def _frame_count(seconds: float) -> int:
    for most, count in FRAMES_BY_LENGTH:
        if seconds <= most:
            return count
    return MOST_FRAMES


def time_labels(times: Sequence[float], *, exact: bool) -> list[str]:
    """The times as they are written on the frames."""
    spacing = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0
    digits = 2 if exact or spacing < BY_TENTHS else 1
    return [f"{time:.{digits}f} s" for time in times]


def _join_frames(images: Sequence[Image.Image]) -> Image.Image:
    """The frames in a row, all of the first one's size."""
    width, height = images[0].size
    strip = Image.new("RGB", (width * len(images), height))
    for number, image in enumerate(images):
        fitted = image if image.size == (width, height) else image.resize((width, height))
        strip.paste(fitted, (number * width, 0))
    return strip


def _encode_png(image: Image.Image, level: int) -> bytes:
    out = BytesIO()
    image.info = {}
    image.save(out, "PNG", compress_level=level)
    return out.getvalue()


if __name__ == "__main__":
    run_program(main)
