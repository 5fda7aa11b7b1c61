"""The examples run as they stand, and the README shows what they really print."""

import os
import re
import sys
from itertools import pairwise
from pathlib import Path

import anyio
import av
import pytest
from PIL import Image, ImageChops, ImageStat

from support.mp4 import probe
from support.process import environment

ROOT = Path(__file__).parent.parent.parent
SEAM = 3.0
"""In 1/255: what H.264 changes in a frame that is given; measured about 1.3."""


async def example(name: str, folder: Path, *arguments: str, **settings: str) -> str:
    """What an example prints when it is run in *folder*."""
    with anyio.fail_after(50):
        done = await anyio.run_process(
            [sys.executable, str(ROOT / "examples" / name), *arguments],
            cwd=folder,
            env=environment(folder, **settings),
            stderr=None,
        )
    return done.stdout.decode()


def bare(transcript: str, folder: str) -> list[str]:
    """A transcript without what differs from run to run: ids, seconds, sizes, signs of life."""
    text = transcript.replace(folder, "")
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    text = re.sub(r"-[0-9a-f]{8}\.mp4", "-ID.mp4", text)
    text = re.sub(r"\b[0-9a-f]{8}\b", "ID", text)
    text = re.sub(r"\d+ s so far", "N s so far", text)
    text = re.sub(r"[\d.]+ MB", "N MB", text)
    text = re.sub(r"is (pending|running)", "is STATUS", text)
    return [row for row in text.splitlines() if not row.startswith("  ...")]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
async def test_the_readme_shows_what_the_demo_prints(readme: str, tmp_path: Path) -> None:
    shown = (ROOT / readme).read_text("utf-8")
    (conversation,) = re.findall(r"```text\n(generate_video .*?)```", shown, re.DOTALL)
    (prompt,) = re.findall(r'^generate_video {"prompt": "(.+?)"', conversation, re.MULTILINE)
    printed = await example("quickstart.py", tmp_path, prompt)
    _, _, calls = printed.partition("\n\n")

    *whole, _, path = bare(calls, f"{tmp_path}{os.sep}")
    assert whole == bare(conversation, "")
    assert path.startswith(f"demo{os.sep}videos{os.sep}")
    assert "  ... " in printed


async def test_the_demo_makes_the_conversation_of_the_readme(tmp_path: Path) -> None:
    """`make demo` gives no prompt."""
    shown = (ROOT / "README.md").read_text("utf-8")
    (prompt,) = re.findall(r'^generate_video {"prompt": "(.+?)"', shown, re.MULTILINE)

    assert f'"prompt": "{prompt}"' in (await example("quickstart.py", tmp_path))


async def test_the_demo_ends_with_the_path_of_a_video_as_asked(tmp_path: Path) -> None:
    printed = await example("quickstart.py", tmp_path)
    film = probe(Path(printed.splitlines()[-1]))

    assert (film.codec, film.width, film.height, film.fps) == ("h264", 1280, 720, 30)
    assert round(film.seconds, 2) == 5
    assert film.audio == "aac"
    assert film.boxes.index("moov") < film.boxes.index("mdat")


async def test_a_demo_never_uses_a_key(tmp_path: Path) -> None:
    """Even where one is set: a demo that costs money is no demo."""
    settings = {"GEEKAI_API_KEY": "sk-real", "GEEKAI_BASE_URL": "https://geekai.invalid/api/v1"}

    assert "sandbox preview" in (await example("quickstart.py", tmp_path, **settings))


async def test_a_story_is_a_film_of_shots_that_join_in_at_most_six_calls(tmp_path: Path) -> None:
    printed = await example("story.py", tmp_path)
    calls = re.findall(r"^(\w+_\w+)", printed, re.MULTILINE)
    *shots, film = [Path(path) for path in re.findall(r"^  (/.*)$", printed, re.MULTILINE)]
    ends = [first_and_last(shot) for shot in shots]

    assert calls[:4] == ["generate_video"] * 3 + ["get_video_task"]
    assert calls[-1] == "join_videos"
    assert len(calls) <= 6
    assert len(shots) == 3
    for (_, before), (after, _) in pairwise(ends):
        assert apart(before, after) < SEAM
    for first, last in ends:
        assert apart(first, last) > 2 * SEAM, "a shot that stands still joins with anything"
    whole = first_and_last(film)
    assert apart(whole[0], ends[0][0]) < SEAM
    assert apart(whole[1], ends[-1][1]) < SEAM
    # The first frame of a shot is the last of the one before it, and is shown once.
    frames = sum(round(probe(shot).seconds * 30) for shot in shots)
    assert round(probe(film).seconds * 30) == frames - 2


def first_and_last(video: Path) -> tuple[Image.Image, Image.Image]:
    """The two frames by which a shot joins others."""
    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
        first, last = (frame.to_ndarray(format="rgb24") for frame in (frames[0], frames[-1]))
    return Image.fromarray(first), Image.fromarray(last)


def apart(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, in 1/255 of a channel."""
    same = one.convert("RGB").resize(other.size, Image.Resampling.LANCZOS)
    return sum(ImageStat.Stat(ImageChops.difference(same, other)).mean) / 3
