"""Promise 2: nothing paid for is lost."""

import json
import random
import shutil
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.retries import DOWNLOAD_RETRY_DELAYS
from geekai_video_mcp.domain.tasks import Media
from support.fake_geekai import (
    VIDEO,
    ScriptedGeekAI,
    always_answer,
    answer_once,
    api_error,
    box,
    file_reply,
)
from support.result_host import ResultHost
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_databases


async def test_a_task_outlives_the_server_that_started_it(world: World) -> None:
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
    async with world.client() as client:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert done["task_status"] == "succeed"
    assert Path(done["file"]).read_bytes() == VIDEO


async def test_a_video_is_fetched_though_nobody_asks_for_it(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        await anyio.sleep(60)

    assert [name.rsplit(".", 1)[-1] for name in world.files()] == ["mp4"]


async def test_two_servers_on_one_disk_fetch_a_video_once(world: World) -> None:
    async with world.client() as one, world.client() as other:
        task_id = structured(await call(one, "generate_video", prompt="a fox"))["task_id"]
        done = structured(await call(other, "get_video_task", task_id=task_id, wait_seconds=45))
        await anyio.sleep(60)

    assert done["task_status"] == "succeed"
    assert len(world.files()) == 1


async def test_one_server_ends_what_another_began_and_left(world: World) -> None:
    async with world.client() as stays:
        async with world.client() as leaves:
            task_id = structured(await call(leaves, "generate_video", prompt="a fox"))["task_id"]
        done = structured(await call(stays, "get_video_task", task_id=task_id, wait_seconds=45))

    assert done["task_status"] == "succeed"


async def test_failed_polls_change_nothing_and_are_reported(world: World) -> None:
    world.service.on_poll = always_answer(httpx.Response(502, text="<html>bad gateway</html>"))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        stale = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
        world.service.on_poll = always_usual
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert stale["task_status"] == "pending"
    assert "stale_since" in stale
    assert done["task_status"] == "succeed"
    assert "stale_since" not in done


async def test_an_unexpected_error_ends_one_poll_and_no_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.service.on_poll = answer_once(ZeroDivisionError("a fox, and a signed link"))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        other = structured(await call(client, "generate_video", prompt="a hare"))["task_id"]
        await anyio.sleep(60)
        done = [
            structured(await call(client, "get_video_task", task_id=each, wait_seconds=45))
            for each in (task_id, other)
        ]

    assert [task["task_status"] for task in done] == ["succeed", "succeed"]
    assert "ZeroDivisionError" in caplog.text
    assert "fox" not in caplog.text


async def test_a_key_that_stops_working_does_not_fail_a_running_task(world: World) -> None:
    world.service.on_poll = answer_once(api_error(401, "unauthorized", "revoked"))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(60)
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert done["task_status"] == "succeed"


async def test_a_download_that_breaks_off_is_tried_again(world: World) -> None:
    world.service.on_file = answer_once(file_reply(VIDEO[:500], announced=len(VIDEO)))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert Path(done["file"]).read_bytes() == VIDEO
    assert len(world.files()) == 1


async def test_an_expired_link_is_renewed(world: World) -> None:
    links: list[httpx.URL] = []

    async def the_first_has_expired(request: httpx.Request) -> httpx.Response | None:
        links.append(request.url)
        return httpx.Response(403, text="expired") if request.url == links[0] else None

    world.service.signed = True
    world.service.on_file = the_first_has_expired
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert Path(done["file"]).read_bytes() == VIDEO


@pytest.mark.parametrize("late", [90, 400], ids=["late", "as late as it may be"])
async def test_a_link_that_is_late_to_work_loses_no_video(world: World, late: float) -> None:
    began = world.service.clock()

    async def not_yet(_: httpx.Request) -> httpx.Response | None:
        return httpx.Response(404) if world.service.clock() < began + late else None

    world.service.on_file = not_yet
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(late + 210)
        done = structured(await call(client, "get_video_task", task_id=task_id))

    assert Path(done["file"]).read_bytes() == VIDEO


async def test_a_link_that_is_late_to_work_is_not_lost_with_another_that_stays_dead(
    world: World,
) -> None:
    """Patience is counted for each task."""
    fresh: list[float] = []

    async def one_for_good_and_one_for_a_while(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("01.mp4"):
            return httpx.Response(404)
        fresh.append(world.service.clock())
        return httpx.Response(404) if fresh[-1] < fresh[0] + 5 else None

    world.service.on_file = one_for_good_and_one_for_a_while
    async with world.client() as client:
        dead = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(600)
        late = structured(await call(client, "generate_video", prompt="a hare"))["task_id"]
        await anyio.sleep(60)
        lost = await call(client, "get_video_task", task_id=dead)
        done = structured(await call(client, "get_video_task", task_id=late))

    assert structured(lost)["error"]["code"] == "result_lost"
    assert Path(done["file"]).read_bytes() == VIDEO


async def test_a_host_that_stays_busy_is_asked_later_and_later_and_the_caller_sees_it(
    world: World,
) -> None:
    times: list[float] = []

    async def busy(_: httpx.Request) -> httpx.Response:
        times.append(world.service.clock())
        return httpx.Response(503)

    world.service.on_file = busy
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(300)
        waiting = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == pytest.approx(DOWNLOAD_RETRY_DELAYS[:-2], abs=0.5)
    assert not waiting.is_error
    assert "this server could not download it" in text(waiting)
    assert "The result's host returned HTTP 503" in text(waiting)


async def test_a_link_that_is_late_to_work_after_other_trouble_loses_no_video(
    world: World,
) -> None:
    """Ten failures of the host are no reason to be short with the link."""
    began = world.service.clock()

    async def trouble(_: httpx.Request) -> httpx.Response | None:
        age = world.service.clock() - began
        if age < 3600:
            return httpx.Response(503)
        return httpx.Response(404) if age < 3690 + 300 else None

    world.service.on_file = trouble
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(3600 + 900)
        done = structured(await call(client, "get_video_task", task_id=task_id))

    assert Path(done["file"]).read_bytes() == VIDEO


async def test_a_fresh_link_is_kept_though_it_is_dead_as_well(world: World) -> None:
    looks = 0

    async def another_link(request: httpx.Request) -> httpx.Response | None:
        nonlocal looks
        looks += 1
        task_id = request.url.path.rsplit("/", 1)[-1]
        url = f"https://geekai.test/files/{task_id}-{looks}.mp4"
        answer = {"task_id": task_id, "task_status": "succeed", "video_result": [{"url": url}]}
        return httpx.Response(200, json=answer)

    world.service.on_poll = another_link
    world.service.on_file = always_answer(httpx.Response(404))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(600)
        lost = await call(client, "get_video_task", task_id=task_id)

    assert structured(lost)["error"]["code"] == "result_lost"
    assert looks > 1
    assert "video_result" not in structured(lost), "nobody is given a dead link"
    ((kept,),) = world.run_sql("SELECT result FROM task")
    assert json.loads(kept)["url"].endswith(f"-{looks}.mp4")


async def test_a_key_that_was_changed_loses_no_video_whose_link_expired(world: World) -> None:
    """The refusal's own words, that nothing was charged, are not about the video."""
    world.service.on_file = always_answer(httpx.Response(403))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        with anyio.move_on_after(40):
            await anyio.sleep_forever()
        world.service.on_poll = always_answer(api_error(401, "unauthorized", "invalid token"))
        await anyio.sleep(1200)
        waiting = await call(client, "get_video_task", task_id=task_id)
        world.service.on_poll, world.service.on_file = always_usual, always_usual
        await anyio.sleep(600)
        done = structured(await call(client, "get_video_task", task_id=task_id))

    assert "this server could not download it" in text(waiting)
    assert "expired, and GeekAI gave no new one (unauthorized)" in text(waiting)
    assert "call get_video_task" not in text(waiting)
    assert "Nothing was charged." not in text(waiting)
    assert Path(done["file"]).read_bytes() == VIDEO


async def test_a_download_that_was_interrupted_by_the_end_of_a_server_is_gone_on_with(
    world: World,
) -> None:
    host = ResultHost(cuts=[5000])
    world.service.on_file = host.answer
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        while not host.ranges:  # noqa: ASYNC110 - what it waits for is outside our code
            await anyio.sleep(1)
    async with world.client() as client:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert Path(done["file"]).read_bytes() == VIDEO
    assert host.ranges == [None, "bytes=5000-"]
    assert world.files() == [Path(done["file"]).name]


def almost_none(_: object) -> SimpleNamespace:
    return SimpleNamespace(free=1000)


async def test_a_video_waits_for_room_on_the_disk(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        async with world.client() as client:
            task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
            full.setattr(shutil, "disk_usage", almost_none)
            await anyio.sleep(3600)
            waiting = await call(client, "get_video_task", task_id=task_id)
    async with world.client() as client:
        await anyio.sleep(15)
        done = structured(await call(client, "get_video_task", task_id=task_id))

    assert not waiting.is_error
    assert "(GEEKAI_OUTPUT_DIR) has 0 MB free, and 268 MB are needed" in text(waiting)
    assert "saves it" in structured(waiting)["next_step"]
    assert Path(done["file"]).read_bytes() == VIDEO


async def test_a_download_longer_than_a_lease_is_published_once(world: World) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield VIDEO
        for _ in range(4):
            await anyio.sleep(50)
            yield box(b"free", bytes(300_000))

    async def slowly(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=pieces())

    world.service.on_file = slowly
    async with world.client() as one, world.client():
        task_id = structured(await call(one, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(600)
        done = structured(await call(one, "get_video_task", task_id=task_id))
    task = await world.find_task(task_id)

    assert "file" in done
    assert len(world.files()) == 1
    assert task.failed_downloads == 0, "the other server did not even try"


async def test_a_task_of_another_key_is_said_to_be_another_keys(world: World) -> None:
    """It would be `pending` for ever: nobody here can look at it."""
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
    other = replace(world, account="another key")
    async with other.client() as client:
        shown = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert "GEEKAI_API_KEY" in structured(shown)["next_step"]
    assert "GEEKAI_API_KEY" in text(shown)


ADDRESS = "https://geekai.test/api/v1"


async def test_a_new_key_of_the_same_account_follows_what_the_old_one_paid_for(
    world: World,
) -> None:
    old = replace(world, account=f"{ADDRESS}#old")
    async with old.client() as client:
        arguments = {"prompt": "a fox", "idempotency_key": "shot 1"}
        task_id = structured(await call(client, "generate_video", **arguments))["task_id"]
    new = replace(world, account=f"{ADDRESS}#new")
    async with new.client() as client:
        again = structured(await call(client, "generate_video", **arguments))
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
        await anyio.sleep(60)

    assert Path(done["file"]).read_bytes() == VIDEO
    assert again["task_id"] != task_id


async def test_what_an_earlier_key_paid_for_is_fetched_at_once_if_it_is_done(world: World) -> None:
    old = replace(world, account=f"{ADDRESS}#old")
    async with old.client() as client:
        await call(client, "generate_video", prompt="a fox")
    await anyio.sleep(60)
    new = replace(world, account=f"{ADDRESS}#new")
    async with new.client():
        await anyio.sleep(5)  # before the sweep that would find it as well

    assert len(world.files()) == 1


@pytest.mark.parametrize("identity", [f"{ADDRESS}#new", "https://elsewhere.test/api/v1#new"])
async def test_a_key_of_another_account_leaves_what_it_is_not_shown(
    world: World, identity: str
) -> None:
    old = replace(world, account=f"{ADDRESS}#old")
    async with old.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
    stranger = ScriptedGeekAI(clock=world.service.clock)
    new = replace(world, service=stranger, account=identity)
    async with new.client() as client:
        await anyio.sleep(60)
        shown = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=0))
    async with old.client() as client:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert "GEEKAI_API_KEY" in shown["next_step"]
    assert stranger.poll_count == (1 if identity.startswith(ADDRESS) else 0)
    assert done["task_status"] == "succeed"


async def test_a_task_that_a_server_with_its_key_watches_is_left_to_it(world: World) -> None:
    old = replace(world, account=f"{ADDRESS}#old")
    new = replace(world, account=f"{ADDRESS}#new")
    async with old.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        async with new.client():
            await anyio.sleep(5)
            task = await world.find_task(task_id)
            await anyio.sleep(60)

    assert task.account == old.account


async def test_a_preview_stays_a_preview_when_a_key_is_set_later(world: World) -> None:
    sandboxed = replace(world, account=SANDBOX_URL)
    async with sandboxed.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
    async with world.client() as client:
        preview = structured(await call(client, "get_video_task", task_id=task_id))
        paid = structured(await call(client, "generate_video", prompt="a hare"))

    assert (preview["sandbox"], paid["sandbox"]) == (True, False)


async def test_a_link_that_stays_dead_is_reported_and_is_no_failed_video(world: World) -> None:
    world.service.on_file = always_answer(httpx.Response(404))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(600)
        lost = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)

    assert lost.is_error
    assert structured(lost)["task_status"] == "succeed"
    assert structured(lost)["error"]["code"] == "result_lost"
    assert world.files() == []


async def test_two_keys_on_one_disk_do_not_see_to_each_others_tasks(world: World) -> None:
    """Looking with the wrong key would be refused for ever."""
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
    stranger = ScriptedGeekAI(clock=world.service.clock)
    other = replace(world, service=stranger, account="another key")
    async with other.client():
        await anyio.sleep(60)

    assert stranger.poll_count == 0


async def always_usual(_: httpx.Request) -> None:
    """The service has recovered."""


async def test_servers_that_wait_for_the_ledger_fetch_no_video_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease may be given while another server waits its turn to ask for it."""
    chance, at_once = random.Random(1), anyio.to_thread.run_sync  # noqa: S311 - a test's dice

    async def in_turn(work: Callable[..., Any], *args: object, **more: Any) -> Any:  # noqa: ANN401 - any work's own
        await anyio.sleep(chance.uniform(0.0, 5.0))
        return await at_once(work, *args, **more)

    async with world.app() as one, world.app(), world.app():
        monkeypatch.setattr(anyio.to_thread, "run_sync", in_turn)
        for prompt in ("a fox", "a hare", "an owl", "a crane"):
            await one.engine.submit(
                GenerationRequest(Media.VIDEO, {"model": "m", "prompt": prompt})
            )
        await anyio.sleep(300)
        monkeypatch.setattr(anyio.to_thread, "run_sync", at_once)

    assert len(world.service.charges) == len(world.files()) == 4
