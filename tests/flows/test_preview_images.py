"""A request may hold megabytes of pictures: sent whole, and kept only while they may be sent."""

import base64
import os
import sqlite3
from contextlib import closing

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.tasks import new_task
from support.fake_geekai import STILL, always_answer, answer_once
from support.ledgers import open_ledger
from support.world import World, admit_new, call, now, structured

PICTURE = "data:image/png;base64," + base64.b64encode(STILL + os.urandom(300_000)).decode()


def bodies(world: World) -> list[str]:
    with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as disk:
        return [content for (content,) in disk.execute("SELECT content FROM body")]


async def test_a_picture_reaches_the_service_whole_and_is_not_kept_after(world: World) -> None:
    kept: list[str] = []

    async def look_at_the_disk(_: httpx.Request) -> None:
        kept.extend(bodies(world))

    world.service.before_charge = look_at_the_disk
    async with world.client() as client:
        frames = {"image": PICTURE, "image_tail": PICTURE}
        await call(client, "generate_video", prompt="a fox", model="kling-video-v3", **frames)

    (job,) = world.service.jobs.values()
    assert job.body["image"] == job.body["image_tail"] == PICTURE
    assert [PICTURE in body for body in kept] == [True]
    assert bodies(world) == []


async def test_a_server_that_takes_a_request_over_sends_its_pictures_whole(world: World) -> None:
    body = {"model": "m", "prompt": "a fox", "image": PICTURE, "async": True}
    left = new_task(request=body, account=world.account, owner="dead", at=now())
    async with open_ledger(world.state) as ledger:
        await admit_new(ledger, left, body=body)
    world.service.before_charge = answer_once(httpx.ConnectError("offline"))
    async with world.client():
        await anyio.sleep(60)

    assert [job.body["image"] for job in world.service.jobs.values()] == [PICTURE]


async def test_two_pictures_are_two_requests_and_one_picture_is_one(world: World) -> None:
    other = PICTURE[:-8] + "AAAAAAA="
    async with world.client() as client:
        for picture in (PICTURE, other, PICTURE):
            await call(client, "generate_video", prompt="a fox", image=picture)

    assert len(world.service.charges) == 2


async def test_a_picture_of_an_unknown_outcome_is_kept_for_whoever_decides(world: World) -> None:
    world.service.on_create = always_answer(httpx.ReadError("reset"))
    async with world.client() as client:
        shown = structured(await call(client, "generate_video", prompt="a fox", image=PICTURE))

    assert shown["task_status"] == "unknown"
    assert len(bodies(world)) == 1


@pytest.mark.parametrize("status", [400, 402])
async def test_a_picture_of_a_refused_request_is_not_kept(world: World, status: int) -> None:
    world.service.before_charge = always_answer(httpx.Response(status))
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", image=PICTURE)

    assert bodies(world) == []
