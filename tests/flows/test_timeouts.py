"""Promise 3: no call holds a client past its patience."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from geekai_video_mcp.engine import SUBMIT_TIMEOUT
from geekai_video_mcp.engine.finder import FIND_TIMEOUT
from geekai_video_mcp.server.tools import ANSWER_DEADLINE
from support.fake_geekai import answer_with_estimate
from support.world import World, call, structured, text


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
        task_id = structured(started)["task_id"]
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert took < 20
    assert not started.is_error
    assert structured(started)["task_status"] == "submitting"
    assert task_id[:8] in text(started)
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


async def test_an_unknown_id_that_the_service_is_slow_to_find_is_not_waited_for(
    world: World,
) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(25)

    world.service.on_poll = slowly
    async with world.client() as client:
        began = anyio.current_time()
        missing = await call(client, "get_video_task", task_id="a-stranger-1", wait_seconds=0)

        assert anyio.current_time() - began < 20
    assert missing.is_error
    assert text(missing) == (
        "GeekAI did not answer in time, or another process holds the task database. The same call"
        " may work later."
    )


@pytest.fixture
def hold_ledger(
    virtual_time: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], AbstractContextManager[None]]:
    """A ledger that another process holds while the block lasts."""
    del virtual_time
    at_once = anyio.to_thread.run_sync

    async def in_a_minute(work: Callable[..., Any], *args: object, **more: Any) -> Any:  # noqa: ANN401 - any work's own
        await anyio.sleep(60)
        return await at_once(work, *args, **more)

    @contextmanager
    def block() -> Generator[None]:
        with monkeypatch.context() as busy:
            busy.setattr(anyio.to_thread, "run_sync", in_a_minute)
            yield

    return block


async def test_a_request_that_a_held_ledger_may_not_have_taken_is_safely_asked_for_again(
    world: World, hold_ledger: Callable[[], AbstractContextManager[None]]
) -> None:
    async with world.client() as client:
        await anyio.sleep(1)
        with hold_ledger():
            began = anyio.current_time()
            refused = await call(client, "generate_video", prompt="a fox")
            took = anyio.current_time() - began
        await anyio.sleep(200)
        again = structured(await call(client, "generate_video", prompt="a fox"))

    assert took == pytest.approx(SUBMIT_TIMEOUT, abs=0.1)
    assert refused.is_error
    assert text(refused) == (
        f"Task {again['task_id']} could not be written: the task database is busy."
        " It may have been charged. Repeat the same call unchanged: if the request was recorded,"
        " it returns that task."
    )
    assert world.service.charges == ["a fox"]


async def test_pictures_and_the_service_share_the_callers_patience(world: World) -> None:
    """A reference that the service takes its time to know, and then a POST that hangs."""

    async def slow(_: httpx.Request) -> None:
        await anyio.sleep(9)

    async def hang(_: httpx.Request) -> None:
        await anyio.sleep(200)

    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
    theirs = world.provider_id(first["task_id"])
    (world.state / "ledger.sqlite3").unlink()
    world.service.on_poll, world.service.on_create = slow, hang
    async with world.client() as client:
        began = anyio.current_time()
        arguments = {"model": "doubao-seedance-2.0", "video": f"task:{theirs}"}
        shown = structured(await call(client, "generate_video", prompt="a fox again", **arguments))
        took = anyio.current_time() - began

    assert shown["task_status"] == "submitting"
    assert took == pytest.approx(ANSWER_DEADLINE, abs=0.1)


async def test_a_ledger_that_someone_else_holds_is_waited_for_as_long_and_no_longer(
    world: World, hold_ledger: Callable[[], AbstractContextManager[None]]
) -> None:
    async with world.client() as client:
        await anyio.sleep(1)
        with hold_ledger():
            began = anyio.current_time()
            refused = await call(client, "get_video_task", task_id="x" * 100)
            took = anyio.current_time() - began

    assert took == pytest.approx(FIND_TIMEOUT, abs=0.1)
    assert refused.is_error
    assert text(refused) == (
        "GeekAI did not answer in time, or another process holds the task database. The same call"
        " may work later."
    )


@pytest.mark.parametrize(("answered_after", "held"), [(3, 2), (100, 8)])
async def test_closing_waits_for_an_answer_and_not_for_ever(
    world: World, answered_after: float, held: float
) -> None:
    """A host kills what does not close: better to be told to look than to be cut off."""

    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(answered_after)

    world.service.on_create = slowly
    async with world.client() as client:
        with anyio.move_on_after(1):
            await client.call_tool("generate_video", {"prompt": "a fox"})
        began = anyio.current_time()

    assert held <= anyio.current_time() - began < held + 1


async def test_a_wait_that_runs_out_is_a_normal_answer(world: World) -> None:
    world.service.job_seconds = 300
    async with world.client() as client:
        began = anyio.current_time()
        running = await call(client, "generate_video", **{"prompt": "a fox", "async": False})
        took = anyio.current_time() - began
        began = anyio.current_time()
        looked = await call(client, "get_video_task", task_id=structured(running)["task_id"])
        default = anyio.current_time() - began

    assert 45 <= took < 47
    assert default < 20
    for result in (running, looked):
        assert not result.is_error
        assert structured(result)["task_status"] == "running"
        assert "get_video_task" in structured(result)["next_step"]


async def test_a_call_without_waiting_answers_at_once(world: World) -> None:
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        began = anyio.current_time()
        await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert anyio.current_time() - began < 1


async def test_a_change_wakes_a_waiting_call_at_once(world: World) -> None:
    fetched: list[float] = []

    async def note_the_time(_: httpx.Request) -> None:
        fetched.append(anyio.current_time())

    world.service.on_file = note_the_time
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        told_at = anyio.current_time()

    assert told_at == pytest.approx(fetched[-1], abs=0.1)  # not at its next glance, in a second


async def test_the_services_own_estimate_sets_the_polling(world: World) -> None:
    """Without it the first look comes after ten seconds."""
    world.service.job_seconds = 2.0
    world.service.on_create = answer_with_estimate(world.service, seconds=2.0)
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        began = anyio.current_time()
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert done["task_status"] == "succeed"
    assert anyio.current_time() - began < 3
