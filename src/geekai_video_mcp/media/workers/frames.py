"""The frames of a video that a picture of it shows, upright and with their times."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from av.video.frame import VideoFrame
from PIL import Image

from geekai_video_mcp.media.workers import videos

_TURNS: Final = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}

_ROUNDED: Final = 0x2000 | 0x40000
"""libav's SWS_FULL_CHR_H_INT and SWS_ACCURATE_RND. Without them it cuts off where it should round,
and each shot of a chain would be a level or two darker than the one before it."""
_FULL_SIZE: Final = 0x4 | _ROUNDED
_REDUCED: Final = 0x20 | _ROUNDED
"""SWS_BICUBIC and SWS_AREA; numbers, because older versions of PyAV do not combine names."""

Chooser = Callable[[videos.Scan], Sequence[int]]
"""Chooses the frames to show, by their growing ranks in the order of showing."""


class Frame(NamedTuple):
    """One frame of a video."""

    image: Image.Image
    seconds: float
    """When it is shown, from the first frame on."""


def read_frames(
    path: Path, choose: Chooser, *, longest: int | None
) -> tuple[dict[str, Any], list[Frame]]:
    """The facts of the video, and the frames that *choose* chooses; none if none can be decoded."""
    with videos.open_container(path) as container:
        stream = videos.video_stream(container)
        sound = bool(container.streams.audio)
        rate = stream.average_rate or stream.guessed_rate
        scan = videos.scan_packets(container, stream)
        ranks = choose(scan)
        found = [
            (frame, _to_image(frame, longest=longest))
            for frame in videos.decode_at(container, stream, scan, ranks)
        ]
    if not found and ranks:
        with videos.open_container(path) as container:
            stream = videos.video_stream(container)
            found = [
                (frame, _to_image(frame, longest=longest))
                for frame in videos.decode_counted(container, stream, ranks)
            ]
    if not found:
        return {}, []
    first, _ = found[0]
    turned = first.rotation % 180 != 0
    width, height = (first.height, first.width) if turned else (first.width, first.height)
    facts = {
        "width": width,
        "height": height,
        "seconds": round(scan.seconds, 3) or None,
        "fps": round(float(rate), 3) if rate else None,
        "has_sound": sound,
    }
    timed = len(set(scan.times)) == len(scan.times)
    images = list[Frame]()
    for (frame, image), rank in zip(found, ranks, strict=False):
        if timed and frame.pts is not None:
            seconds = float((frame.pts - scan.times[0]) * scan.tick)
        else:
            seconds = rank / float(rate) if rate else 0.0
        images.append(Frame(image, max(0.0, seconds)))
    return facts, images


def decode_last(path: Path) -> Image.Image | None:
    """The last frame in full size; None if no frame can be decoded."""
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


def _to_image(frame: VideoFrame, *, longest: int | None = None) -> Image.Image:
    """The frame as it is seen: upright, and with *longest*, its longer side no longer than that."""
    width, height = frame.width, frame.height
    if longest is not None and max(width, height) > 2 * longest:
        # Here already, because a whole frame in RGB takes twice its own memory.
        scale = 2 * longest / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    # Not to_ndarray, which would load NumPy.
    interpolation = _REDUCED if width < frame.width else _FULL_SIZE
    small = frame.reformat(width, height, format="rgb24", interpolation=interpolation)
    image = cast("Image.Image", small.to_image())  # pyright: ignore[reportUnknownMemberType] - untyped in PyAV
    turn = _TURNS.get(frame.rotation % 360)
    image = image if turn is None else image.transpose(turn)
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image
