"""Writes a film as an MP4 whose index comes first, from copied packets or encoded frames."""

import errno
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import av
from av.error import FFmpegError
from av.video.frame import PictureType

from geekai_video_mcp.media.workers import videos
from geekai_video_mcp.media.workers.film_copy import (
    Digest,
    PacketTimes,
    SoundCut,
    lay_out_packets,
    read_packets,
)
from geekai_video_mcp.media.workers.film_packets import MediaPacket, sound_stream
from geekai_video_mcp.media.workers.film_parts import CannotJoin, Part
from geekai_video_mcp.media.workers.film_sound import RATE, SoundFile, SoundTrack, Stretch
from geekai_video_mcp.media.workers.film_video import (
    Fitter,
    Size,
    fitted_frames,
    open_encoder,
    output_ranks,
)
from geekai_video_mcp.media.workers.limits import is_memory_short

ROOM_CHECK_FRAMES: Final = 100
"""Frames between looks at the room on the disk."""
DISK_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", -1), errno.EFBIG})

Report = Callable[[float], None]
"""Is called with the share of the work that is done."""
Kind = Literal["video", "audio"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the film goes."""

    path: Path
    reserved_bytes: int
    """Bytes of its disk that stay free."""


@dataclass(kw_only=True)
class Written:
    """What the written file must hold."""

    frames: int = 0
    starts: list[Fraction] = field(default_factory=list[Fraction])
    """Second at which each part begins; at the end, when the film ends."""
    rate: Fraction
    digests: dict[Kind, Digest] = field(default_factory=dict["Kind", Digest])
    """Of the tracks whose packets were copied."""
    has_sound: bool = False

    @property
    def seconds(self) -> Fraction:
        return self.starts[-1]


def copy_film(
    parts: Sequence[Part],
    output: Output,
    *,
    clock: int,
    cuts: Sequence[SoundCut] | None,
    audio: SoundFile | None,
    report: Report,
) -> Written:
    """Join the parts by copying the packets of their pictures, and with *cuts* of their sound."""
    times = lay_out_packets(parts, clock)
    starts = [Fraction(each, clock) for each in times.starts]
    made = Written(frames=len(times.shown), starts=starts, rate=parts[0].rate)
    options = {"video_track_timescale": str(clock)}
    with _open_output(output, options) as container, videos.open_container(parts[0].path) as first:
        pictures = container.add_stream_from_template(first.streams.video[0])
        if parts[0].parameters[0] == "hevc":  # with another tag, players of Apple show nothing
            pictures.codec_context.codec_tag = "hvc1"
        made.digests["video"] = Digest()
        track = copied = None
        if cuts is not None:
            copied = container.add_stream_from_template(sound_stream(first))
            made.digests["audio"] = Digest()
        else:
            track = _add_sound(container, parts, made, audio)
        made.has_sound = cuts is not None or track is not None
        clocks = _StoredTimes(times, parts, cuts)
        for kind, packet in _read_all(parts, cuts):
            made.digests[kind].add(packet)
            if kind == "audio":
                clocks.set_sound(packet)
                packet.stream = copied
            else:
                clocks.set_picture(packet)
                packet.stream = pictures
                _check_room(output, clocks.pictures)
                report(clocks.pictures / made.frames)
                if track is not None:
                    track.write_until(Fraction(packet.dts or 0, clock))
            container.mux(packet)
        if track is not None:
            track.finish()
    return made


def _read_all(
    parts: Sequence[Part], cuts: Sequence[SoundCut] | None
) -> Iterator[tuple[Kind, MediaPacket]]:
    for number, part in enumerate(parts):
        yield from read_packets(part, cuts[number] if cuts is not None else None)


class _StoredTimes:
    """Gives copied packets their times in the film."""

    def __init__(
        self, times: PacketTimes, parts: Sequence[Part], cuts: Sequence[SoundCut] | None
    ) -> None:
        self._times = times
        self._picture_tick = Fraction(1, times.clock)
        self.pictures = 0
        sound = parts[0].sound
        self._step = sound.step if sound is not None else 0
        self._tick = sound.tick if sound is not None else Fraction(1)
        self._left = sum(cut.count for cut in cuts or ())
        self._at = cuts[0].at if cuts else 0
        self._end = round(Fraction(times.starts[-1], times.clock) / self._tick)

    def set_picture(self, packet: MediaPacket) -> None:
        at, times = self.pictures, self._times
        packet.time_base = self._picture_tick
        packet.pts, packet.dts = times.shown[at], times.decoded[at]
        last = at == len(times.shown) - 1
        packet.duration = times.last_ticks if last else times.decoded[at + 1] - times.decoded[at]
        self.pictures += 1

    def set_sound(self, packet: MediaPacket) -> None:
        self._left -= 1
        packet.time_base = self._tick
        packet.pts = packet.dts = self._at
        # The last one ends with the pictures.
        whole = self._left > 0 or self._end <= self._at
        packet.duration = self._step if whole else min(self._step, self._end - self._at)
        self._at += self._step


def encode_film(
    parts: Sequence[Part],
    output: Output,
    *,
    size: Size,
    audio: SoundFile | None,
    report: Report,
) -> Written:
    """Join the parts by encoding all of them in the first one's shape and rate."""
    rate = parts[0].rate
    counts = [len(output_ranks(part, rate)) for part in parts]
    made = Written(frames=sum(counts), rate=rate)
    made.starts = [Fraction(sum(counts[:number])) / rate for number in range(len(parts) + 1)]
    with _open_output(output, {}) as container:
        stream = open_encoder(container, size, rate, parts[0].look)
        track = _add_sound(container, parts, made, audio)
        made.has_sound = track is not None
        fitter = Fitter(size, matrix=parts[0].look[0])
        number = 0
        for part in parts:
            begins = True
            for frame in fitted_frames(part, rate, fitter):
                frame.pts, frame.time_base = number, 1 / rate
                # A key frame at each seam: the film can be cut there without loss.
                frame.pict_type = int(PictureType.I) if begins else int(PictureType.NONE)
                begins = False
                container.mux(stream.encode(frame))
                number += 1
                _check_room(output, number)
                report(number / made.frames)
                if track is not None:
                    track.write_until(number / rate)
        container.mux(stream.encode(None))
        if track is not None:
            track.finish()
    return made


def _add_sound(
    container: Any,  # noqa: ANN401 - untyped in PyAV
    parts: Sequence[Part],
    film: Written,
    audio: SoundFile | None,
) -> SoundTrack | None:
    """The track of the sound that is encoded; None if there is no sound."""
    bounds = [round(start * RATE) for start in film.starts]
    if audio is not None:
        longer = audio.seconds > float(film.seconds)
        return SoundTrack(
            container, [Stretch(samples=bounds[-1], path=audio.path, fade_out=longer)]
        )
    if not any(part.sound for part in parts):
        return None
    return SoundTrack(
        container,
        [
            Stretch(
                samples=bounds[number + 1] - bounds[number],
                path=part.path if part.sound is not None else None,
                starts_at=part.starts_at,
                part=part.number,
            )
            for number, part in enumerate(parts)
        ],
    )


@contextmanager
def _open_output(output: Output, options: dict[str, str]) -> Generator[Any]:
    """The film's file; what the disk refuses is told apart from what a part holds.

    Raises:
        CannotJoin: the file could not be written.
    """
    try:
        with av.open(
            str(output.path), "w", format="mp4", options={"movflags": "faststart", **options}
        ) as container:
            yield container
    except MemoryError:
        raise
    except (FFmpegError, OSError) as exc:
        if exc.errno in DISK_FULL:
            raise CannotJoin("disk_full") from exc
        if is_memory_short():
            raise MemoryError from exc
        raise CannotJoin("not_written", error_text=str(exc.strerror or exc)) from exc


def _check_room(output: Output, number: int) -> None:
    if number % ROOM_CHECK_FRAMES == 0:
        with suppress(OSError):
            if shutil.disk_usage(output.path.parent).free < output.reserved_bytes:
                raise CannotJoin("disk_full")
