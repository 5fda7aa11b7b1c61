"""Inspects an MP4 independently: its boxes here, its streams with ffprobe or PyAV."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class Probe:
    """The properties of a video file."""

    codec: str
    width: int
    height: int
    fps: Fraction
    seconds: float
    audio: str | None
    boxes: list[str]


def probe(path: Path) -> Probe:
    """Inspect *path* with ffprobe if it is installed, otherwise with PyAV."""
    return (_ffprobe if shutil.which("ffprobe") else _pyav)(path)


def _ffprobe(path: Path) -> Probe:
    output = subprocess.run(  # noqa: S603 - a file of our own making
        ["ffprobe", "-v", "error", "-of", "json", "-show_streams", str(path)],  # noqa: S607
        check=True,
        capture_output=True,
        timeout=30,
    )
    streams = {stream["codec_type"]: stream for stream in json.loads(output.stdout)["streams"]}
    video = streams["video"]
    return Probe(
        codec=video["codec_name"],
        width=video["width"],
        height=video["height"],
        fps=Fraction(video["r_frame_rate"]),
        seconds=float(video["duration"]),
        audio=streams["audio"]["codec_name"] if "audio" in streams else None,
        boxes=boxes(path),
    )


def _pyav(path: Path) -> Probe:
    import av  # noqa: PLC0415 - only where there is no ffprobe

    with av.open(str(path)) as container:
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        rate = video.average_rate or Fraction(0)
        return Probe(
            codec=video.codec_context.name,
            width=video.codec_context.width,
            height=video.codec_context.height,
            fps=Fraction(rate.numerator, rate.denominator),  # PyAV 19 has a class of its own
            seconds=float((video.duration or 0) * (video.time_base or 0)),
            audio=audio.codec_context.name if audio else None,
            boxes=boxes(path),
        )


def boxes(path: Path) -> list[str]:
    """The names of the top-level boxes, in order."""
    data, at, found = path.read_bytes(), 0, list[str]()
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 8].decode("latin-1"))
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        at += size or len(data)
    return found
