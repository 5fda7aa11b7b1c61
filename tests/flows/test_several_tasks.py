"""Several tasks in one call: found together, waited for together, told in a line each."""

import anyio
import jsonschema
import pytest

from geekai_video_mcp.server.offer import TOOLS
from support.fake_geekai import answer_once, api_error
from support.world import World, call, structured, text

pytestmark = [pytest.mark.both_eras, pytest.mark.both_databases]


async def start_videos(world: World, *prompts: str, apart: float = 0.0) -> list[str]:
    """The ids of new tasks."""
    ids: list[str] = []
    async with world.client() as client:
        for prompt in prompts:
            made = structured(await call(client, "generate_video", prompt=prompt))
            ids.append(made["task_id"])
            await anyio.sleep(apart)
    return ids


async def test_several_tasks_are_waited_for_and_told_in_a_line_each(world: World) -> None:
    fox, hare = await start_videos(world, "a fox", "a hare")
    async with world.client() as client:
        began = anyio.current_time()
        both = await call(client, "get_video_task", task_id=f"{fox}, {hare}", wait_seconds=45)
        took = anyio.current_time() - began

    assert took < 45
    assert [task["task_id"] for task in structured(both)["tasks"]] == [fox, hare]
    assert [task["task_status"] for task in structured(both)["tasks"]] == ["succeed"] * 2
    lines = text(both).splitlines()
    assert [line.split()[0] for line in lines[:2]] == [fox[:8], hare[:8]]
    assert lines[2] == structured(both)["next_step"]
    assert f'view_video with task_id "{fox[:8]} {hare[:8]}"' in lines[2]
    assert not both.is_error
    assert [content.type for content in both.content] == ["text"], "view_video shows them"


async def test_any_answers_at_once_for_a_task_that_has_finished_between_two_calls(
    world: World,
) -> None:
    world.service.job_seconds = 30
    first, second = await start_videos(world, "one", "two", apart=20)
    arguments = {"task_id": f"{first} {second}", "wait_seconds": 45, "until": "any"}
    async with world.client() as client:
        began = anyio.current_time()
        one = structured(await call(client, "get_video_task", **arguments))
        at_once = anyio.current_time() - began
        both = structured(await call(client, "get_video_task", **arguments))

    assert at_once < 1
    assert [task["task_status"] for task in one["tasks"]] == ["succeed", "running"]
    assert [task["task_status"] for task in both["tasks"]] == ["succeed", "succeed"]


async def test_any_answers_as_soon_as_one_more_has_finished(world: World) -> None:
    world.service.job_seconds = 30
    first, second, third = await start_videos(world, "one", "two", "three", apart=10)
    ids = f"{first} {second} {third}"
    async with world.client() as client:
        await anyio.sleep(10)
        began = anyio.current_time()
        arguments = {"task_id": ids, "wait_seconds": 45, "until": "any"}
        one_more = structured(await call(client, "get_video_task", **arguments))
        took = anyio.current_time() - began
        waiting = f"{second} {third}"
        rest = structured(
            await call(client, "get_video_task", task_id=waiting, wait_seconds=45, until="any")
        )

    states = [task["task_status"] for task in one_more["tasks"]]
    assert states.count("running") in {1, 2}
    assert "succeed" in states
    assert took < 25
    assert "Still running: call get_video_task with task_id" in one_more["next_step"]
    assert {"succeed"} <= {task["task_status"] for task in rest["tasks"]}


async def test_the_next_step_keeps_until_any_while_there_is_more_than_one_to_wait_for(
    world: World,
) -> None:
    world.service.job_seconds = 600
    first, second = await start_videos(world, "one", "two")
    both = {"task_id": f"{first} {second}", "wait_seconds": 0}
    async with world.client() as client:
        steps = [
            structured(await call(client, "get_video_task", **both, until=until))["next_step"]
            for until in ("any", "all")
        ]

    again = f'get_video_task with task_id "{first[:8]} {second[:8]}"'
    assert f'{again}, wait_seconds 45 and until "any".' in steps[0]
    assert f"{again} and wait_seconds 45." in steps[1]


async def test_any_does_not_count_what_had_finished_before_the_call(world: World) -> None:
    (done,) = await start_videos(world, "one")
    async with world.client() as client:
        await anyio.sleep(60)
        world.service.job_seconds = 30
        made = structured(await call(client, "generate_video", prompt="two"))
        both = f"{done} {made['task_id']}"
        arguments = {"task_id": both, "until": "any"}
        now = structured(await call(client, "get_video_task", **arguments, wait_seconds=0))
        later = structured(await call(client, "get_video_task", **arguments, wait_seconds=45))
        began = anyio.current_time()
        again = await call(client, "get_video_task", **arguments, wait_seconds=45)
        took = anyio.current_time() - began

    assert now["tasks"][0]["task_status"] == "succeed"
    assert f'task_id "{made["task_id"][:8]}" and wait_seconds 45' in now["next_step"]
    assert [task["task_status"] for task in later["tasks"]] == ["succeed", "succeed"]
    assert took < 1, "nothing is running any more"
    assert not again.is_error


async def test_an_id_that_nobody_knows_is_a_line_among_the_others(world: World) -> None:
    (known,) = await start_videos(world, "one")
    async with world.client() as client:
        await anyio.sleep(60)
        mixed = await call(client, "get_video_task", task_id=f"nobodys {known}")
        wrong = await call(client, "get_video_task", task_id="nobodys strangers")

    assert not mixed.is_error
    stranger, mine = structured(mixed)["tasks"]
    assert (stranger["task_id"], stranger["error"]["code"]) == ("nobodys", "not_found")
    assert mine["task_id"] == known
    assert text(mixed).startswith("nobodys: No task")
    assert wrong.is_error
    assert [task["error"]["code"] for task in structured(wrong)["tasks"]] == ["not_found"] * 2


async def test_the_same_task_under_two_names_is_told_once(world: World) -> None:
    (mine,) = await start_videos(world, "one")
    async with world.client() as client:
        shown = await call(client, "get_video_task", task_id=f"{mine} {world.provider_id(mine)}")

    assert [task["task_id"] for task in structured(shown)["tasks"]] == [mine]


async def test_both_shapes_of_the_result_satisfy_the_published_schema(world: World) -> None:
    fox, hare = await start_videos(world, "a fox", "a hare")
    async with world.client() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        one = structured(await call(client, "get_video_task", task_id=fox))
        both = structured(await call(client, "get_video_task", task_id=f"{fox} {hare}"))

    schema = tools["get_video_task"].output_schema
    assert schema is not None
    assert len(tools) >= len(TOOLS)
    for content in (one, both):
        jsonschema.validate(content, schema)
    assert schema["required"] == ["next_step"]


async def test_a_wait_for_several_shows_signs_of_life(world: World) -> None:
    fox, hare = await start_videos(world, "a fox", "a hare")
    heard: list[tuple[float, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        del total
        heard.append((progress, message))

    async with world.client() as client:
        await client.call_tool(
            "get_video_task",
            {"task_id": f"{fox} {hare}", "wait_seconds": 45},
            progress_callback=listen,
        )

    times = [progress for progress, _ in heard]
    assert times == sorted(set(times))
    assert str(heard[0][1]).startswith("0 of 2 finished, ")
    assert heard[-1][1] == "2 of 2 finished"


async def test_failures_are_told_with_money_and_next_step_in_both_forms(world: World) -> None:
    world.service.before_charge = answer_once(api_error(400, "invalid", "no such size"))
    (refused,) = await start_videos(world, "one")
    world.service.error = {"code": "E7", "message": "no such animal"}
    (failed,) = await start_videos(world, "two")
    async with world.client() as client:
        await anyio.sleep(60)
        shown = await call(client, "get_video_task", task_id=f"{refused} {failed}")

    assert shown.is_error
    for task, money in zip(
        structured(shown)["tasks"],
        ("Nothing was charged.", "It may have been charged."),
        strict=True,
    ):
        assert money in task["error"]["message"]
        assert task["error"]["message"] in text(shown)
        assert task["next_step"] in text(shown)
