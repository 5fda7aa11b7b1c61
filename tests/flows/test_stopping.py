"""What a call is answered with while its server stops."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext, ElicitationFnT
from mcp_types import ElicitRequestParams, ElicitResult

from geekai_video_mcp.app import App
from geekai_video_mcp.config import CONFIRM_ALWAYS
from geekai_video_mcp.engine.drain import DRAIN_TIMEOUT
from geekai_video_mcp.server.build import build_server
from support.fake_geekai import answer_once, api_error
from support.world import World, call, now, structured, text

REFUSED = "This server is stopping and takes no new request. Nothing was charged."
pytestmark = [pytest.mark.usefixtures("virtual_time"), pytest.mark.both_databases]


@asynccontextmanager
async def served(
    world: World, person: ElicitationFnT | None = None
) -> AsyncGenerator[tuple[App, Client]]:
    """A server whose `App` the test has as well."""
    async with world.app() as app:

        @asynccontextmanager
        async def opened() -> AsyncGenerator[App]:
            yield app

        async with Client(
            build_server(opened), mode=world.era, elicitation_callback=person
        ) as client:
            yield app, client


async def stop_after(app: App, seconds: float) -> None:
    await anyio.sleep(seconds)
    app.operations.drain.start()


async def test_a_new_request_is_refused_and_one_that_was_sent_is_shown(world: World) -> None:
    async with served(world) as (app, client):
        first = structured(await call(client, "generate_video", prompt="a fox"))
        app.operations.drain.start()
        again = structured(await call(client, "generate_video", prompt="a fox"))
        refused = await call(client, "generate_video", prompt="an owl")
        picture = await call(client, "generate_image", prompt="an owl")
        estimate = await call(client, "generate_video", prompt="an owl", dry_run=True)
        listed = await call(client, "list_video_tasks")

    assert again["task_id"] == first["task_id"]
    assert refused.is_error
    assert text(refused).startswith(REFUSED)
    assert "Send the same call again in 15 seconds" in text(refused)
    assert text(picture).startswith(REFUSED)
    assert not estimate.is_error
    assert not listed.is_error
    assert world.service.charges == ["a fox"]


async def test_a_wait_ends_with_its_normal_answer(world: World) -> None:
    world.service.job_seconds = 1000
    async with served(world) as (app, client):
        task = structured(await call(client, "generate_video", prompt="a fox"))
        started = now()
        app.engine.start_background(stop_after, app, 5)
        waited = await call(client, "get_video_task", task_id=task["task_id"], wait_seconds=45)
        took = now() - started
        after = await call(client, "get_video_task", task_id=task["task_id"], wait_seconds=45)

    assert structured(waited)["task_status"] in {"pending", "running"}
    assert 5 <= took < 6
    assert structured(after)["task_status"] in {"pending", "running"}
    assert now() - started < 10


async def test_a_request_that_was_not_sent_is_left_to_the_next_server(world: World) -> None:
    """After a 429 it is tried again within a minute, but not by a process that stops."""
    world.service.before_charge = answer_once(
        httpx.Response(429, headers={"Retry-After": "20"}, json=api_error(429, "x", "y").json())
    )
    async with served(world) as (app, client):
        app.engine.start_background(stop_after, app, 5)
        told = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(60)
        sent_by_the_first = list(world.service.charges)
    async with world.client():
        await anyio.sleep(60)

    assert told["task_status"] == "submitting"
    assert sent_by_the_first == []
    assert world.service.charges == ["a fox"]


async def test_a_post_without_an_answer_is_shown_before_the_time_is_up(world: World) -> None:
    async def say_nothing(_: httpx.Request) -> None:
        await anyio.sleep_forever()

    world.service.on_create = say_nothing
    async with served(world) as (app, client):
        app.engine.start_background(stop_after, app, 1)
        started = now()
        told = structured(await call(client, "generate_video", prompt="a fox"))
        took = now() - started

    assert told["task_status"] == "submitting"
    assert took < 1 + DRAIN_TIMEOUT
    assert world.service.charges == ["a fox"]


@pytest.mark.parametrize("era", ["legacy"])
async def test_a_question_to_a_person_ends_when_the_server_stops(world: World) -> None:
    world.confirm_above = CONFIRM_ALWAYS
    apps = list[App]()

    async def never_answer(
        context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        del context, params
        apps[0].operations.drain.start()
        await anyio.sleep_forever()
        raise AssertionError

    async with served(world, never_answer) as (app, client):
        apps.append(app)
        refused = await call(client, "generate_video", prompt="a fox", model="cogvideox-3")

    assert text(refused).startswith(REFUSED)
    assert world.service.charges == []
