"""Videos of every kind that a decoder has to cope with, good and hostile."""

import io
import shutil
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np

RED, BLUE = (200, 30, 40), (30, 40, 200)


def make_clip(
    *,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    form: str = "mp4",
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int = 0,
    sound: bool = False,
    noisy: bool = False,
    colours: Sequence[tuple[int, int, int]] = (),
) -> bytes:
    """A red video whose last frame is blue; *times* are those of its frames, in twelfths.

    With *colours*, a video whose frames have these.
    """
    frames = len(colours) or frames
    (width, height), output = size, Path(tempfile.mkdtemp()) / "clip"  # faststart reopens the file
    with av.open(str(output), "w", format=form, options=container_options or {}) as opened:
        container = cast("Any", opened)  # untyped in PyAV
        stream = container.add_stream(codec, rate=12, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if rotation:
            stream.set_display_rotation(rotation)
        tone = container.add_stream("aac", rate=48_000) if sound else None
        for number in range(frames):
            last = number == frames - 1
            pixels = _pixels(width, height, last, noisy)
            if colours:
                pixels = np.full((height, width, 3), colours[number], np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.time_base = Fraction(1, 12)
            frame.pts = times[number] if times else number
            container.mux(stream.encode(frame.reformat(format=pix_fmt)))
        container.mux(stream.encode(None))
        if tone is not None:
            _add_silence(container, tone)
    content = output.read_bytes()
    shutil.rmtree(output.parent)
    return content


def _pixels(width: int, height: int, last: bool, noisy: bool) -> Any:  # noqa: FBT001, ANN401 - NumPy's own
    if noisy:
        return np.random.default_rng(last).integers(0, 256, (height, width, 3), np.uint8)
    return np.full((height, width, 3), BLUE if last else RED, np.uint8)


def make_sound() -> bytes:
    """An MP4 with sound alone."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as opened:
        container = cast("Any", opened)  # untyped in PyAV
        _add_silence(container, container.add_stream("aac", rate=48_000))
    return out.getvalue()


def _add_silence(container: Any, tone: Any) -> None:  # noqa: ANN401 - untyped in PyAV
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
    silence.sample_rate, silence.pts = 48_000, 0
    container.mux(tone.encode(silence))
    container.mux(tone.encode(None))


def overwritten(content: bytes, box: bytes) -> bytes:
    """The MP4 with noise in place of what is in *box*."""
    at = content.index(box) + 4
    size = int.from_bytes(content[at - 8 : at - 4], "big") - 8
    noise = np.random.default_rng(5).bytes(size)
    return content[:at] + noise + content[at + size :]
