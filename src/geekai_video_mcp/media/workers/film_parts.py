"""The parts of a film: what their files hold, which of their frames are kept, and these frames.

A rank counts the frames of a file from 0 in the order of showing. Nothing damaged is passed over:
a frame that is missing or that its decoder had to guess stops the film.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import Disposition

from geekai_video_mcp.media.workers import videos
from geekai_video_mcp.media.workers.film_packets import (
    MediaPacket,
    Packet,
    PacketReader,
    Sound,
    end_sound,
    sound_stream,
    start_sound,
)
from geekai_video_mcp.media.workers.limits import is_memory_short

if TYPE_CHECKING:
    from av.video.stream import VideoStream

MAX_RATE: Final = Fraction(120)
DEFAULT_RATE: Final = Fraction(24)
"""Frames a second of a video that does not say."""
RATE_TOLERANCE: Final = 0.001
"""Relative: a clock of milliseconds rounds the frames of a long clip by less."""
JITTER_SECONDS: Final = 0.002
"""How far frames of a constant rate are from their place: a clock may count milliseconds."""
END_TOLERANCE: Final = 0.1
"""Seconds. A clip that was ordered with 5 s may have 4.96; nobody means more by "to 5"."""
START_BYTES: Final = 16
_MAX_RATIO: Final = Fraction(4)


class CannotJoin(Exception):
    """The film cannot be made; the argument is a word that `media.films` has a sentence for."""

    def __init__(self, reason: str, **details: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(reason)
        self.reason = reason
        self.details = details


@dataclass(kw_only=True)
class Part:
    """A part's file, and the ranks of the first and the last frame that are kept."""

    number: int
    path: Path
    tick: Fraction
    times: list[int]
    """When each frame is shown, in ticks, in the order of showing."""
    last_ticks: int
    """How long the last frame is shown."""
    packets: list[Packet]
    is_mp4: bool
    timed: bool
    """Whether the file gives each frame a time of its own."""
    rate: Fraction
    is_regular: bool
    parameters: tuple[object, ...]
    """What has to agree for packets to follow each other in one track."""
    ratio: Fraction
    """Width of a pixel by its height."""
    width: int = 0
    height: int = 0
    """Of the upright picture in square pixels."""
    look: tuple[int, int, int] = (2, 2, 2)
    """Matrix, transfer and primaries of the first frame, as numbers of ITU-T H.273."""
    sound: Sound | None = None
    first: int = 0
    last: int = 0

    @property
    def kept(self) -> int:
        """How many frames are kept."""
        return self.last - self.first + 1

    def ticks_at(self, rank: int) -> int:
        """When the frame begins; of the rank after the last one, when that one ends."""
        if rank < len(self.times):
            return self.times[rank]
        return self.times[-1] + self.last_ticks

    def seconds_at(self, rank: int) -> Fraction:
        """As `ticks_at`, in seconds from the first frame of the file on."""
        return (self.ticks_at(rank) - self.times[0]) * self.tick

    @property
    def seconds(self) -> Fraction:
        """How long the kept frames are shown."""
        return self.seconds_at(self.last + 1) - self.seconds_at(self.first)

    @property
    def starts_at(self) -> Fraction:
        """When the first kept frame is shown, on the clock of the file."""
        return self.times[self.first] * self.tick if self.timed else self.seconds_at(self.first)

    def rank_of(self, frame: av.VideoFrame) -> int:
        """The rank of a decoded frame by its time; 0 where the file has none."""
        if not self.timed or frame.pts is None:
            return 0
        return bisect_right(self.times, frame.pts) - 1

    def trim(self, start: float | None, end: float | None) -> None:
        """Keep the frames whose middle lies between these seconds."""
        total = float(self.seconds_at(len(self.times)))
        late = (start or 0.0) >= total or (end or 0.0) > total + END_TOLERANCE
        if late:
            raise CannotJoin("beyond_end", part=self.number, seconds=round(total, 3))
        if start is not None:
            self.first = self._rank_from(start)
        if end is not None:
            self.last = self._rank_from(end) - 1
        if self.first > self.last:
            raise CannotJoin("nothing_left", part=self.number, seconds=round(total, 3))

    def _rank_from(self, seconds: float) -> int:
        """The first rank whose frame is shown for half of its time after this second."""
        # Times of a caller are decimals: the binary number just beside one means that one.
        ticks = 2 * Fraction(round(seconds, 6)).limit_denominator(10**6) / self.tick
        base = 2 * self.times[0]
        return bisect_left(
            range(len(self.times)),
            ticks,
            key=lambda rank: self.ticks_at(rank) + self.ticks_at(rank + 1) - base,
        )


def scan_part(number: int, path: Path) -> Part:
    """Read the packets of a part's file, and decode its first frame.

    Raises:
        CannotJoin: the file is missing, damaged, no video, or none that is decoded here.
    """
    with explain_failures(number):
        with path.open("rb") as file:
            start = file.read(START_BYTES)
        if not start:
            raise CannotJoin("empty", part=number)
        if videos.is_picture(start):
            raise CannotJoin("picture", part=number)
        part, first = _scan_file(number, path)
        if first is None or first.is_corrupt or part.rank_of(first) > 0:
            raise CannotJoin("damaged", part=number, seconds=0.0)
        _add_shape(part, first)
    return part


@contextmanager
def explain_failures(number: int) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise CannotJoin("missing", part=number) from exc
    except videos.NoVideo as exc:
        raise CannotJoin("no_video", part=number) from exc
    except videos.UnknownCodec as exc:
        raise CannotJoin("codec", part=number) from exc
    except videos.TooLarge as exc:
        raise CannotJoin("too_large", part=number) from exc
    except MemoryError:
        raise
    except FFmpegError as exc:
        if is_memory_short():
            raise MemoryError from exc
        raise CannotJoin("damaged", part=number) from exc
    except OSError as exc:
        raise CannotJoin("unreadable", part=number) from exc


def _video_stream(container: InputContainer) -> "VideoStream":
    stream = videos.video_stream(container)
    decode_in_one_thread(stream)
    if stream.disposition & Disposition.attached_pic:  # the cover of a song
        raise videos.NoVideo
    return stream


def decode_in_one_thread(stream: "VideoStream") -> None:
    """Have the decoder say of every frame whether it had to guess any of it.

    With threads it says so of half of them, at random: a frame is handed out before that is known.
    """
    stream.codec_context.thread_count = 1


def _scan_file(number: int, path: Path) -> tuple[Part, av.VideoFrame | None]:
    """The part as its packets describe it, and the first frame that can be decoded."""
    first: av.VideoFrame | None = None
    with videos.open_container(path) as container:
        stream = _video_stream(container)
        audio = sound_stream(container)
        codec = stream.codec_context
        extradata = bytes(codec.extradata or b"")
        read = PacketReader(codec.name, extradata)
        packets, durations, discarded, whole = list[Packet](), list[int](), 0, True
        sound = start_sound(audio) if audio is not None else None
        steps = set[int]()
        for packet in container.demux([stream] if audio is None else [stream, audio]):
            if first is None and packet.stream_index == stream.index:
                first = next(iter(_decode_packet(packet)), None)
            if packet.size == 0:
                continue
            whole = whole and not packet.is_corrupt
            if packet.stream_index == stream.index:
                discarded += packet.is_discard
                if packet.is_discard:
                    continue
                packets.append(read.read_packet(packet))
                durations.append(packet.duration or 0)
                if len(packets) > videos.MAX_PACKETS:
                    raise CannotJoin("too_long", part=number)
            elif sound is not None and packet.pts is not None:
                sound.times.append(packet.pts)
                steps.add(packet.duration or 0)
        if sound is not None:
            end_sound(sound, steps)
        part = _describe(number, path, stream, packets, durations)
        part.is_mp4 = "mp4" in container.format.name
        part.sound = sound if sound is not None and sound.times else None
        copyable = not discarded and part.timed and read.is_readable
        part.parameters = _parameters(stream, extradata) if copyable else ()
        # Other formats estimate how many frames they have.
        if not whole or (part.is_mp4 and stream.frames > len(packets) + discarded):
            # What a file that breaks off still announces.
            at = float(part.seconds_at(len(part.times)))
            raise CannotJoin("breaks_off", part=number, seconds=round(at, 3))
    return part, first


def _parameters(stream: "VideoStream", extradata: bytes) -> tuple[object, ...]:
    codec = stream.codec_context
    return (
        *(
            codec.name,
            extradata,
            codec.width,
            codec.height,
            codec.pix_fmt,
            codec.profile,
        ),
        *(codec.color_range, codec.colorspace, codec.color_trc, codec.color_primaries),
        stream.sample_aspect_ratio or Fraction(1),
    )


def _describe(
    number: int,
    path: Path,
    stream: "VideoStream",
    packets: list[Packet],
    durations: Sequence[int],
) -> Part:
    if not packets:
        raise CannotJoin("damaged", part=number)
    times = sorted(packet.pts for packet in packets)
    timed = stream.time_base is not None and len(set(times)) == len(times)
    announced = stream.guessed_rate or stream.average_rate or DEFAULT_RATE
    if not timed:
        rate = min(MAX_RATE, max(Fraction(1), announced))
        tick, times, last = 1 / rate, list(range(len(packets))), 1
        regular = True
    else:
        tick = stream.time_base or Fraction(1)
        rate, regular = _measure_rate(times, tick, stream)
        shown_last = max(range(len(packets)), key=lambda index: packets[index].pts)
        last = durations[shown_last] or max(1, round(1 / (rate * tick)))
    return Part(
        number=number,
        path=path,
        tick=tick,
        times=times,
        last_ticks=last,
        packets=packets,
        is_mp4=False,
        timed=timed,
        rate=rate,
        is_regular=regular,
        parameters=(),
        ratio=min(_MAX_RATIO, max(1 / _MAX_RATIO, stream.sample_aspect_ratio or Fraction(1))),
        last=len(times) - 1,
    )


def _measure_rate(
    times: Sequence[int], tick: Fraction, stream: "VideoStream"
) -> tuple[Fraction, bool]:
    """Frames a second, and whether the frames keep to it."""
    announced = [rate for rate in (stream.guessed_rate, stream.average_rate) if rate]
    if len(times) == 1:
        rate = announced[0] if announced else DEFAULT_RATE
        return min(MAX_RATE, max(Fraction(1), rate)), True
    interval = Fraction(times[-1] - times[0], len(times) - 1)
    measured = 1 / (interval * tick)
    slack = max(1, JITTER_SECONDS / tick)
    regular = all(abs(at - times[0] - rank * interval) <= slack for rank, at in enumerate(times))
    rate = next(
        (each for each in announced if abs(each / measured - 1) < RATE_TOLERANCE),
        measured.limit_denominator(1001) if regular or not announced else announced[0],
    )
    return min(MAX_RATE, max(Fraction(1), rate)), regular and rate <= MAX_RATE


def _add_shape(part: Part, frame: av.VideoFrame) -> None:
    """Take the upright size from the first frame, which says how it is turned."""
    width, height = square_size(frame, part.ratio)
    if frame.rotation % 180:
        width, height = height, width
    part.width, part.height = width, height
    part.look = (int(frame.colorspace), int(frame.color_trc), int(frame.color_primaries))
    if part.parameters:
        part.parameters = (*part.parameters, frame.rotation % 360)


def square_size(frame: av.VideoFrame, ratio: Fraction) -> tuple[int, int]:
    """The size of the frame in square pixels, before it is turned."""
    width = frame.width * max(ratio, Fraction(1))
    height = frame.height / min(ratio, Fraction(1))
    return max(1, round(width)), max(1, round(height))


def decode_frames(
    part: Part, first: int, last: int, *, seek: bool = True
) -> Generator[tuple[int, av.VideoFrame]]:
    """Yield the frames from rank *first* to *last*, each with its rank.

    Raises:
        CannotJoin: one of them is damaged; says when it should be shown.
        TooLarge: the frames have become larger than is decoded here.
    """
    with explain_failures(part.number), videos.open_container(part.path) as container:
        stream = _video_stream(container)
        sought = seek and first > 0 and part.timed
        if sought:
            container.seek(part.times[first], stream=stream)
        expected = first
        for rank, frame in _decode_ranked(container, stream, part):
            if rank < first:
                continue
            if rank != expected and sought and expected == first:
                # The file cannot be read from its middle.
                yield from decode_frames(part, first, last, seek=False)
                return
            if rank != expected or frame.is_corrupt:
                break
            yield rank, frame
            expected += 1
            if expected > last:
                return
        at = float(part.seconds_at(expected))
        raise CannotJoin("damaged", part=part.number, seconds=round(at, 3))


def _decode_ranked(
    container: InputContainer, stream: "VideoStream", part: Part
) -> Generator[tuple[int, av.VideoFrame]]:
    number = 0
    for packet in container.demux(stream):
        for frame in _decode_packet(packet):
            timed = part.timed and frame.pts is not None
            yield (part.rank_of(frame) if timed else number), frame
            number += 1


def _decode_packet(packet: MediaPacket) -> Generator[av.VideoFrame]:
    """Yield the packet's frames; none if it is damaged, and then its frame will be missed.

    Raises:
        TooLarge: the frames have become larger than is decoded here.
    """
    try:
        frames = packet.decode()
    except ArgumentError as exc:  # how libav refuses more than `max_pixels`
        raise videos.TooLarge from exc
    except InvalidDataError:
        return
    for frame in frames:
        videos.check_frame(frame.width, frame.height, frame.format)
        yield frame
