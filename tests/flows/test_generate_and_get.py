"""The main path, as a conversation between a client and the server."""

from itertools import pairwise
from pathlib import Path

import anyio
import httpx
import pytest

from support.fake_geekai import VIDEO, answer_once
from support.world import World, call, structured, text

pytestmark = [pytest.mark.both_eras, pytest.mark.both_databases]


async def test_a_prompt_becomes_a_file(world: World) -> None:
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox in the snow"))
        done = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)

    assert started["task_status"] == "pending"
    assert structured(done)["task_status"] == "succeed"
    assert Path(structured(done)["file"]).read_bytes() == VIDEO
    assert not done.is_error
    assert structured(done)["file"] in text(done)


@pytest.mark.parametrize("as_array", [True, False])
async def test_the_result_mirrors_geekai_in_either_documented_shape(
    world: World, *, as_array: bool
) -> None:
    world.service.as_array = as_array
    world.service.extras = {"billing": {"seen": "never"}}
    async with world.client() as client:
        started = structured(
            await call(client, "generate_video", prompt="a fox", model="kling-video-v3")
        )
        done = structured(
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        )

    assert done["model"] == "kling-video-v3"
    theirs = world.provider_id(done["task_id"])
    assert done["video_result"] == {"id": "v1", "url": f"https://geekai.test/files/{theirs}.mp4"}
    assert done["duration"] == 5
    assert done["url_expires_at"].endswith("+00:00")
    assert done["sandbox"] is False


async def test_only_what_the_caller_set_is_sent_and_always_asynchronously(world: World) -> None:
    async with world.client() as client:
        await call(
            client,
            "generate_video",
            prompt="彼得兔开小汽车",
            model="kling-video-v1",
            duration=5,
            with_audio=None,
            extra_body={"camera_control": {"type": "simple"}, "seed": 7},
        )

    (job,) = world.service.jobs.values()
    assert job.body == {
        "model": "kling-video-v1",
        "prompt": "彼得兔开小汽车",
        "duration": 5,
        "async": True,
        "extra_body": {"camera_control": {"type": "simple"}, "seed": 7},
    }


async def test_async_false_waits_here(world: World) -> None:
    async with world.client() as client:
        done = structured(
            await call(client, "generate_video", **{"prompt": "a fox", "async": False})
        )

    assert done["task_status"] == "succeed"
    assert [job.body["async"] for job in world.service.jobs.values()] == [True]


async def test_a_task_answers_to_geekais_id_as_well(world: World) -> None:
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        found = structured(
            await call(client, "get_video_task", task_id=world.provider_id(started["task_id"]))
        )

    assert found["task_id"] == started["task_id"]


async def test_a_task_made_elsewhere_is_taken_in_and_fetched(world: World) -> None:
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a fox"))
        theirs = world.provider_id(made["task_id"])
    newcomer = World(world.folder / "elsewhere", era=world.era, service=world.service)
    async with newcomer.client() as client:
        done = structured(await call(client, "get_video_task", task_id=theirs, wait_seconds=45))

    assert newcomer.provider_id(done["task_id"]) == theirs
    assert done["task_id"] != theirs
    assert Path(done["file"]).read_bytes() == VIDEO


async def test_a_task_made_elsewhere_is_found_though_the_answer_does_not_name_it(
    world: World,
) -> None:
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a fox"))
        theirs = world.provider_id(made["task_id"])
    newcomer = World(world.folder / "elsewhere", era=world.era, service=world.service)
    world.service.on_poll = answer_once(httpx.Response(200, json={"task_status": "running"}))
    async with newcomer.client() as client:
        found = structured(await call(client, "get_video_task", task_id=theirs, wait_seconds=0))

    assert found["task_status"] == "running"
    assert newcomer.provider_id(found["task_id"]) == theirs


async def test_a_finished_task_made_elsewhere_is_fetched_at_once(world: World) -> None:
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a fox"))
        theirs = world.provider_id(made["task_id"])
        await anyio.sleep(60)
    newcomer = World(world.folder / "elsewhere", era=world.era, service=world.service)
    async with newcomer.client() as client:
        await anyio.sleep(1)  # past the sweep that would find it as well
        done = structured(await call(client, "get_video_task", task_id=theirs, wait_seconds=3))

    assert Path(done["file"]).read_bytes() == VIDEO


async def test_two_waiting_calls_share_one_poll_loop(world: World) -> None:
    done: list[str] = []
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        looks_before = world.service.poll_count

        async def wait() -> None:
            result = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
            done.append(structured(result)["task_status"])

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(wait)

    assert done == ["succeed"] * 5
    # At 10, 15, 20, 25 and 30 s; five watchers would have looked 25 times.
    assert world.service.poll_count - looks_before <= 6


async def test_waiting_shows_signs_of_life_that_only_grow(world: World) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await client.call_tool(
            "get_video_task",
            {"task_id": task_id, "wait_seconds": 45},
            progress_callback=listen,
        )

    times = [progress for progress, _, _ in heard]
    assert times == sorted(set(times))
    assert times == [round(progress, 1) for progress in times]  # hosts show them to people
    assert max(later - sooner for sooner, later in pairwise(times)) <= 5
    assert {total for _, total, _ in heard} == {None}
    assert all(message for _, _, message in heard)
    assert heard[-1][2] is not None
    assert heard[-1][2].startswith("succeed")
