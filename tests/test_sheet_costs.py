"""What a contact sheet takes, where it can be counted: decoded frames, loaded codecs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from av.video.frame import VideoFrame

from geekai_video_mcp.media.workers import frames, preview, videos
from support.clips import make_clip
from support.stills import write_file

FRAMES, GROUP = 96, 24
"""Eight seconds, with a key frame every two."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    content = make_clip(
        frames=FRAMES, size=(640, 360), options={"g": str(GROUP), "sc_threshold": "0", "bf": "0"}
    )
    return write_file(tmp_path, "clip.mp4", content)


def test_a_sheet_decodes_each_shown_frame_from_the_key_frame_before_it(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, decode = list[int](), videos.decode

    def count(*streams: Any) -> Any:  # noqa: ANN401 - a generator of frames
        for frame in decode(*streams):
            decoded.append(round(12 * (frame.time or 0.0)))
            yield frame

    monkeypatch.setattr(videos, "decode", count)
    shown = list[int]()

    def choose(scan: videos.Scan) -> list[int]:
        shown.extend(videos.spread_ranks(scan, 6))
        return shown

    _, found = frames.read_frames(clip, choose)

    assert len(found) == 6
    needed = {each for rank in shown for each in range(rank - rank % GROUP, rank + 1)}
    assert sorted(decoded) == sorted(needed)
    assert len(needed) < FRAMES


def test_a_frame_is_scaled_to_its_place_on_the_sheet_when_it_becomes_rgb(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A whole frame in RGB, scaled afterwards, took as long as decoding it."""
    converted, to_image = list[tuple[int, int]](), frames.to_image

    def record(frame: VideoFrame, *options: Any) -> Any:  # noqa: ANN401 - an image
        image = to_image(frame, *options)
        converted.append(image.size)
        return image

    monkeypatch.setattr(frames, "to_image", record)
    preview.main([str(clip), "frames"], b"")

    picture = capfdbinary.readouterr().out.partition(b"\n")[2]
    assert picture.startswith(b"\xff\xd8")
    assert converted == [(297, 167)] * 6


def test_for_a_video_pillow_loads_none_of_its_other_formats(clip: Path) -> None:
    program = (
        "import sys\n"
        "from geekai_video_mcp.media.workers import preview\n"
        "preview.main([sys.argv[1], 'frames'], b'')\n"
        "print(sorted(name for name in sys.modules if name.endswith('ImagePlugin')),"
        " file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, str(clip)]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own

    loaded = done.stderr.decode().splitlines()[-1].count("ImagePlugin")
    assert loaded <= 7, "the five that Pillow always loads, WebP, and what JPEG needs"
