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
_REDUCED: Final = 0x200 | _ROUNDED
"""SWS_BICUBIC and SWS_LANCZOS; numbers, because older versions of PyAV do not combine names."""

Size = tuple[int, int]
Fit = Callable[[Size, int], Size]
"""The size in which a frame of this upright size is wanted, if so many frames are."""
Chooser = Callable[[videos.Scan], Sequence[int]]
"""Chooses the frames to show, by their growing ranks in the order of showing."""


class Frame(NamedTuple):
    """One frame of a video."""

    image: Image.Image
    seconds: float
    """When it is shown, from the first frame on."""
    size: Size
    """Its own, upright."""


def read_frames(
    path: Path, choose: Chooser, fit: Fit | None = None
) -> tuple[dict[str, Any], list[Frame]]:
    """The facts of the video, and the frames that *choose* chooses; none if none can be decoded.

    Without *fit* they come in full size.
    """
    with videos.open_container(path) as container:
        stream = videos.video_stream(container)
        sound = bool(container.streams.audio)
        rate = stream.average_rate or stream.guessed_rate
        scan = videos.scan_packets(container, stream)
        ranks = choose(scan)
        found = [
            (frame, to_image(frame, fit, len(ranks)))
            for frame in videos.decode_at(container, stream, scan, ranks)
        ]
    if not found and ranks:
        with videos.open_container(path) as container:
            stream = videos.video_stream(container)
            found = [
                (frame, to_image(frame, fit, len(ranks)))
                for frame in videos.decode_counted(container, stream, ranks)
            ]
    if not found:
        return {}, []
    first, _ = found[0]
    width, height = _upright_size(first)
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
        images.append(Frame(image, max(0.0, seconds), _upright_size(frame)))
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
    return to_image(last) if last else None


def to_image(frame: VideoFrame, fit: Fit | None = None, count: int = 1) -> Image.Image:
    """The frame as it is seen: upright, and in the size that *fit* wants for one of *count*."""
    width, height = _upright_size(frame) if fit is None else fit(_upright_size(frame), count)
    if frame.rotation % 180:
        width, height = height, width
    interpolation = _REDUCED if width < frame.width else _FULL_SIZE
    # Scaled here already: a whole frame in RGB takes twice its own memory. Not to_ndarray, which
    # would load NumPy.
    small = frame.reformat(width, height, format="rgb24", interpolation=interpolation, threads=1)
    image = cast("Image.Image", small.to_image())  # pyright: ignore[reportUnknownMemberType] - untyped in PyAV
    turn = _TURNS.get(frame.rotation % 360)
    return image if turn is None else image.transpose(turn)


def _upright_size(frame: VideoFrame) -> Size:
    turned = frame.rotation % 180 != 0
    return (frame.height, frame.width) if turned else (frame.width, frame.height)
