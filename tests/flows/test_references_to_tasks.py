"""A request keeps its references to tasks: how it is shown, known again, asked about and resent."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import anyio
import httpx
import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from geekai_video_mcp.cli.report import task_report
from geekai_video_mcp.cli.task_table import task_table
from geekai_video_mcp.config import CONFIRM_ALWAYS
from geekai_video_mcp.domain.fingerprint import fingerprint
from geekai_video_mcp.domain.task_refs import TaskRef, find_refs, replace_refs
from support.fake_geekai import always_answer
from support.tasks import Tasks, create_task, request_task
from support.world import Era, World, call, structured, text

LAST = "https://static.geekai.co/last.png"


@pytest.fixture
def era() -> Era:
    return "auto"


def give_last_frames(world: World) -> None:
    """Let the service give a last frame of every video, at once."""

    async def succeed(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        result = {"url": f"https://geekai.test/files/{name}.mp4", "last_frame_url": LAST}
        answer = {"task_id": name, "task_status": "succeed", "video_result": [result]}
        return httpx.Response(200, json=answer)

    world.service.on_poll = succeed


async def finished(world: World) -> str:
    give_last_frames(world)
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="one"))["task_id"]
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
    return task_id


def change_rows(world: World, statement: str, *params: object) -> None:
    with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as disk, disk:
        disk.execute(statement, params)


async def as_recorded_before(world: World, task_id: str) -> None:
    """Leave the task as version 0.1.0 recorded it: with the link in the reference's place."""
    task = await world.find_task(task_id)
    body = {**task.request, "image": LAST}
    former = fingerprint("video", body, task.variation)
    change_rows(
        world,
        "UPDATE task SET request = ?, fingerprint = ? WHERE id = ?",
        json.dumps(body),
        former,
        task_id,
    )


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_request_of_an_earlier_version_is_known_again_by_what_it_sent(
    world: World, key: str | None
) -> None:
    parent = await finished(world)
    arguments = {"prompt": "two", "image": f"task:{parent[:8]}", "idempotency_key": key}
    async with world.client() as client:
        first = structured(await call(client, "generate_video", **arguments))
        await as_recorded_before(world, first["task_id"])
        dry = structured(await call(client, "generate_video", **arguments, dry_run=True))
        again = structured(await call(client, "generate_video", **arguments))

    assert dry["dry_run"]["duplicate_of"] == first["task_id"]
    assert again["task_id"] == first["task_id"]
    assert again["deduplicated"]
    assert world.service.charges == ["one", "two"]


async def test_a_request_of_an_earlier_version_is_known_again_in_other_words_too(
    world: World,
) -> None:
    parent = await finished(world)
    arguments = {"prompt": "two", "model": "cogvideox-3", "image": f"task:{parent[:8]}"}
    async with world.client() as client:
        first = structured(await call(client, "generate_video", **arguments, size="1920x1080"))
        await as_recorded_before(world, first["task_id"])
        again = structured(
            await call(
                client,
                "generate_video",
                **arguments,
                aspect_ratio="16:9",
                resolution="1080p",
            )
        )

    assert again["task_id"] == first["task_id"]


async def test_the_record_keeps_the_reference_and_what_is_sent_is_the_link(world: World) -> None:
    parent = await finished(world)
    async with world.client() as client:
        made = structured(
            await call(client, "generate_video", prompt="two", image=f"task:{parent[:8]}")
        )

    (body,) = [job.body for job in world.service.jobs.values() if job.body["prompt"] == "two"]
    assert body["image"] == LAST
    assert (await world.find_task(made["task_id"])).request["image"] == f"task:{parent}"
    assert made["sent"] == {"image": f"task:{parent[:8]}"}


async def test_words_that_look_like_a_reference_are_sent_as_they_are(world: World) -> None:
    parent = await finished(world)
    async with world.client() as client:
        await call(
            client, "generate_video", prompt=f"task:{parent}", image=f"task:{parent}", duration=5
        )

    body = list(world.service.jobs.values())[-1].body
    assert (body["prompt"], body["image"]) == (f"task:{parent}", LAST)


def test_references_are_found_at_any_depth_and_each_says_what_is_wanted() -> None:
    one, two = TaskRef("a" * 32), TaskRef("b" * 32, 2.5)
    video = TaskRef("a" * 32, whole_video=True)
    body: Mapping[str, Any] = {
        "prompt": str(one),
        "image": [str(one), "https://a/b.png"],
        "video": str(video),
        "extra_body": {"image_list": [{"image_url": str(two)}, 1]},
    }

    assert find_refs(body) == [
        (one, "image.0"),
        (video, "video"),
        (two, "extra_body.image_list.0.image_url"),
    ]
    replaced = replace_refs(body, {video: "link"})
    assert replaced["video"] == "link"
    assert replaced["image"] == body["image"]


async def test_a_waiting_task_is_read_everywhere(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        one = (await create_task(client, "generate_video", prompt="one"))["taskId"]
        two = (await create_task(client, "generate_video", prompt="two", image=f"task:{one}"))[
            "taskId"
        ]
        state = await request_task(client.session, "tasks/get", taskId=two)
        (content,) = (await client.read_resource(f"video://tasks/{two}")).contents
        several = await call(client, "get_video_task", task_id=f"{one} {two}", wait_seconds=0)
        seen = await call(client, "view_video", task_id=two)
    task = await world.find_task(two)
    table = "\n".join(task_table([task], at=world.clock(), width=200))
    report = "\n".join(task_report(task, [], width=120))

    said = f"waits for task {one[:8]}, and is sent when that is done"
    assert state["status"] == "working"
    assert said in state["statusMessage"]
    assert "Nothing was charged." in state["statusMessage"]
    assert "may have been charged" not in state["statusMessage"]
    assert json.loads(content.model_dump()["text"])["waiting_for"] == [one]
    assert said in text(several)
    assert structured(several)["tasks"][1]["waiting_for"] == [one]
    assert said in text(seen)
    assert "waiting" in table
    assert one[:8] in report


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_person_is_told_what_the_request_waits_for_and_approves_it_once(
    world: World,
) -> None:
    world.confirm_above, asked = CONFIRM_ALWAYS, list[str]()

    async def approve(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        assert isinstance(params, ElicitRequestFormParams)
        asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    async with world.client(person=approve) as client:
        one = structured(await call(client, "generate_video", prompt="one"))["task_id"]
        two = structured(await call(client, "generate_video", prompt="two", image=f"task:{one}"))
        give_last_frames(world)
        await anyio.sleep(60)

    assert f"It waits for task {one[:8]}" in asked[1]
    assert two["waiting_for"] == [one]
    assert len(asked) == 2
    assert world.service.charges == ["one", "two"]


async def test_an_unfinished_task_of_another_key_cannot_be_waited_for(world: World) -> None:
    async with world.client() as client:
        one = structured(await call(client, "generate_video", prompt="one"))["task_id"]
    world.account = "another key"
    world.service.on_poll = always_answer(httpx.Response(404))
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="two", image=f"task:{one}")

    assert "only a server with its key can follow it" in text(refused)
    assert world.service.charges == ["one"]


async def test_a_request_without_its_stored_body_is_sent_again_with_what_it_refers_to(
    world: World,
) -> None:
    parent = await finished(world)
    async with world.client() as client:
        made = structured(
            await call(client, "generate_video", prompt="two", image=f"task:{parent}")
        )
    change_rows(world, "UPDATE task SET status = 'unknown' WHERE id = ?", made["task_id"])
    async with world.resolver() as resolver:
        again = await resolver.send(await resolver.supersede(made["task_id"]))

    assert again.request["image"] == f"task:{parent}"
    assert [job.body.get("image") for job in world.service.jobs.values()] == [None, LAST, LAST]
