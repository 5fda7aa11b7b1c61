"""What packets say of themselves, without being decoded: whether a film may be cut there."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

import av
from av.container import InputContainer

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

_H264_SLICES: Final = range(1, 6)
_H264_IDR: Final = 5
_HEVC_IDR: Final = frozenset({19, 20})
_HEVC_SLICES: Final = range(32)
_CONFIGURED: Final = 1
"""The first byte of extradata in an MP4: its packets have lengths in place of start codes."""
_LENGTH_AT: Final = {"h264": 4, "hevc": 21}
"""The byte of the extradata whose low two bits are one less than the bytes of such a length."""

MediaPacket: TypeAlias = "av.Packet[Any]"
"""A packet of any stream; PyAV's type is generic."""


class Packet(NamedTuple):
    """One frame of a file as it is stored, in the order of decoding."""

    pts: int
    can_start: bool
    """Whether it and what follows can be decoded without anything before it."""
    is_reference: bool
    """Whether another frame may need it."""


@dataclass(kw_only=True)
class Sound:
    """The first sound track of a file."""

    tick: Fraction
    times: list[int] = field(default_factory=list[int])
    """When each packet begins, in ticks of the track."""
    step: int = 0
    """Ticks of each packet; 0 if they differ."""
    parameters: tuple[object, ...] = ()
    """What has to agree for packets to follow each other in one track."""


def sound_stream(container: InputContainer) -> "AudioStream | None":
    """The first sound track that can be decoded; None if there is none."""
    for stream in container.streams.audio:
        if cast("object", stream.codec_context) is not None:
            return stream
    return None


def start_sound(audio: "AudioStream") -> Sound:
    codec = audio.codec_context
    rate = codec.sample_rate
    return Sound(
        tick=audio.time_base or Fraction(1, rate or 1),
        parameters=(
            *(codec.name, bytes(codec.extradata or b""), rate, codec.layout.name),
            *(codec.profile, audio.time_base),
        ),
    )


def end_sound(sound: Sound, steps: set[int]) -> None:
    """Find out whether the packets follow each other without a gap, the last one aside."""
    step = max(steps, default=0)
    first = sound.times[0] if sound.times else 0
    even = all(at == first + number * step for number, at in enumerate(sound.times))
    copyable = even and sound.parameters[0] == "aac" and sound.parameters[1] != b""
    sound.step = (
        step if copyable and sound.tick == Fraction(1, int(str(sound.parameters[2]))) else 0
    )


class PacketReader:
    """Reads what a packet says of itself, for the codecs whose packets can be cut apart."""

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._codec = codec
        at = _LENGTH_AT.get(codec)
        configured = (
            at is not None and extradata[:1] == bytes([_CONFIGURED]) and len(extradata) > at
        )
        self._length_bytes = (extradata[at] & 3) + 1 if at is not None and configured else 0
        self.is_readable = configured or codec == "vp9"

    def read_packet(self, packet: MediaPacket) -> Packet:
        pts = 0 if packet.pts is None else packet.pts
        if not self._length_bytes or not self.is_readable:
            return Packet(pts, packet.is_keyframe, is_reference=True)
        return self._read_units(pts, bytes(packet))

    def _read_units(self, pts: int, content: bytes) -> Packet:
        at, size = 0, self._length_bytes
        while at + size < len(content):
            head = content[at + size]
            if self._codec == "h264" and head & 31 in _H264_SLICES:
                return Packet(pts, head & 31 == _H264_IDR, is_reference=head >> 5 & 3 != 0)
            if self._codec == "hevc" and head >> 1 & 63 in _HEVC_SLICES:
                return Packet(pts, head >> 1 & 63 in _HEVC_IDR, is_reference=True)
            at += size + int.from_bytes(content[at : at + size], "big")
        return Packet(pts, can_start=False, is_reference=True)
