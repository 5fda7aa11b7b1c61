"""Reads a written film once more: nothing is published that is not what it should be."""

from bisect import bisect_right
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

from av.error import FFmpegError, InvalidDataError
from av.video.frame import VideoFrame

from geekai_video_mcp.media.workers import videos
from geekai_video_mcp.media.workers.film_copy import Digest
from geekai_video_mcp.media.workers.film_packets import MediaPacket
from geekai_video_mcp.media.workers.film_parts import CannotJoin, decode_in_one_thread
from geekai_video_mcp.media.workers.film_write import Kind, Report, Written

SLACK_SECONDS: Final = Fraction(1, 1000)


def check_film(path: Path, film: Written, report: Report) -> None:
    """Decode all of the film, and compare it with what was written.

    Raises:
        CannotJoin: a frame cannot be decoded, or a number differs; says which.
    """
    try:
        _Check(film, report).read(path)
    except FFmpegError as exc:
        raise CannotJoin("not_equal", what="index") from exc


class _Check:
    def __init__(self, film: Written, report: Report) -> None:
        self._film = film
        self._report = report
        self._digests: dict[Kind, Digest] = {"video": Digest(), "audio": Digest()}
        self._shown = list[int]()
        self._decoded = 0
        self._ends: dict[Kind, int] = {"video": 0, "audio": 0}
        """In ticks of the track, like all times here: fractions would take longer than reading."""
        self._ticks: dict[Kind, Fraction] = {}
        self._last_dts: dict[Kind, int] = {}

    def read(self, path: Path) -> None:
        with videos.open_container(path, probe=False) as container:
            stream = videos.video_stream(container)
            if "video" in self._film.digests:  # what was just encoded has no damage to be found
                decode_in_one_thread(stream)
            for packet in container.demux():
                kind: Kind = "video" if packet.stream_index == stream.index else "audio"
                if packet.size:
                    self._count(kind, packet.pts, packet.dts, packet.duration, packet.time_base)
                    self._digests[kind].add(cast("MediaPacket", packet))
                try:
                    frames = cast("list[VideoFrame]", packet.decode())
                except InvalidDataError as exc:
                    raise self._damage(kind, packet.pts, packet.time_base) from exc
                if kind == "video":
                    for frame in frames:
                        if frame.is_corrupt:
                            raise self._damage(kind, frame.pts, packet.time_base)
                        self._decoded += 1
                    self._report(self._decoded / self._film.frames)
        self._compare()

    def _count(
        self,
        kind: Kind,
        pts: int | None,
        dts: int | None,
        duration: int | None,
        tick: Fraction | None,
    ) -> None:
        if pts is None or dts is None or dts <= self._last_dts.get(kind, dts - 1):
            raise CannotJoin("not_equal", what="timestamps")
        self._last_dts[kind] = dts
        if kind == "video":
            self._shown.append(pts)
        self._ends[kind] = max(self._ends[kind], pts + (duration or 0))
        self._ticks.setdefault(kind, tick or Fraction(1))

    def _compare(self) -> None:
        film = self._film
        frame = 1 / film.rate
        checks = {
            "frames": len(self._shown) == film.frames == self._decoded,
            "timestamps": len(set(self._shown)) == len(self._shown),
            "packets": all(self._digests[kind] == it for kind, it in film.digests.items()),
            "length": abs(self._end("video") - film.seconds) < frame + SLACK_SECONDS,
            "sound": not film.has_sound
            or abs(self._end("audio") - film.seconds) < frame + SLACK_SECONDS,
        }
        for what, right in checks.items():
            if not right:
                raise CannotJoin("not_equal", what=what)

    def _end(self, kind: Kind) -> Fraction:
        return self._ends[kind] * self._ticks.get(kind, Fraction(0))

    def _damage(self, kind: Kind, pts: int | None, tick: Fraction | None) -> CannotJoin:
        """The damage of a part, of which a packet was copied as it is."""
        if kind not in self._film.digests:
            return CannotJoin("not_equal", what="frames")
        at = (pts or 0) * (tick or Fraction(1))
        starts = self._film.starts[:-1]
        index = max(0, bisect_right(starts, at) - 1)
        reason = "damaged" if kind == "video" else "sound_damaged"
        within = float(max(Fraction(0), at - starts[index]))
        return CannotJoin(reason, index=index, seconds=round(within, 3))
