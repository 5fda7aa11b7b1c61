"""The encoded video: its size, rate, duration and order are exact for every plan."""

# PyAV's stubs leave Packet's parameter open, so what decode() gives is half unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from geekai_sandbox.render.encoder import NOTICE
from geekai_sandbox.render.frames import frame_to_image
from geekai_sandbox.render.pipeline import LandscapeScene, render_video
from geekai_sandbox.render.plan import Plan
from geekai_sandbox.render.workspace import Workspace

PLAN = Plan("Waves roll onto a quiet beach", "sandbox", width=192, height=108, fps=12, seconds=1.0)


def render_plan(folder: Path, plan: Plan) -> dict[str, Any]:
    return render_video(plan, Workspace(folder), lambda _share: None)


def boxes(path: Path) -> list[str]:
    """Return the types of the file's top-level boxes."""
    found: list[str] = []
    stream = io.BytesIO(path.read_bytes())
    while head := stream.read(8):
        size, kind = struct.unpack(">I4s", head)
        found.append(kind.decode())
        stream.seek(size - 8, io.SEEK_CUR)
    return found


def decode_frames(path: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in film.decode(video=0)]


@pytest.mark.parametrize(
    ("fps", "seconds", "count"),
    [(12, 1.0, 12), (24, 0.5, 12), (1, 2.0, 2), (1, 0.2, 1), (60, 0.25, 15), (25, 0.3, 8)],
)
def test_rate_count_and_length_are_exact(
    tmp_path: Path, fps: int, seconds: float, count: int
) -> None:
    report = render_plan(tmp_path, replace(PLAN, fps=fps, seconds=seconds))

    with av.open(str(tmp_path / "video.mp4")) as film:
        video = film.streams.video[0]
        assert (video.average_rate, video.frames) == (Fraction(fps), count)
        assert len(list(film.decode(video=0))) == count
        assert video.duration is not None
        assert video.time_base is not None
        assert float(video.duration * video.time_base) == pytest.approx(count / fps)
    assert (report["frames"], report["seconds"]) == (count, count / fps)


def test_it_is_h264_in_yuv420p_and_says_bt709_with_its_index_first(tmp_path: Path) -> None:
    render_plan(tmp_path, PLAN)
    path = tmp_path / "video.mp4"

    order = boxes(path)
    assert order[0] == "ftyp"
    assert order.index("moov") < order.index("mdat")
    with av.open(str(path)) as film:
        context = film.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == (
            "h264",
            "yuv420p",
            192,
            108,
        )
        assert (
            context.colorspace,
            context.color_primaries,
            context.color_trc,
            context.color_range,
        ) == (1, 1, 1, 1)


@pytest.mark.parametrize(("fps", "seconds"), [(12, 1.0), (30, 0.5), (7, 1.3)])
def test_sound_is_stereo_and_lasts_exactly_as_long(
    tmp_path: Path, fps: int, seconds: float
) -> None:
    plan = replace(PLAN, fps=fps, seconds=seconds, audio=True)
    render_plan(tmp_path, plan)

    with av.open(str(tmp_path / "video.mp4")) as film:
        sound = film.streams.audio[0]
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", 48000, 2)
        assert sound.duration is not None
        assert sound.time_base is not None
        # An edit list counts in milliseconds.
        assert float(sound.duration * sound.time_base) == pytest.approx(plan.duration, abs=0.0005)
        heard = np.concatenate([frame.to_ndarray() for frame in film.decode(audio=0)], axis=1)
    rms = 20 * np.log10(np.sqrt(np.square(heard).mean()))
    assert -30 < rms < -18
    assert np.abs(heard).max() < 1


@pytest.mark.skipif(
    shutil.which("ffprobe") is None, reason="ffprobe is a second opinion, not a need"
)
def test_ffprobe_agrees(tmp_path: Path) -> None:
    render_plan(tmp_path, replace(PLAN, audio=True))
    command = [
        "ffprobe",
        "-v",
        "error",
        "-show_streams",
        "-show_format",
        "-of",
        "json",
        str(tmp_path / "video.mp4"),
    ]
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603  a fixed command

    probed = json.loads(done.stdout)
    video, sound = probed["streams"]
    assert (video["codec_name"], video["r_frame_rate"], video["nb_frames"]) == (
        "h264",
        "12/1",
        "12",
    )
    assert video["duration"] == sound["duration"] == probed["format"]["duration"] == "1.000000"
    assert done.stderr == b""


def test_the_same_plan_makes_the_same_frames_and_another_prompt_or_take_does_not(
    tmp_path: Path,
) -> None:
    shown: list[str] = []
    other = replace(PLAN, prompt=PLAN.prompt + ".")
    for name, plan in (("a", PLAN), ("b", PLAN), ("c", other), ("d", replace(PLAN, take=1))):
        (tmp_path / name).mkdir()
        render_plan(tmp_path / name, replace(plan, audio=True))
        pixels = b"".join(frame.tobytes() for frame in decode_frames(tmp_path / name / "video.mp4"))
        shown.append(hashlib.sha256(pixels).hexdigest())
    assert shown[0] == shown[1]
    assert len(set(shown)) == 3


@pytest.mark.parametrize(
    "prompt",
    [
        "一只猫\x00在草地上\x1b[31m",
        "x" * 100_000,
        "",
        " \n\t ",
        "lone \ud800 surrogate",
        "\u202egnp.exe",
        "🦊" * 900,
        "-" * 300,
    ],
)
def test_any_prompt_makes_a_film_and_is_kept_whole_in_it(tmp_path: Path, prompt: str) -> None:
    render_plan(tmp_path, replace(PLAN, prompt=prompt, seconds=0.25))

    with av.open(str(tmp_path / "video.mp4")) as film:
        comment = film.metadata["comment"]
    kept = prompt.encode("utf-8", "replace").decode().replace("\0", " ")
    assert comment == f"{NOTICE} Prompt: {kept}"


@pytest.mark.parametrize(
    "size", [(128, 128), (128, 480), (480, 128), (854, 480), (480, 854), (1680, 720), (2, 2)]
)
def test_any_even_size_comes_out_as_asked(tmp_path: Path, size: tuple[int, int]) -> None:
    render_plan(
        tmp_path, replace(PLAN, width=size[0], height=size[1], fps=4, seconds=0.5, watermark=True)
    )
    with av.open(str(tmp_path / "video.mp4")) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == size


def test_a_4k_frame_is_drawn_and_takes_the_quick_preset(tmp_path: Path) -> None:
    plan = replace(PLAN, width=3840, height=2160, fps=2, seconds=0.5, quality="quality")
    render_plan(tmp_path, plan)
    with Image.open(tmp_path / "cover.jpg") as cover:
        assert cover.size == (3840, 2160)


def test_quality_costs_time_and_saves_bytes(tmp_path: Path) -> None:
    sizes: dict[str, int] = {}
    for quality in ("speed", "quality"):
        (tmp_path / quality).mkdir()
        plan = replace(PLAN, width=640, height=360, quality=quality)
        sizes[quality] = render_plan(tmp_path / quality, plan)["bytes"]
    assert sizes["quality"] < 0.9 * sizes["speed"]


def test_the_last_frame_picture_is_the_last_frame_without_its_grain(tmp_path: Path) -> None:
    plan = replace(PLAN, last_frame=True, quality="quality")
    report = render_plan(tmp_path, plan)
    with Image.open(tmp_path / "last-frame.png") as picture:
        kept = np.asarray(picture, np.int16)

    scene = LandscapeScene(plan, report["mood"])
    clean = frame_to_image(scene.paint_frame(time=(plan.frames - 1) / plan.fps, progress=1.0))
    assert np.array_equal(kept, np.asarray(clean, np.int16))
    assert np.abs(decode_frames(tmp_path / "video.mp4")[-1] - kept).mean() < 3
