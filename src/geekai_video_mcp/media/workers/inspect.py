"""A child program that says what a file is: its facts, and whether it can be decoded.

Its argument is the path. It writes one JSON object to stdout, always: whatever is wrong with the
file is the answer, and not an error. A frame near the end is decoded as well as the first one,
as far as that takes a moment.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from av.container import InputContainer
from av.error import FFmpegError

from geekai_video_mcp.media.workers import videos
from geekai_video_mcp.media.workers.limits import is_memory_short, run_program

if TYPE_CHECKING:
    from av.video.stream import VideoStream

END_SECONDS: Final = 0.2
"""Seconds to decode from the last key frame to the end; the rest of a long way is only read."""
END_SHARE: Final = 0.9
END_SLACK: Final = 1.0
"""Seconds. The last frame may begin so long before the declared end, plus a tenth of the duration:
sound may be longer, and a slide show's last frame stands long."""
START_BYTES: Final = 64

DECODABLE: Final = "decodable"
UNDECODABLE: Final = "undecodable"
UNKNOWN: Final = "unknown"

Facts = Mapping[str, Any]

_REFUSALS: Final[Mapping[type[BaseException], Facts]] = {
    videos.NoVideo: {"verdict": UNDECODABLE, "reason": "no_video"},
    videos.UnknownCodec: {"verdict": UNKNOWN, "reason": "codec"},
    videos.TooLarge: {"verdict": UNKNOWN, "reason": "too_large"},
    MemoryError: {"verdict": UNKNOWN, "reason": "memory"},
}


def main(arguments: Sequence[str], _: bytes) -> int:
    """Write the facts of the file."""
    path = Path(arguments[0])
    try:
        with path.open("rb") as file:
            start = file.read(START_BYTES)
        facts = _inspect(path, start)
    except OSError:
        facts = {"verdict": UNKNOWN, "reason": "unreadable"}
    sys.stdout.write(json.dumps(facts))
    return 0


def _inspect(path: Path, start: bytes) -> Facts:
    if not start:
        return {"verdict": UNDECODABLE, "reason": "empty"}
    if videos.is_picture(start):
        return _inspect_picture(path)
    container = _container_name(start)
    try:
        with videos.open_container(path) as opened:
            return _inspect_video(opened, container or opened.format.name.partition(",")[0])
    except MemoryError:
        return {**_REFUSALS[MemoryError], "container": container}
    except FFmpegError:
        if container is None:
            return {"verdict": UNKNOWN, "reason": "format"}
        return {**_failure("index"), "container": container}


def _container_name(start: bytes) -> str | None:
    """The format that the first bytes promise, whether or not the rest keeps it."""
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm" if b"webm" in start else "mkv"
    if start[4:8] == b"ftyp":
        return "mov" if start[8:12] == b"qt  " else "mp4"
    return None


def _failure(reason: str) -> Facts:
    """What an error of a decoder means, which may also come from the memory limit."""
    if is_memory_short():
        return {"verdict": UNKNOWN, "reason": "memory"}
    return {"verdict": UNDECODABLE, "reason": reason}


def _inspect_picture(path: Path) -> Facts:
    # Pillow is imported for pictures alone: it would take a fifth of a video's time.
    from geekai_video_mcp.media.workers import pictures  # noqa: PLC0415

    try:
        # All of a JPEG is read, and an eighth of its size is enough to find damage.
        with path.open("rb") as file, pictures.open_picture(file, longest=1) as image:
            width, height = pictures.source_size(image)
            name = (image.format or "").lower()
            facts = {"container": name, "width": width, "height": height}
            try:
                image.load()
            except MemoryError:
                return {**_REFUSALS[MemoryError], **facts}
            except pictures.DAMAGED:
                return {**_failure("damaged"), **facts}
    except pictures.TooLarge:
        return {"verdict": UNKNOWN, "reason": "too_large"}
    except pictures.DAMAGED:
        return _failure("damaged")
    return {"verdict": DECODABLE, **facts, "frame_decoded": True, "end_decoded": True}


def _inspect_video(container: InputContainer, name: str) -> Facts:
    if not list(container.streams):
        return {"verdict": UNDECODABLE, "reason": "index", "container": name}
    facts: dict[str, Any] = {"container": name, "has_sound": bool(container.streams.audio)}
    try:
        stream = videos.video_stream(container)
    except videos.Refused as exc:
        return {**_REFUSALS[type(exc)], **facts}
    facts["codec"] = stream.codec_context.name
    try:
        first = next(videos.decode(container, stream), None)
    except (videos.TooLarge, MemoryError) as exc:
        # PyAV's MemoryError is a subclass of Python's.
        too_large = isinstance(exc, videos.TooLarge)
        return {**_REFUSALS[videos.TooLarge if too_large else MemoryError], **facts}
    except FFmpegError:
        first = None
    if first is None:
        return {**_failure("frame"), **facts}
    turned = first.rotation % 180 != 0
    width, height = (first.height, first.width) if turned else (first.width, first.height)
    rate = stream.average_rate or stream.guessed_rate
    facts |= {"width": width, "height": height, "fps": round(float(rate), 3) if rate else None}
    return {"verdict": DECODABLE, **facts, "frame_decoded": True, **_inspect_end(container, stream)}


def _inspect_end(container: InputContainer, stream: "VideoStream") -> Facts:
    """The duration, and whether the end can be decoded."""
    seconds, end_decoded = videos.stream_seconds(container, stream), None
    try:
        if seconds is None:
            container.seek(stream.start_time or 0, stream=stream)
            seconds = videos.scan_packets(container, stream).seconds
        end_decoded = _decode_end(container, stream, seconds)
    except (FFmpegError, MemoryError) as exc:
        short = isinstance(exc, MemoryError) or is_memory_short()
        end_decoded = None if short else False
    return {"seconds": round(seconds, 3) if seconds else None, "end_decoded": end_decoded}


def _decode_end(container: InputContainer, stream: "VideoStream", seconds: float) -> bool | None:
    """Whether the end can be decoded; None if that is too long a way from the last key frame.

    The packets are read to the end in any case, so a file that breaks off is noticed.
    """
    gives_up, decoded, end = time.monotonic() + END_SECONDS, False, 0.0
    videos.seek_end(container, stream, seconds)
    for packet in container.demux(stream):
        if packet.is_corrupt:
            return False
        if packet.pts is not None and packet.time_base:
            end = max(end, float((packet.pts - (stream.start_time or 0)) * packet.time_base))
        if time.monotonic() < gives_up:
            decoded = bool(packet.decode()) or decoded
    late = time.monotonic() >= gives_up
    if end >= seconds * END_SHARE - END_SLACK and (decoded or late):
        return None if late else True
    # Without an index, nothing behind a position may only mean that it was not found.
    return False if "mp4" in container.format.name or decoded else None


if __name__ == "__main__":
    run_program(main)
