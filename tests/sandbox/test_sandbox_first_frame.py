"""Shots that join: the last frame of one is the first of the next, in decoded pixels.

Through the sandbox's API and its real renderer, about a second per shot.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from geekai_sandbox.app import RENDERER
from geekai_sandbox.render.frames import frame_to_image

if TYPE_CHECKING:
    from .conftest import World

CODEC_LEVELS = 3.0
"""Levels of 255 in which H.264 may change a frame: in the mean, and at a seam in 99 of 100 samples.
Measured at a seam: 0.1 to 0.3 in the mean, 2 at that percentile."""

SIZE = "320x180"
Pixels = npt.NDArray[np.int16]


@pytest.fixture
def anyio_backend() -> str:
    # Pixels do not depend on the loop; once is enough.
    return "asyncio"


async def fetch_image(client: httpx.AsyncClient, url: str) -> Pixels:
    with Image.open(io.BytesIO((await client.get(url)).content)) as found:
        return np.asarray(found.convert("RGB"), np.int16)


async def fetch_frames(client: httpx.AsyncClient, url: str) -> list[Pixels]:
    with av.open(io.BytesIO((await client.get(url)).content), "r") as film:
        return [np.asarray(frame_to_image(frame), np.int16) for frame in film.decode(video=0)]


def mean_difference(a: Pixels, b: Pixels) -> float:
    """Mean difference in levels."""
    return float(np.abs(a - b).mean())


async def render_shot(world: World, client: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    """Return the result of a finished shot, with its frames and its last frame as pixels."""
    ask: dict[str, Any] = {"size": SIZE, "duration": 1, "fps": 8}
    ask |= {"extra_body": {"return_last_frame": True}} | fields
    done = await world.finish(client, await world.submit(client, **ask))
    result = done["video_result"]
    last = await fetch_image(client, result["last_frame_url"])
    return result | {"frames": await fetch_frames(client, result["url"]), "last": last}


async def test_three_shots_join_at_matching_frames(world: World) -> None:
    async with world.running(shape="object", renderer=list(RENDERER)) as client:
        first = await render_shot(world, client, prompt="Waves roll onto a quiet beach")
        link = first["last_frame_url"]
        second = await render_shot(world, client, prompt="The camera drifts", image=link)
        link = second["last_frame_url"]
        third = await render_shot(world, client, prompt="Night falls", image=link, duration=2)

    for shot in (first, second, third):
        assert mean_difference(shot["frames"][-1], shot["last"]) < CODEC_LEVELS
        # It moves, so that a join is not a matter of course.
        assert mean_difference(shot["frames"][0], shot["frames"][-1]) > 2 * CODEC_LEVELS
    for shot, following in ((first, second), (second, third)):
        for end in (shot["last"], shot["frames"][-1]):
            difference = np.abs(end - following["frames"][0])
            assert float(difference.mean()) < CODEC_LEVELS / 3
            assert float(np.percentile(difference, 99)) <= CODEC_LEVELS


@pytest.mark.exhaustive
async def test_an_equal_request_makes_another_film_and_a_fresh_sandbox_the_first_again(
    world: World,
) -> None:
    takes: list[dict[str, Any]] = []
    requests = (("one", "a beach"), ("one", "a beach"), ("other", "a beach"), ("one", "a cliff"))
    for folder, where in requests:
        world.folder = world.folder.parent / folder
        async with world.running(shape="object", renderer=list(RENDERER)) as client:
            takes.append(await render_shot(world, client, prompt=f"Waves roll onto {where}"))

    assert mean_difference(takes[0]["last"], takes[1]["last"]) > 2 * CODEC_LEVELS
    assert np.array_equal(takes[0]["last"], takes[2]["last"])
    assert not np.array_equal(takes[0]["last"], takes[3]["last"])


async def test_a_picture_begins_a_shot_with_every_pixel_of_it(world: World) -> None:
    async with world.running(shape="object", renderer=list(RENDERER)) as client:
        done = await world.finish(
            client, await world.submit_images(client, "A calm sea", size=SIZE), "images"
        )
        link = done["data"][0]["url"]
        given = await fetch_image(client, link)
        shot = await render_shot(world, client, prompt="The camera drifts", image=link)

    assert mean_difference(given, shot["frames"][0]) < CODEC_LEVELS
    label = given[:22, :150]
    assert float(label.max()) - float(np.median(label)) > 90
    # Half way the video's own label stands where the picture's was; its title has gone.
    label = shot["frames"][4][:22, :150]
    assert float(label.max()) - float(np.median(label)) > 60
