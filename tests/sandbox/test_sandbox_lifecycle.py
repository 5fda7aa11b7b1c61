"""From a POST to a film: what a client sees of a task's life."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest

from .conftest import BASE_URL, Shape, wait_until

if TYPE_CHECKING:
    from .conftest import World


async def test_a_task_succeeds_and_its_files_can_be_fetched_without_a_key(world: World) -> None:
    sandbox = world.sandbox(api_key="secret")
    async with sandbox, world.client(sandbox, key="secret") as client:
        task_id = await world.submit(client, extra_body={"return_last_frame": True})
        done = await world.finish(client, task_id)
    async with world.client(sandbox) as stranger:
        result = done["video_result"]
        video = await stranger.get(result["url"])
        cover = await stranger.get(result["cover_image_url"])
        last = await stranger.get(result["last_frame_url"])

    assert done["task_status"] == "succeed"
    assert (video.status_code, video.headers["content-type"]) == (200, "video/mp4")
    assert video.content[4:8] == b"ftyp"
    assert (cover.status_code, cover.headers["content-type"]) == (200, "image/jpeg")
    assert (last.status_code, last.headers["content-type"]) == (200, "image/png")


async def test_a_video_can_be_fetched_in_pieces(world: World) -> None:
    async with world.running() as client:
        done = await world.finish(client, await world.submit(client))
        url = done["video_result"]["url"]
        whole = await client.get(url)
        piece = await client.get(url, headers={"Range": "bytes=4-7"})
        beyond = await client.get(url, headers={"Range": "bytes=999999-"})

    assert (piece.status_code, piece.content) == (206, b"ftyp")
    assert piece.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
    assert beyond.status_code == 416


async def test_a_task_passes_through_documented_statuses_only(world: World) -> None:
    seen: list[str] = []
    async with world.running() as client:
        answer = await client.post(
            "videos/generations", json={"model": "any", "prompt": "hold", "async": True}
        )
        task_id = answer.json()["task_id"]
        seen.append(answer.json()["task_status"])

        async def running() -> bool:
            seen.append((await client.get(f"videos/{task_id}")).json()["task_status"])
            return seen[-1] == "running"

        await wait_until(running)
        world.release_renders()
        seen.append((await world.finish(client, task_id))["task_status"])

    assert list(dict.fromkeys(seen)) == ["pending", "running", "succeed"]


async def test_the_legacy_address_gives_the_same_answer(world: World) -> None:
    async with world.running() as client:
        task_id = await world.submit(client)
        done = await world.finish(client, task_id)
        legacy = await client.get(f"video/{task_id}/result")

    assert legacy.json() == done


@pytest.mark.parametrize(
    ("shape", "kinds"), [("both", [dict, list]), ("object", [dict, dict]), ("array", [list, list])]
)
async def test_video_result_comes_in_the_shape_that_was_chosen(
    world: World, shape: Shape, kinds: list[type]
) -> None:
    async with world.running(shape=shape) as client:
        ids = [await world.submit(client) for _ in kinds]
        results = [(await world.finish(client, task_id))["video_result"] for task_id in ids]

    assert [type(result) for result in results] == kinds


async def test_a_waiting_answer_estimates_and_a_finished_one_does_not(world: World) -> None:
    async with world.running() as client:
        first = await world.submit(client, "hold", duration=10)
        second = await world.submit(client)
        # The later one first: what the first gets done in between can only part them further.
        waits = [(await client.get(f"videos/{i}")).json() for i in (second, first)]
        world.release_renders()
        done = await world.finish(client, second)

    assert 0.3 <= waits[1]["estimated_seconds"] < waits[0]["estimated_seconds"]
    assert "estimated_seconds" not in done


async def test_a_synchronous_post_is_kept_alive_by_blank_lines(world: World) -> None:
    answers: list[str] = []
    async with world.running(keep_alive_seconds=0.02) as client, anyio.create_task_group() as group:

        async def post() -> None:
            body = {"model": "sandbox", "prompt": "hold"}
            answers.append((await client.post("videos/generations", json=body)).text)

        group.start_soon(post)

        async def rendering() -> bool:
            return bool(world.renders("begin"))

        await wait_until(rendering)
        world.release_renders()

    (text,) = answers
    assert text.startswith("\n\n")
    assert json.loads(text)["task_status"] == "succeed"


async def test_a_synchronous_post_is_cut_but_its_task_goes_on(world: World) -> None:
    sandbox = world.sandbox(sync_timeout_seconds=0.1, keep_alive_seconds=0.02)
    async with sandbox, world.client(sandbox) as client:
        cut = await client.post("videos/generations", json={"model": "m", "prompt": "hold"})
        world.release_renders()
        (charge,) = sandbox.charges()
        done = await world.finish(client, charge.task_id)

    assert (cut.status_code, cut.text.strip()) == (200, "")
    assert done["task_status"] == "succeed"


async def test_a_failed_task_says_what_the_renderer_said(world: World) -> None:
    async with world.running() as client:
        failed = await world.finish(client, await world.submit(client, "refuse"))
        sync = await client.post("videos/generations", json={"model": "m", "prompt": "refuse"})

    assert failed["error"] == {"code": "invalid_image", "message": "image cannot be decoded."}
    assert "video_result" not in failed
    assert (sync.status_code, sync.json()["task_status"]) == (200, "failed")


async def test_an_answer_names_the_fields_that_had_no_effect(world: World) -> None:
    async with world.running() as client:
        task_id = await world.submit(
            client, negative_prompt="rain", size="640x480", aspect_ratio="1:1", brand_new=[1]
        )
        done = await world.finish(client, task_id)

    ignored = ["negative_prompt", "aspect_ratio", "brand_new"]
    assert sorted(done["sandbox"]["ignored"]) == sorted(ignored)


async def test_the_pages_of_the_model_list_add_up(world: World) -> None:
    async with world.running() as client:
        pages = [(await client.get("models?page_size=7", params={"page": n})) for n in range(1, 6)]
        sandbox = await client.get("models/sandbox")
        wrong = await client.get("models?page_size=0")

    names = [item["id"] for page in pages for item in page.json()["data"]]
    assert len(names) == len(set(names)) == pages[0].json()["total"]
    assert sandbox.json()["is_free"] is True
    assert wrong.status_code == 400


async def test_health_needs_no_key(world: World) -> None:
    async with world.running(api_key="secret") as client:
        health = await client.get(BASE_URL.replace("/api/v1", "/health"))

    assert health.json() == {"status": "ok", "unfinished": 0}


async def test_two_videos_are_never_rendered_at_once_and_come_in_order(world: World) -> None:
    async with world.running() as client:
        ids = [await world.submit(client, f"fox {n}") for n in range(4)]
        for task_id in ids:
            await world.finish(client, task_id)

    events = (world.journal / "renders").read_text("utf-8").split("\n")[:-1]
    words = [line.split()[:2] for line in events]
    assert words == [[event, i] for i in ids for event in ("begin", "end")]
