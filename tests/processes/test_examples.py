"""The examples run as they stand, and the README shows what they really print."""

import os
import re
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import anyio
import av
import pytest
from PIL import Image, ImageChops, ImageStat

from support import ROOT
from support.missing import skip_test
from support.mp4 import probe
from support.process import environment, http_server

EXAMPLES = ROOT / "examples"
AGENT_PYTHON = ROOT / ".venv-agent" / "bin" / "python"
"""Pydantic AI's own environment, as a user of it has one."""
SEAM = 3.0
"""In 1/255: what H.264 changes in a frame that is given; measured about 1.3."""


async def example(
    name: str,
    folder: Path,
    *arguments: str,
    python: Path | str = sys.executable,
    **settings: str,
) -> str:
    """What an example prints when it is run in *folder*."""
    with anyio.fail_after(50):
        done = await anyio.run_process(
            [str(python), str(EXAMPLES / name), *arguments],
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


@pytest.mark.parametrize(
    "readme", ["README.md", pytest.param("README.zh-CN.md", marks=pytest.mark.exhaustive)]
)
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


@pytest.mark.exhaustive
async def test_the_demo_ends_with_the_path_of_a_video_as_asked(tmp_path: Path) -> None:
    printed = await example("quickstart.py", tmp_path)
    film = probe(Path(printed.splitlines()[-1]))

    # `make demo` gives no prompt, and is the conversation of the README.
    asked = re.findall(r"^generate_video .+$", printed, re.MULTILINE)
    assert f"\n{asked[0]}\n" in (ROOT / "README.md").read_text("utf-8")

    assert (film.codec, film.width, film.height, film.fps) == ("h264", 1280, 720, 30)
    assert round(film.seconds, 2) == 5
    assert film.audio == "aac"
    assert film.boxes.index("moov") < film.boxes.index("mdat")


@pytest.mark.exhaustive
async def test_a_demo_never_uses_a_key(tmp_path: Path) -> None:
    """Even where one is set: a demo that costs money is no demo."""
    settings = {"GEEKAI_API_KEY": "sk-real", "GEEKAI_BASE_URL": "https://geekai.invalid/api/v1"}

    assert "sandbox preview" in (await example("quickstart.py", tmp_path, **settings))


@pytest.mark.exhaustive
async def test_a_story_is_a_film_of_shots_that_join_and_begins_with_its_picture(
    tmp_path: Path,
) -> None:
    printed = await example("story.py", tmp_path)
    calls = re.findall(r"^(\w+_\w+)", printed, re.MULTILINE)
    still, *shots, film = [Path(path) for path in re.findall(r"^  (/.*)$", printed, re.MULTILINE)]
    ends = [first_and_last(shot) for shot in shots]

    assert calls[:5] == ["generate_image", *["generate_video"] * 3, "get_video_task"]
    assert "join_videos" in calls[5:]
    assert len(calls) <= 10
    assert len(shots) == 3
    assert apart(Image.open(still), ends[0][0]) < SEAM
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


@pytest.mark.exhaustive
async def test_a_client_of_the_tasks_extension_makes_one_call_and_has_a_video(
    tmp_path: Path,
) -> None:
    first, *states, file = (await example("tasks_client.py", tmp_path)).splitlines()

    assert re.fullmatch("task [0-9a-f]{32}", first)
    assert [state.split()[0] for state in states[-1:]] == ["completed"]
    assert round(probe(Path(file)).seconds) == 3


@pytest.mark.exhaustive
async def test_an_agent_makes_a_video_with_the_tools_that_it_finds(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    if not AGENT_PYTHON.exists():
        absent = f"no {AGENT_PYTHON.relative_to(ROOT)} here; `make test` installs it"
        if pytestconfig.getoption("--every-client", default=False):
            pytest.fail(absent)
        skip_test(absent)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed = await example("agent.py", tmp_path, python=AGENT_PYTHON, PATH=path)
    calls = re.findall(r"^(\w+_\w+)", printed, re.MULTILINE)
    (file,) = re.findall(r"^Your video: (.+)$", printed, re.MULTILINE)

    assert calls[:2] == ["generate_video", "get_video_task"]
    assert probe(Path(file)).codec == "h264"


@pytest.mark.exhaustive
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_alone_has_a_video_made_and_downloads_it(tmp_path: Path) -> None:
    async with http_server(tmp_path, "sandbox", "--port", "0") as origin:
        command = ["sh", str(ROOT / "examples" / "curl.sh"), f"{origin}/api/v1"]
        with anyio.fail_after(50):
            done = await anyio.run_process(command, cwd=tmp_path, stderr=None)
    file = done.stdout.decode().splitlines()[-1]

    assert round(probe(tmp_path / file).seconds) == 3


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.*")))
def test_every_example_is_listed_says_how_it_is_run_and_is_run_by_a_test(name: str) -> None:
    if name == "README.md":
        return
    how_to_run = f"{'sh' if name.endswith('.sh') else 'python'} examples/{name}"

    assert f"]({name})" in (EXAMPLES / "README.md").read_text("utf-8")
    assert how_to_run in (EXAMPLES / name).read_text("utf-8")
    assert name in Path(__file__).read_text("utf-8")


@pytest.mark.parametrize("name", ["quickstart.py", "story.py", "tasks_client.py", "agent.py"])
def test_no_example_in_python_can_use_a_key(name: str) -> None:
    """What starts the server is the same everywhere: without settings of ours, and the sandbox."""
    source = (EXAMPLES / name).read_text("utf-8")

    assert 'if not name.startswith("GEEKAI_")' in source
    assert '"GEEKAI_BASE_URL": "sandbox"' in source


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
