"""Promise 3: no call holds a client past its patience."""

import anyio
import httpx

from geekai_video_mcp.engine import GLANCE
from support.service import Script
from support.world import World, call, text, told


async def test_generate_answers_with_the_service_and_not_later(world: World) -> None:
    async def in_two_seconds(_: httpx.Request) -> None:
        await anyio.sleep(2)

    world.service.on_create = in_two_seconds
    async with world.client() as client:
        began = anyio.current_time()
        await call(client, "generate_video", prompt="a fox")
        took = anyio.current_time() - began

    assert 2 <= took <= 3


async def test_a_service_slow_to_accept_is_waited_for_elsewhere(world: World) -> None:
    async def in_a_minute(_: httpx.Request) -> None:
        await anyio.sleep(60)

    world.service.on_create = in_a_minute
    async with world.client() as client:
        began = anyio.current_time()
        started = await call(client, "generate_video", prompt="a fox")
        took = anyio.current_time() - began
        task_id = told(started)["task_id"]
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        done = told(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert took < 20
    assert not started.is_error
    assert told(started)["task_status"] == "submitting"
    assert task_id in text(started)
    assert done["task_status"] == "succeed"
    assert world.service.charges == ["a fox"]


async def test_the_time_to_submit_counts_as_waiting(world: World) -> None:
    async def in_a_minute(_: httpx.Request) -> None:
        await anyio.sleep(60)

    world.service.on_create = in_a_minute
    async with world.client() as client:
        began = anyio.current_time()
        await call(client, "generate_video", **{"prompt": "a fox", "async": False})

        assert anyio.current_time() - began < 46


async def test_a_stranger_that_the_service_is_slow_to_name_is_not_waited_for(world: World) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(25)

    world.service.on_look = slowly
    async with world.client() as client:
        began = anyio.current_time()
        missing = await call(client, "get_video_task", task_id="a-stranger", wait_seconds=0)

        assert anyio.current_time() - began < 20
    assert missing.is_error


async def test_a_wait_that_runs_out_is_a_normal_answer(world: World) -> None:
    world.service.takes = 300
    async with world.client() as client:
        began = anyio.current_time()
        running = await call(client, "generate_video", **{"prompt": "a fox", "async": False})
        took = anyio.current_time() - began
        began = anyio.current_time()
        looked = await call(client, "get_video_task", task_id=told(running)["task_id"])
        default = anyio.current_time() - began

    assert 45 <= took < 47
    assert default < 20
    for result in (running, looked):
        assert not result.is_error
        assert told(result)["task_status"] == "running"
        assert "get_video_task" in told(result)["next_step"]
        assert told(result)["poll_after_seconds"] >= 1


async def test_a_look_without_waiting_answers_at_once(world: World) -> None:
    async with world.client() as client:
        task_id = told(await call(client, "generate_video", prompt="a fox"))["task_id"]
        began = anyio.current_time()
        await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert anyio.current_time() - began < 1


async def test_news_wakes_a_waiter_at_once(world: World) -> None:
    looks: list[float] = []

    async def look(_: httpx.Request) -> None:
        looks.append(anyio.current_time())

    world.service.on_look = look
    async with world.client() as client:
        task_id = told(await call(client, "generate_video", prompt="a fox"))["task_id"]
        done = told(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
        took = anyio.current_time() - looks[-1]

    # Less than between a waiter's own looks into the ledger; when the last look at the
    # service comes is for its jitter to say.
    assert done["task_status"] == "succeed"
    assert took < GLANCE / 4


async def test_the_services_own_estimate_sets_the_pace(world: World) -> None:
    """Without it the first look comes after ten seconds."""
    world.service.takes = 2.0
    world.service.on_create = always_estimating(world)
    async with world.client() as client:
        task_id = told(await call(client, "generate_video", prompt="a fox"))["task_id"]
        began = anyio.current_time()
        done = told(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert done["task_status"] == "succeed"
    assert anyio.current_time() - began < 3


def always_estimating(world: World) -> Script:
    async def script(_: httpx.Request) -> httpx.Response:
        job = list(world.service.jobs.values())[-1]
        answer = {"task_id": job.id, "task_status": "pending", "estimated_seconds": 2.0}
        return httpx.Response(200, json=answer)

    return script
