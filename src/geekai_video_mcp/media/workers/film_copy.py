"""The packets of a film that is joined without encoding anything again.

The pictures are copied if the parts have the same codec parameters, which a decoder gets once for
the whole film, and each part is cut where nothing that is kept needs what is left out. The sound is
copied too if its packets fill the film: AAC has packets of one length, which are laid on one grid
from the first to the last, so that no seam moves the sound by more than half a packet.
"""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, lcm
from typing import Final, Literal

from geekai_video_mcp.media.workers import videos
from geekai_video_mcp.media.workers.film_packets import MediaPacket, Packet, sound_stream
from geekai_video_mcp.media.workers.film_parts import Part, explain_failures

MAX_CLOCK: Final = 10**6
"""Ticks a second of a film's clock."""
Obstacle = Literal["codec", "size", "rate", "cut", "settings"]


def obstacle_to_copying(parts: Sequence[Part]) -> Obstacle | None:
    """Why the pictures have to be encoded again; None if their packets can be copied."""
    first = parts[0]
    if not all(part.parameters for part in parts):
        return "codec"
    agreement: dict[Obstacle, bool] = {
        "size": all((each.width, each.height) == (first.width, first.height) for each in parts),
        "codec": all(each.parameters[0] == first.parameters[0] for each in parts),
        "rate": len(parts) == 1
        or all(each.is_regular and each.rate == first.rate for each in parts),
        "settings": all(each.parameters == first.parameters for each in parts)
        and film_clock(parts) is not None,
        "cut": all(can_cut(each) for each in parts),
    }
    return next((obstacle for obstacle, agrees in agreement.items() if not agrees), None)


def film_clock(parts: Sequence[Part]) -> int | None:
    """Ticks a second in which every frame of every part has a whole number."""
    ticks = lcm(*(part.tick.denominator for part in parts))
    return ticks if ticks <= MAX_CLOCK else None


def can_cut(part: Part) -> bool:
    """Whether the kept frames can be decoded without those that are left out."""
    begin, end = part.times[part.first], part.times[part.last]
    packets = part.packets
    start = next(index for index, packet in enumerate(packets) if packet.pts == begin)
    stop = max(index for index, packet in enumerate(packets) if begin <= packet.pts <= end)
    if not packets[start].can_start and part.first > 0:
        return False
    if any(begin <= packet.pts <= end for packet in packets[:start]):
        return False
    return not any(packet.is_reference and packet.pts > end for packet in packets[start : stop + 1])


def kept_packets(part: Part) -> list[Packet]:
    """The packets of the kept frames, in the order of decoding."""
    begin, end = part.times[part.first], part.times[part.last]
    return [packet for packet in part.packets if begin <= packet.pts <= end]


@dataclass(kw_only=True)
class PacketTimes:
    """When each copied packet is shown and decoded, in ticks of the film's clock."""

    clock: int
    starts: list[int] = field(default_factory=list[int])
    """When each part begins; at the end, when the film ends."""
    shown: list[int] = field(default_factory=list[int])
    decoded: list[int] = field(default_factory=list[int])
    last_ticks: int = 1


def lay_out_packets(parts: Sequence[Part], clock: int) -> PacketTimes:
    """Let each part begin where the one before it ends."""
    made, begin, delay = PacketTimes(clock=clock), 0, 0
    for part in parts:
        made.starts.append(begin)
        scale = int(part.tick * clock)
        first, base = part.times[part.first], len(made.shown)
        moments = [begin + (packet.pts - first) * scale for packet in kept_packets(part)]
        rank = {moment: base + number for number, moment in enumerate(sorted(moments))}
        delay = max(delay, *(base + at - rank[moment] for at, moment in enumerate(moments)))
        made.shown += moments
        begin += (part.ticks_at(part.last + 1) - first) * scale
    made.starts.append(begin)
    ordered = sorted(made.shown)
    step = ordered[1] - ordered[0] if len(ordered) > 1 else begin
    before = [ordered[0] - (delay - number) * step for number in range(delay)]
    made.decoded = (before + ordered)[: len(ordered)]
    made.last_ticks = max(1, begin - (made.decoded[-1] - made.decoded[0]))
    return made


@dataclass(frozen=True, kw_only=True)
class SoundCut:
    """The packets of a part's sound that are copied, and when the first one begins."""

    first: int
    count: int
    at: int
    """In ticks of the sound's clock; each begins where the one before it ends."""


def cut_sound(parts: Sequence[Part]) -> list[SoundCut] | None:
    """Which packets of sound fill the film; None if it has to be encoded again."""
    like = parts[0].sound
    if like is None or not like.step:
        return None
    step, cuts, slot, origin, elapsed = like.step, list[SoundCut](), 0, 0, Fraction(0)
    for number, part in enumerate(parts):
        sound = part.sound
        if sound is None or sound.step != step or sound.parameters != like.parameters:
            return None
        begin, end = elapsed / like.tick, (elapsed + part.seconds) / like.tick
        place = begin - part.starts_at / sound.tick  # where the time zero of the file would be
        if number == 0:
            # The packet before the first sound is decoded and not heard, like an encoder's own.
            ahead = [at for at in sound.times if at + place <= -step]
            origin = round((ahead[-1] if ahead else sound.times[0]) + place)
        first = round((origin + slot * step - place - sound.times[0]) / step)
        boundary = (
            ceil((end - origin) / step)
            if number == len(parts) - 1
            else max(slot + 1, round((end - origin) / step))
        )
        count = min(boundary - slot, len(sound.times) - first)
        short = boundary - slot - count
        if first < 0 or count < 1 or short > 1:
            return None
        cuts.append(SoundCut(first=first, count=count, at=origin + slot * step))
        # One packet short: the next part's begins one earlier, with what is heard before it.
        slot += count
        elapsed += part.seconds
    start, film_end = cuts[0].at, elapsed / like.tick
    reached = cuts[-1].at + cuts[-1].count * step
    if start > step or reached < film_end - step:
        return None
    return cuts


class Digest:
    """The hash of packets in their order, for a comparison with those of the film."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, packet: MediaPacket) -> None:
        content = bytes(packet)
        self._hash.update(len(content).to_bytes(8, "big"))
        self._hash.update(content)
        self.count += 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and self._hash.digest() == other._hash.digest()

    __hash__ = None  # pyright: ignore[reportAssignmentType] - it changes


def read_packets(
    part: Part, cut: SoundCut | None
) -> Generator[tuple[Literal["video", "audio"], MediaPacket]]:
    """The kept packets of the part's file, as they are stored."""
    begin, end = part.times[part.first], part.times[part.last]
    opened = videos.open_container(part.path, probe=not part.is_mp4)
    with explain_failures(part.number), opened as container:
        stream = container.streams.video[0]
        audio = sound_stream(container) if cut is not None else None
        number = 0
        for packet in container.demux([stream] if audio is None else [stream, audio]):
            if packet.size == 0:
                continue
            if packet.stream_index == stream.index:
                if packet.pts is not None and begin <= packet.pts <= end:
                    yield "video", packet
            elif packet.pts is not None and cut is not None:
                if cut.first <= number < cut.first + cut.count:
                    yield "audio", packet
                number += 1
