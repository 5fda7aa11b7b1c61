"""What one task made starts the next: the real server, the real sandbox, the real codecs."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mcp import Client
from PIL import Image

from support.memory import outside_dev
from support.process import SMALL, stdio
from support.sampling import sample
from support.stills import encode_image, noise_image, write_file
from support.world import call, structured, text


@pytest.fixture
def tmp_path(tmp_path: Path) -> Generator[Path]:
    with outside_dev(tmp_path) as folder:
        yield folder


async def finished_video(client: Client, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A finished video."""
    started = await call(client, "generate_video", **SMALL, **arguments)
    assert not started.is_error, text(started)
    task_id = structured(started)["task_id"]
    done = await call(client, "get_video_task", task_id=task_id, wait_seconds=45, view="none")
    return structured(done)


def frames(path: str) -> list[np.ndarray[Any, Any]]:
    """Every frame of a video, in order."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def differ(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """By how much, of 255, two frames differ on average."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize(
    "extra", sample([{}, {"extra_body": {"return_last_frame": True}}], every=2)
)
async def test_a_shot_begins_where_the_shot_before_it_ended(
    tmp_path: Path, extra: dict[str, Any]
) -> None:
    async with stdio(tmp_path) as client:
        first = await finished_video(client, prompt="a ridge at dusk", **extra)
        second = await finished_video(
            client, prompt="night falls", image=f"task:{first['task_id']}"
        )

    ended, begun = frames(first["file"]), frames(second["file"])
    seam = np.abs(ended[-1].astype(int) - begun[0].astype(int))
    assert seam.mean() < 1
    assert np.percentile(seam, 99) <= 3
    assert differ(ended[0], begun[-1]) > 1


@pytest.mark.exhaustive
async def test_what_the_sandbox_ignores_is_said_in_the_result_of_the_request(
    tmp_path: Path,
) -> None:
    wishes: dict[str, Any] = {"prompt": "a ridge", "negative_prompt": "rain", **SMALL}
    async with stdio(tmp_path) as client:
        sent = await call(
            client, "generate_video", **wishes, extra_body={"camera_control": "orbit"}
        )
        rolled = await call(
            client, "generate_video", prompt="dunes", extra_body={"camera_control": "roll_left"}
        )
        plain = await call(client, "generate_video", prompt="a sea", **SMALL)
        done = await call(
            client, "get_video_task", task_id=structured(sent)["task_id"], wait_seconds=45
        )

    both = (
        "The sandbox ignored negative_prompt, extra_body.camera_control: the preview is made"
        " without them"
    )
    assert structured(sent)["warnings"][-1] == both
    assert structured(done)["warnings"] == [both]
    assert f"{both}." in text(sent)
    assert f"{both}." in text(done)
    assert structured(rolled)["warnings"][-1] == (
        "The sandbox ignored extra_body.camera_control.roll: the preview is made without it"
    )
    assert "ignored" not in text(plain)


@pytest.mark.exhaustive
async def test_a_variation_is_another_film_and_image_tail_alone_is_its_last_frame(
    tmp_path: Path,
) -> None:
    async with stdio(tmp_path) as client:
        first = await finished_video(client, prompt="a ridge at dusk")
        other = await finished_video(client, prompt="a ridge at dusk", variation=2)
        tail = f"task:{first['task_id']}"
        arrival = await finished_video(client, prompt="a sea of sand", image_tail=tail)

    ends = [frames(video["file"])[-1] for video in (first, other, arrival)]
    assert differ(ends[0], ends[1]) > 3
    assert differ(ends[0], ends[2]) < 1
    assert "warnings" not in arrival


@pytest.mark.exhaustive
async def test_a_large_photograph_becomes_a_video(tmp_path: Path) -> None:
    photo = write_file(tmp_path / "album", "photo.png", encode_image(noise_image(2600, 2600)))
    assert photo.stat().st_size > 20_000_000
    settings = {"GEEKAI_IMAGE_DIRS": str(tmp_path / "album")}
    async with stdio(tmp_path, settings=settings) as client:
        video = await finished_video(client, prompt="it moves", image=str(photo))
    async with stdio(tmp_path) as client:
        refused = await call(client, "generate_video", prompt="it moves", image=str(photo))

    with Image.open(photo) as image:
        assert image.size == (2600, 2600)
    assert len(frames(video["file"])) == 12
    assert refused.is_error
    assert "GEEKAI_IMAGE_DIRS" in text(refused)
