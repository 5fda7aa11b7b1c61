"""Videos of unknown origin, opened and decoded within fixed bounds.

libav checks the number of pixels before it allocates a frame, also when a stream changes its
size on the way. The demuxers are those of files: none may open another file or a link.
"""

from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import av
from av.container import InputContainer
from av.error import InvalidDataError

if TYPE_CHECKING:
    from av.video.stream import VideoStream

MAX_PIXELS: Final = 7680 * 4320
"""Pixels of the largest frame that is decoded: 8K."""
MAX_FRAME_BYTES: Final = 50_000_000
"""Bytes of one decoded frame: 8K in 8 bits with halved chroma, or 4K in any format. A codec keeps
up to twenty frames for reference, but of frames of this size its levels allow six."""
MAX_FAILURES: Final = 100
"""Packets that may be damaged before a file is given up."""
THREADS: Final = 2
"""A codec with threads of its own keeps one more frame for each."""
FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,flv,gif"

_OPTIONS: Final = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "file",
    "max_pixels": str(MAX_PIXELS),
}


class Refused(Exception):
    """The video is not decoded here."""


class TooLarge(Refused):
    """The frames have more pixels, or more bytes, than are decoded here."""


class UnknownCodec(Refused):
    """No decoder of this codec is built in."""


class NoVideo(Refused):
    """The file has no video stream."""


@contextmanager
def open_container(path: Path) -> Generator[InputContainer]:
    """Open the file; libav decodes a first frame here, within the limit of pixels."""
    with av.open(str(path), options=_OPTIONS) as container:
        yield container


def video_stream(container: InputContainer) -> "VideoStream":
    """The video stream, ready to be decoded within the bounds.

    Raises:
        NoVideo, UnknownCodec, TooLarge: it has none, or none that is decoded here.
    """
    if not container.streams.video:
        raise NoVideo
    stream = container.streams.video[0]
    codec = cast("av.VideoCodecContext | None", stream.codec_context)
    if codec is None:
        raise UnknownCodec
    check_frame(codec.width, codec.height, codec.format)
    codec.options = {"max_pixels": str(MAX_PIXELS)}
    codec.thread_type = "AUTO"
    codec.thread_count = THREADS
    return stream


def check_frame(width: int, height: int, form: "av.VideoFormat | None") -> None:
    """Raise TooLarge if a frame of this size and format is more than is decoded here."""
    bits = form.padded_bits_per_pixel if form else 0
    if width * height > MAX_PIXELS or width * height * bits > MAX_FRAME_BYTES * 8:
        raise TooLarge


def decode(container: InputContainer, stream: "VideoStream") -> Generator[av.VideoFrame]:
    """Yield the frames from the current position on; the size is checked again at each.

    Packets that cannot be decoded are left out.

    Raises:
        TooLarge: the frames have become larger than is decoded here.
        InvalidDataError: there are too many such packets.
    """
    failures = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError:
            failures += 1
            if failures > MAX_FAILURES:
                raise
            continue
        for frame in frames:
            check_frame(frame.width, frame.height, frame.format)
            yield frame


def stream_seconds(container: InputContainer, stream: "VideoStream") -> float | None:
    """The duration that the file declares; None if it declares none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def measure_seconds(container: InputContainer, stream: "VideoStream") -> float:
    """The duration by the packets, which are read and not decoded; 0.0 if they have no times."""
    container.seek(stream.start_time or 0, stream=stream)
    start, end = float("inf"), 0.0
    for packet in container.demux(stream):
        if packet.pts is not None and packet.time_base:
            at = float(packet.pts * packet.time_base)
            start = min(start, at)
            end = max(end, at + float((packet.duration or 0) * packet.time_base))
    return max(0.0, end - start)


def seek_end(container: InputContainer, stream: "VideoStream", seconds: float) -> None:
    """Move to the last key frame of a video that has this duration."""
    ticks = int(Fraction(seconds) / (stream.time_base or Fraction(1)))
    container.seek((stream.start_time or 0) + ticks, stream=stream)
