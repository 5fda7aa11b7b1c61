"""Two tenants of one ledger and one service, each through a server of its own or of one process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from geekai_video_mcp.app import open_ledger_base
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task, new_task
from support.fake_geekai import answer_once
from support.world import World, admit_new, call, now, structured, text

pytestmark = pytest.mark.both_databases

REQUEST = {"model": "cogvideox-flash", "prompt": "a fox"}


@pytest.fixture
def alice(world: World) -> World:
    return replace(world, tenant="alice", other_disk=world.folder / "alice")


@pytest.fixture
def bob(world: World) -> World:
    return replace(world, tenant="bob", other_disk=world.folder / "bob")


async def make_video(world: World, **arguments: Any) -> str:  # noqa: ANN401 - JSON
    async with world.client() as client:
        return structured(await call(client, "generate_video", **arguments))["task_id"]


async def left_behind(world: World, status: Status = Status.INTENDED) -> Task:
    """A task whose process has died."""
    task = new_task(
        request=REQUEST, account=world.account, tenant=world.tenant, owner="dead", at=now() - 5
    )
    task = replace(task, status=status, attempt=int(status is Status.SUBMITTING))
    async with world.open_ledger() as ledger:
        await admit_new(ledger, task, body=REQUEST)
    return task


async def test_equal_requests_of_two_tenants_are_each_paid_and_each_their_own(
    alice: World, bob: World
) -> None:
    for key in ({}, {"idempotency_key": "monday"}):
        mine = await make_video(alice, prompt="a fox", **key)
        theirs = await make_video(bob, prompt="a fox", **key)

        assert mine != theirs
        assert await make_video(alice, prompt="a fox", **key) == mine
        assert await make_video(bob, prompt="a fox", **key) == theirs
    assert alice.service.charges == ["a fox"] * 4


@pytest.mark.parametrize("digits", [32, 8, 6])
@pytest.mark.parametrize("tool", ["get_video_task", "view_video", "join_videos", "generate_video"])
async def test_another_tenants_id_is_answered_as_one_that_does_not_exist(
    alice: World, bob: World, tool: str, digits: int
) -> None:
    foreign = (await make_video(alice, prompt="a fox"))[:digits]
    unknown = ("abcdef01" * 4)[:digits]
    async with bob.client() as client:
        answers = [await call(client, tool, **arguments(tool, each)) for each in (foreign, unknown)]

    assert all(answer.is_error for answer in answers)
    said = text(answers[0]).replace(foreign, unknown).replace(foreign[:8], unknown[:8])
    assert said == text(answers[1])


def arguments(tool: str, task_id: str) -> dict[str, Any]:
    if tool == "join_videos":
        return {"parts": [task_id, task_id]}
    if tool == "generate_video":
        return {"prompt": "and on", "image": f"task:{task_id}"}
    return {"task_id": task_id}


async def test_a_list_and_the_resources_show_the_tenants_own(alice: World, bob: World) -> None:
    mine, theirs = await make_video(alice, prompt="a fox"), await make_video(bob, prompt="a hare")
    shown = dict[str, list[str]]()
    for world in (alice, bob):
        async with world.client() as client:
            listed = structured(await call(client, "list_video_tasks"))
            found = structured(await call(client, "list_video_tasks", query="a"))
            resources = (await client.list_resources()).resources
        shown[world.tenant] = [task["task_id"] for task in listed["tasks"]]
        assert [task["task_id"] for task in found["tasks"]] == shown[world.tenant]
        assert all(shown[world.tenant][0] in str(each.uri) for each in resources)

    assert shown == {"alice": [mine], "bob": [theirs]}


async def test_the_caps_of_a_tenant_are_not_used_up_by_another(alice: World, bob: World) -> None:
    capped = [replace(each, limits=Limits(per_day=1, in_flight=1)) for each in (alice, bob)]
    for world in capped:
        await make_video(world, prompt="a fox")
        async with world.client() as client:
            refused = await call(client, "generate_video", prompt="a hare")

        assert refused.is_error
        assert f"geekai-video-mcp tasks --tenant {world.tenant}" in text(refused)
    assert alice.service.charges == ["a fox", "a fox"]


async def test_a_server_takes_over_what_a_dead_process_of_its_own_tenant_left(
    alice: World, bob: World
) -> None:
    waiting, sending = await left_behind(alice), await left_behind(alice, Status.SUBMITTING)
    async with bob.app():
        await anyio.sleep(60)
    untouched = [(await alice.find_task(each.id)).status for each in (waiting, sending)]
    async with alice.app():
        await anyio.sleep(60)

    assert untouched == [Status.INTENDED, Status.SUBMITTING]
    assert (await alice.find_task(waiting.id)).status is Status.SUCCEED
    assert (await alice.find_task(sending.id)).status is Status.UNKNOWN
    assert alice.service.charges == ["a fox"]


async def test_what_a_tenant_imports_joins_and_sends_again_is_its_own(
    world: World, alice: World, bob: World
) -> None:
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    lost = await make_video(alice, prompt="a lost fox")
    elsewhere = world.provider_id(await make_video(world, prompt="elsewhere"))
    async with alice.client() as client:
        imported = structured(await call(client, "get_video_task", task_id=elsewhere))["task_id"]
        parts = [await make_video(alice, prompt=prompt) for prompt in ("one", "two")]
        await call(client, "get_video_task", task_id=" ".join(parts), wait_seconds=45)
        film = structured(await call(client, "join_videos", parts=parts))["task_id"]
    async with alice.resolver() as resolver:
        again = (await resolver.supersede(lost)).id
    async with bob.app(sweep=False) as app:
        seen = await app.engine.list_tasks(limit=20)
        own = [await alice.find_task(each) for each in (imported, film, again)]

    assert seen == []
    assert [task.tenant for task in own] == ["alice"] * 3


async def test_the_changes_of_a_task_are_followed_by_its_own_tenant_alone(
    alice: World, bob: World
) -> None:
    heard: dict[str, list[str]] = {"alice": [], "bob": []}
    made = list[str]()

    async def follow(world: World, followed: anyio.Event) -> None:
        async with world.app(sweep=False) as app:
            cursor = await app.engine.event_cursor()
            followed.set()
            async for notice in app.engine.watch_events(cursor):
                heard[world.tenant].append(notice.task_id)

    async with anyio.create_task_group() as followers:
        for world in (alice, bob):
            followed = anyio.Event()
            followers.start_soon(follow, world, followed)
            await followed.wait()
        made.append(await make_video(alice, prompt="a fox"))
        await anyio.sleep(5)
        followers.cancel_scope.cancel()

    assert set(heard["alice"]) == set(made)
    assert heard["bob"] == []


async def test_the_apps_of_one_process_share_a_ledger_that_outlives_them(
    world: World, alice: World, bob: World
) -> None:
    database = world.hosting.database_url
    async with open_ledger_base(world.state, database_url=database) as base:
        worlds = [replace(each, base=base) for each in (world, alice, bob)]
        async with worlds[0].client() as own, worlds[1].client() as first:
            async with worlds[2].client() as second:
                ids = [
                    structured(await call(each, "generate_video", prompt="a fox"))["task_id"]
                    for each in (own, first, second)
                ]
            done = structured(await call(first, "get_video_task", task_id=ids[1], wait_seconds=45))
            foreign = await call(first, "get_video_task", task_id=ids[2])
        unfinished = await base.ledger.tenants_with_unfinished_work()

    assert len(set(ids)) == 3
    assert done["task_status"] == "succeed"
    assert Path(str((await alice.find_task(ids[1])).file_path)).parent == alice.output
    assert foreign.is_error
    assert unfinished["bob"] == [world.account]
    owners = {(await each.find_task(task)).owner for each, task in zip(worlds, ids, strict=True)}
    assert owners == {base.processes.own_id}
