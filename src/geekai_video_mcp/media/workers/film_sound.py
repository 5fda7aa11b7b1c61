"""The sound of a film that is encoded again, in step with its pictures.

Each part's sound begins with the part's first picture and is as long as its pictures: what is
missing is silence. NumPy may not enter, so samples are packed 32-bit floats in bytes.
"""

from array import array
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError

from geekai_video_mcp.media.workers import videos
from geekai_video_mcp.media.workers.film_packets import sound_stream
from geekai_video_mcp.media.workers.film_parts import CannotJoin

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

RATE: Final = 48_000
BITS: Final = 192_000
CHUNK: Final = 1024
"""Samples of a frame of AAC."""
SAMPLE_BYTES: Final = 8
"""Two channels of four bytes."""
FADE_SECONDS: Final = 0.5
JITTER_SAMPLES: Final = RATE // 50
"""Timestamps are followed if they differ by more from the samples that came before them."""
SEEK_FROM: Final = 10.0
"""Seconds from which on sound is not decoded from its beginning."""
PREROLL_SECONDS: Final = 1.0
SOUND_FORMATS: Final = f"{videos.FORMATS},mp3,wav,ogg,flac,aac,aiff,w64,caf"
_SECOND: Final = RATE * SAMPLE_BYTES


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of the film's sound, and the file that it comes from."""

    samples: int
    path: Path | None = None
    """None: silence."""
    starts_at: Fraction | None = None
    """When it begins on the clock of the file, in seconds; None: where the file's sound begins."""
    part: int | None = None
    """The number of the part; None for a file of sound, which is played as far as it can be."""
    fade_out: bool = False


@dataclass(frozen=True, kw_only=True)
class SoundFile:
    """A file whose sound replaces that of the parts."""

    path: Path
    seconds: float
    """Its length, or what is known to be longer than the film."""


@dataclass(frozen=True, kw_only=True)
class _Samples:
    content: bytes
    at: int
    """Where they belong, in samples from the beginning of the stretch on."""


def open_sound_file(path: Path, *, enough: float) -> SoundFile:
    """Measure a file's sound, as far as *enough* seconds.

    Raises:
        CannotJoin: it is missing, or there is no sound in it that can be decoded.
    """
    try:
        if path.stat().st_size == 0:
            raise CannotJoin("audio_damaged")
        with _open(path) as container:
            stream = sound_stream(container)
            if stream is None:
                raise CannotJoin("audio_none")
            if next(_decode(container, stream, None), None) is None:
                raise CannotJoin("audio_damaged")
        with _open(path) as container:
            stream = sound_stream(container)
            seconds = 0.0 if stream is None else _measure(container, stream, enough)
    except FileNotFoundError as exc:
        raise CannotJoin("audio_missing") from exc
    except MemoryError:
        raise
    except FFmpegError as exc:
        raise CannotJoin("audio_damaged") from exc
    except OSError as exc:
        raise CannotJoin("audio_unreadable") from exc
    return SoundFile(path=path, seconds=seconds)


def _open(path: Path) -> InputContainer:
    options = {"format_whitelist": SOUND_FORMATS, "protocol_whitelist": "file"}
    return av.open(str(path), options=options)


def _measure(container: InputContainer, stream: "AudioStream", enough: float) -> float:
    tick = float(stream.time_base or 1)
    first: int | None = None
    end = 0
    for packet in container.demux(stream):
        if packet.size and packet.pts is not None and not packet.is_discard:
            first = packet.pts if first is None else min(first, packet.pts)
            end = max(end, packet.pts + (packet.duration or 0))
            if (end - first) * tick > enough:
                break
    return (end - (first or 0)) * tick


class SoundTrack:
    """Encodes the stretches one after the other into the film's sound track."""

    def __init__(self, container: Any, stretches: list[Stretch]) -> None:  # noqa: ANN401 - untyped in PyAV
        self._container = container
        self._stream = container.add_stream("aac", rate=RATE, layout="stereo")
        self._stream.bit_rate = BITS
        self._source = (chunk for each in stretches for chunk in _read_stretch(each))
        self._left = sum(each.samples for each in stretches)
        self._buffer = bytearray()
        self._at = 0

    def write_until(self, seconds: Fraction) -> None:
        """Encode whole frames of sound up to this second of the film."""
        while self._at / RATE < seconds and self._left >= CHUNK:
            self._encode(CHUNK)

    def finish(self) -> None:
        """Encode what is left."""
        while self._left > 0:
            self._encode(min(CHUNK, self._left))
        self._container.mux(self._stream.encode(None))

    def _encode(self, samples: int) -> None:
        size = samples * SAMPLE_BYTES
        while len(self._buffer) < size:
            self._buffer += next(self._source)
        frame = av.AudioFrame(format="flt", layout="stereo", samples=samples)
        plane = frame.planes[0]
        plane.update(bytes(self._buffer[:size]).ljust(plane.buffer_size, b"\0"))
        del self._buffer[:size]
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += samples
        self._left -= samples
        self._container.mux(self._stream.encode(frame))


def _read_stretch(stretch: Stretch) -> Generator[bytes]:
    """Exactly the samples of the stretch."""
    total = stretch.samples * SAMPLE_BYTES
    fade = min(total // 2, round(FADE_SECONDS * RATE) * SAMPLE_BYTES) if stretch.fade_out else 0
    at, ending = 0, bytearray()
    for chunk in _read_file(stretch):
        kept = chunk[: total - at]
        at += len(kept)
        before = max(0, len(kept) - max(0, at - (total - fade)))
        yield kept[:before]
        ending += kept[before:]
        if at == total:
            break
    yield _fade(bytes(ending)) if at == total else bytes(ending)
    while at < total:
        yield bytes(min(_SECOND, total - at))
        at += min(_SECOND, total - at)


def _fade(content: bytes) -> bytes:
    values = array("f", content)
    count = len(values)
    for number in range(count):
        values[number] *= 1 - (number + 1) / count
    return values.tobytes()


def _read_file(stretch: Stretch) -> Generator[bytes]:
    """The sound of the file from the stretch's beginning on, with silence in its gaps."""
    if stretch.path is None:
        return
    at = 0
    with _open(stretch.path) as container:
        for each in _resample(container, stretch):
            content, start = each.content, each.at
            if start > at:
                for _ in range((start - at) // RATE):
                    yield bytes(_SECOND)
                yield bytes((start - at) % RATE * SAMPLE_BYTES)
                at = start
            content = content[(at - start) * SAMPLE_BYTES :]
            yield content
            at += len(content) // SAMPLE_BYTES


def _resample(container: InputContainer, stretch: Stretch) -> Generator[_Samples]:
    stream = sound_stream(container)
    if stream is None:
        return
    start = stretch.starts_at
    if start is not None and start > SEEK_FROM and stream.time_base:
        container.seek(int((start - Fraction(PREROLL_SECONDS)) / stream.time_base), stream=stream)
    resampler, key, at = av.AudioResampler("flt", "stereo", RATE), None, None
    for frame in _decode(container, stream, stretch.part):
        moment = Fraction(0) if frame.pts is None else frame.pts * (frame.time_base or Fraction(1))
        if start is None:
            start = moment
        place = at if frame.pts is None and at is not None else round((moment - start) * RATE)
        if key not in {None, (frame.format.name, frame.layout.name, frame.sample_rate)}:
            resampler = av.AudioResampler("flt", "stereo", RATE)
        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        if at is None or abs(place - at) > JITTER_SAMPLES:
            at = place
        frame.pts = None
        for made in resampler.resample(frame):
            yield _Samples(content=_content(made), at=at)
            at += made.samples
    for made in resampler.resample(None) if at is not None else []:
        yield _Samples(content=_content(made), at=at or 0)
        at = (at or 0) + made.samples


def _content(frame: av.AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES]


def _decode(
    container: InputContainer, stream: "AudioStream", part: int | None
) -> Generator[av.AudioFrame]:
    """Yield the frames; a damaged packet stops a part, and is left out of a file of sound."""
    failures = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError as exc:
            failures += 1
            if part is not None:
                at = float((packet.pts or 0) * (stream.time_base or 0))
                raise CannotJoin("sound_damaged", part=part, seconds=round(at, 3)) from exc
            if failures > videos.MAX_FAILURES:
                raise
            continue
        yield from frames
