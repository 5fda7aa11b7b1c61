"""Videos of unknown origin, opened and decoded within fixed bounds.

libav checks the number of pixels before it allocates a frame, also when a stream changes its
size on the way. The demuxers are those of files: none may open another file or a link.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import av
from av.container import InputContainer
from av.error import ArgumentError, InvalidDataError

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
MAX_PACKETS: Final = 500_000
"""Two hours at 60 frames a second; a file may declare any number of empty ones."""
SKIP_SECONDS: Final = 1.0
"""How close to a wanted frame all frames are decoded: more than a codec reorders."""
FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,flv,gif"

_OPTIONS: Final = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "file",
    "max_pixels": str(MAX_PIXELS),
}
_PICTURES: Final = ((b"\x89PNG\r\n\x1a\n", 0), (b"\xff\xd8\xff", 0), (b"WEBP", 8))
"""How a picture begins, and at which byte."""


class Refused(Exception):
    """The video is not decoded here."""


class TooLarge(Refused):
    """The frames have more pixels, or more bytes, than are decoded here."""


class UnknownCodec(Refused):
    """No decoder of this codec is built in."""


class NoVideo(Refused):
    """The file has no video stream."""


_UNPROBED: Final = _OPTIONS | {"probesize": "32"}


def is_picture(start: bytes) -> bool:
    """Whether a file with these first bytes, of which twelve will do, is a picture."""
    return any(start[at:].startswith(magic) for magic, at in _PICTURES)


@contextmanager
def open_container(path: Path, *, probe: bool = True) -> Generator[InputContainer]:
    """Open the file; libav decodes a first frame here, within the limit of pixels.

    Without *probe* it does not, and opens an MP4 in a twentieth of the time. That will do where
    the streams are known from before; the containers of other formats do not announce them.
    """
    with av.open(str(path), options=_OPTIONS if probe else _UNPROBED) as container:
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
        except ArgumentError as exc:  # how libav refuses more than `max_pixels`
            raise TooLarge from exc
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


def seek_end(container: InputContainer, stream: "VideoStream", seconds: float) -> None:
    """Move to the last key frame of a video that has this duration."""
    ticks = int(Fraction(seconds) / (stream.time_base or Fraction(1)))
    container.seek((stream.start_time or 0) + ticks, stream=stream)


class Scan(NamedTuple):
    """What the packets say, which are read and not decoded."""

    times: list[int]
    """When each frame is shown, in ticks of the stream, in order."""
    keys: list[int]
    """Those of them at which decoding may begin."""
    seconds: float
    """From the first frame to the end of the last one; 0.0 without times."""
    tick: float
    """Seconds of one tick of the stream."""


def scan_packets(container: InputContainer, stream: "VideoStream") -> Scan:
    """Read all packets of the stream; afterwards the position is at their end."""
    times, keys, end = list[int](), list[int](), 0
    for packet in islice(container.demux(stream), MAX_PACKETS):
        if packet.size == 0 or packet.is_discard:  # the end, and what an edit list has cut off
            continue
        if packet.pts is None:
            times.append(times[-1] if times else 0)
            continue
        times.append(packet.pts)
        end = max(end, packet.pts + (packet.duration or 0))
        if packet.is_keyframe:
            keys.append(packet.pts)
    times.sort()
    keys.sort()
    ticks = max(0, end - times[0]) if times else 0
    tick = float(stream.time_base or 1)
    return Scan(times, keys, ticks * tick if stream.time_base else 0.0, tick)


def middle_rank(scan: Scan) -> list[int]:
    """The rank of the frame in the middle of the time; none without frames."""
    frames = len(scan.times)
    if frames <= 1 or scan.times[0] == scan.times[-1]:  # the times say nothing
        return [frames // 2] if frames else []
    # Each frame is shown until the next one, and the last one as long as an average one.
    span = (scan.times[-1] - scan.times[0]) * frames / (frames - 1)
    return [bisect_right(scan.times, scan.times[0] + span / 2) - 1]


def spread_ranks(scan: Scan, count: int) -> list[int]:
    """The ranks of *count* frames, two at least: the first, the last, others evenly in between."""
    frames = len(scan.times)
    if frames <= count:
        return list(range(frames))
    shares = [part / (count - 1) for part in range(count)]
    first, last = scan.times[0], scan.times[-1]
    if first == last:  # the times say nothing
        return [round(share * (frames - 1)) for share in shares]
    # By time, not by frame number, because the frame rate may vary.
    shown = [first + (last - first) * share for share in shares]
    nearest = (bisect_right(scan.times, time) for time in shown)
    return sorted(
        {
            rank - 1
            if rank == frames or time - scan.times[rank - 1] <= scan.times[rank] - time
            else rank
            for time, rank in zip(shown, nearest, strict=True)
        }
    )


def ranks_at(scan: Scan, seconds: Sequence[float]) -> list[int]:
    """The ranks of the frames that are shown at these times, each once; beyond the end the last."""
    if not scan.times:
        return []
    if scan.times[0] == scan.times[-1]:  # the times say nothing
        return [0]
    # A time may be any number: far beyond the end, its ticks could not be counted.
    within = (min(time, scan.seconds + 1.0) for time in seconds)
    ticks = (scan.times[0] + round(time / scan.tick) for time in within)
    return sorted({max(0, bisect_right(scan.times, tick) - 1) for tick in ticks})


def decode_at(
    container: InputContainer, stream: "VideoStream", scan: Scan, ranks: Sequence[int]
) -> Generator[av.VideoFrame]:
    """Yield the frames of these growing *ranks*, which count from 0 in the order of showing.

    Decodes no more than is needed. In place of a damaged frame comes the next good one, so there
    may be fewer frames than ranks. There are none if the times of the frames are not distinct, or
    the file cannot be read from its middle: then `decode_counted` finds them.
    """
    if len(set(scan.times)) < len(scan.times):
        return
    codec, frames = stream.codec_context, decode(container, stream)
    skipped = int(SKIP_SECONDS / (stream.time_base or 1))
    position: int | None = None
    for time in (scan.times[rank] for rank in ranks):
        if position is not None and position >= time:
            continue  # the frame of an earlier rank was damaged, and this one came in its place
        if position is None or any(position < key <= time for key in scan.keys):
            container.seek(time, stream=stream)
            frames = decode(container, stream)
        latest: av.VideoFrame | None = None
        for frame in frames:
            latest, position = frame, time if frame.pts is None else frame.pts
            if position >= time:
                break
            # Frames that no other frame needs are left out on the way.
            codec.skip_frame = "NONREF" if position + skipped < time else "DEFAULT"
        if latest is not None:
            yield latest


def decode_counted(
    container: InputContainer, stream: "VideoStream", ranks: Sequence[int]
) -> Generator[av.VideoFrame]:
    """As `decode_at`, by decoding everything up to them in a container that was just opened."""
    wanted = list(ranks)
    latest: av.VideoFrame | None = None
    for number, frame in enumerate(decode(container, stream)):
        latest = frame
        if number >= wanted[0]:
            wanted.pop(0)
            yield frame
            latest = None
            if not wanted:
                return
    if latest is not None:
        yield latest


def decode_last(container: InputContainer, stream: "VideoStream") -> av.VideoFrame | None:
    """The last frame that can be decoded from the current position on."""
    frames = deque(decode(container, stream), maxlen=1)
    return frames[0] if frames else None
