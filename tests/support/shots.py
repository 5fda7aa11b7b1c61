"""Videos for films, whose every frame says which one it is, and what a film of them holds."""

import hashlib
import json
import math
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest

from support.missing import skip_test

SAMPLE_RATE = 48_000


def make_shot(
    path: Path,
    *,
    frames: int = 24,
    fps: int | Fraction = 24,
    size: tuple[int, int] = (160, 96),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    sound: bool = False,
    tone: int = 440,
    beep_at: float | None = None,
    sound_seconds: float | None = None,
    rotation: int = 0,
    form: str = "mp4",
    first_shade: int = 40,
    tags: tuple[int, int, int] | None = None,
    times: list[int] | None = None,
) -> Path:
    """A video whose frame number n has the shade `first_shade` + 5 n, within 40 to 215.

    With *sound*, a tone from beginning to end, or with *beep_at* 0.1 s of it and else silence.
    """
    with av.open(str(path), "w", format=form) as opened:
        container = cast("Any", opened)  # untyped in PyAV
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        if rotation:
            stream.set_display_rotation(rotation)
        if tags is not None:
            context = stream.codec_context
            context.colorspace, context.color_trc, context.color_primaries = tags
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if sound else None
        for number in range(frames):
            pixels = np.full((size[1], size[0], 3), shade(number, first_shade), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = (times[number] if times else number), 1 / Fraction(fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            seconds = frames / fps if sound_seconds is None else sound_seconds
            _add_tone(container, audio, round(seconds * SAMPLE_RATE), tone, beep_at)
    return path


def shade(number: int, first: int = 40) -> int:
    """The shade of a frame."""
    return 40 + (first - 40 + 5 * number) % 180


def make_sound(path: Path, *, seconds: float, codec: str, form: str) -> Path:
    """A file of sound alone."""
    with av.open(str(path), "w", format=form) as opened:
        container = cast("Any", opened)  # untyped in PyAV
        audio = container.add_stream(codec, rate=SAMPLE_RATE, layout="mono")
        _add_tone(container, audio, round(seconds * SAMPLE_RATE), 440, None)
    return path


def _add_tone(container: Any, stream: Any, samples: int, tone: int, beep: float | None) -> None:  # noqa: ANN401
    at = np.arange(samples) / SAMPLE_RATE
    wave = 0.5 * np.sin(2 * np.pi * tone * at).astype(np.float32)
    if beep is not None:
        wave[(at < beep) | (at >= beep + 0.1)] = 0
    for begin in range(0, samples, 1024):
        chunk = np.ascontiguousarray(wave[None, begin : begin + 1024])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, begin
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a film holds, as an independent reader sees it."""

    frames: int
    shades: list[int]
    """Of the middle of each frame."""
    corner_shades: list[int]
    seconds: float
    sound_seconds: float | None
    loudness: list[float]
    """Of each hundredth of a second."""
    size: tuple[int, int]
    video_hashes: list[str]
    audio_hashes: list[str]


def read_film(path: Path) -> Contents:
    """Decode everything; asserts that timestamps grow, and that the index comes first."""
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    video, audio = packet_hashes(path)
    _assert_times_grow(path)
    shades, corners, size = list[int](), list[int](), (0, 0)
    sound = list[Any]()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        seconds = float((stream.duration or 0) * (stream.time_base or 0))
        times = list[float]()
        for frame in container.decode(stream):
            assert not frame.is_corrupt
            times.append(frame.time or 0.0)
            image = cast("Any", frame).to_ndarray(format="gray8")
            size = (frame.width, frame.height)
            shades.append(int(image[image.shape[0] // 2, image.shape[1] // 2]))
            corners.append(int(image[0, 0]))
        assert times == sorted(set(times))
        rate = stream.average_rate
        assert rate is not None
        assert times[-1] == pytest.approx((len(times) - 1) / rate, abs=0.002)
    sound_seconds = None
    with av.open(str(path)) as container:
        if container.streams.audio:
            track = container.streams.audio[0]
            sound_seconds = float((track.duration or 0) * (track.time_base or 0))
            for each in container.decode(track):
                sound.append(cast("Any", each).to_ndarray().mean(axis=0))
    wave = np.concatenate(sound) if sound else np.zeros(0)
    step = SAMPLE_RATE // 100
    loudness = [
        float(np.abs(wave[at : at + step]).max()) for at in range(0, len(wave) - step + 1, step)
    ]
    return Contents(
        frames=len(shades),
        shades=shades,
        corner_shades=corners,
        seconds=seconds,
        sound_seconds=sound_seconds,
        loudness=loudness,
        size=size,
        video_hashes=video,
        audio_hashes=audio,
    )


def packet_hashes(path: Path) -> tuple[list[str], list[str]]:
    """The hashes of the packets of pictures and of sound, in the order of the file."""
    hashes: tuple[list[str], list[str]] = ([], [])
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                kind = 0 if packet.stream.type == "video" else 1
                hashes[kind].append(hashlib.sha256(bytes(cast("Any", packet))).hexdigest())
    return hashes


def _assert_times_grow(path: Path) -> None:
    last: dict[int, int] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                assert packet.dts is not None
                assert packet.dts > last.get(packet.stream_index, packet.dts - 1)
                last[packet.stream_index] = packet.dts


def probe(path: Path) -> dict[str, dict[str, Any]]:
    """What ffprobe, another program, says of the film's tracks; skips where there is none."""
    program = shutil.which("ffprobe")
    if program is None:
        skip_test("ffprobe is not installed")
    command = [program, "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)  # noqa: S603 - our own words
    assert done.stderr == b""
    return {each["codec_type"]: each for each in json.loads(done.stdout)["streams"]}


def beeps(loudness: list[float]) -> list[float]:
    """The seconds at which silence ends."""
    loud = [value > 0.1 for value in loudness]
    return [
        at / 100 for at, value in enumerate(loud) if value and not any(loud[max(0, at - 3) : at])
    ]


def is_near(shade_seen: int, expected: int) -> bool:
    """Whether an encoded shade is the one that it was made from."""
    return math.isclose(shade_seen, expected, abs_tol=2.6)
