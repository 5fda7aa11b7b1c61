"""Looks: where the end is likely, within what the service bears, and never a word too much."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from mcp import Client

from geekai_video_mcp.domain.lifecycle import (
    GIVE_UP_AFTER,
    GIVE_UP_MIN_POLLS,
)
from geekai_video_mcp.domain.limits import REQUESTS_PER_SECOND
from geekai_video_mcp.domain.polling import (
    DEFAULT_PAUSE,
    MAX_PAUSE,
    MAX_POLL_GAP,
    MIN_HISTORY,
    burst,
    pause,
)
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.tasks import (
    Media,
    new_task,
)
from geekai_video_mcp.engine.context import RATE_LIMIT_MESSAGE
from geekai_video_mcp.engine.watcher import ROUND_SECONDS
from geekai_video_mcp.errors import RATE_LIMITED, ServiceUnavailable
from support.fake_geekai import Script, always_answer, answer_once, api_error, documented_reply
from support.sampling import sample
from support.world import World, call, now, structured, text

pytestmark = pytest.mark.both_databases

DAY = 86_400.0


async def create_task(client: Client, prompt: str = "a fox") -> str:
    """The id of a task that was just asked for."""
    return str(structured(await call(client, "generate_video", prompt=prompt))["task_id"])


async def show_task(client: Client, task_id: str, *, wait: int = 0) -> dict[str, object]:
    return structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=wait))


def record_poll_times(world: World, then: Script = documented_reply) -> list[float]:
    """The true times of all looks from now on; *then* answers them."""
    times: list[float] = []

    async def script(request: httpx.Request) -> httpx.Response | Exception | None:
        times.append(now())
        return await then(request)

    world.service.on_poll = script
    return times


def rate_limited(*, after: str | None = None) -> httpx.Response:
    answer = api_error(429, "rate_limit", "slow down")
    if after is not None:
        answer.headers["Retry-After"] = after
    return answer


# History


async def test_the_first_poll_comes_when_such_videos_used_to_be_done(world: World) -> None:
    world.service.job_seconds = 100
    async with world.client() as client:
        await anyio.sleep(60)
        before = world.service.poll_count
        for number in range(MIN_HISTORY):
            await create_task(client, f"fox {number}")
            await anyio.sleep(200)
        without = (world.service.poll_count - before) / MIN_HISTORY

        times, began = record_poll_times(world), now()
        task_id = await create_task(client)
        await show_task(client, task_id)
        (pending,) = await world.tasks()
        await anyio.sleep(200)

        assert await show_task(client, task_id)
    assert without > 12
    assert 70 < times[0] - began < 100
    assert len(times) <= 10
    assert pending.next_poll_at == pytest.approx(times[0], abs=2)


async def test_a_task_that_was_fetched_late_is_no_history(world: World) -> None:
    for number in range(MIN_HISTORY):
        async with world.client() as client:
            await create_task(client, f"fox {number}")
        await anyio.sleep(DAY / 10)
        async with world.client() as client:
            await anyio.sleep(60)
    async with world.client() as client:
        times, began = record_poll_times(world), now()
        await create_task(client)
        await anyio.sleep(60)

    assert times[0] - began < 12


async def test_what_the_service_says_goes_before_history(world: World) -> None:
    async def in_two_seconds(_: httpx.Request) -> httpx.Response:
        job = list(world.service.jobs)[-1]
        answer = {"task_id": job, "task_status": "pending", "estimated_seconds": 2.0}
        return httpx.Response(200, json=answer)

    async with world.client() as client:
        for number in range(MIN_HISTORY):
            await create_task(client, f"fox {number}")
            await anyio.sleep(60)
        world.service.on_create = in_two_seconds
        times, began = record_poll_times(world), now()
        await create_task(client)
        await anyio.sleep(60)

    assert times[0] - began == pytest.approx(2.15, abs=0.1)


# The budget that all processes share


@asynccontextmanager
async def two_servers_with_a_task_each(
    world: World,
) -> AsyncGenerator[tuple[Client, Client]]:
    world.service.job_seconds = 300
    async with world.client() as one, world.client() as other:
        await create_task(one)
        await create_task(other, "a hare")
        await anyio.sleep(20)
        yield one, other


@pytest.mark.parametrize(
    ("after", "held"),
    [("60", 60.0), (None, DEFAULT_PAUSE), ("7200", MAX_PAUSE)],
    ids=["as asked", "nothing asked", "too much asked"],
)
async def test_a_429_to_one_server_stops_the_polls_of_both(
    world: World, after: str | None, held: float
) -> None:
    async with two_servers_with_a_task_each(world):
        times = record_poll_times(world, answer_once(rate_limited(after=after)))
        await anyio.sleep(300)

    first, second = times[:2]
    assert held <= second - first <= held + MAX_POLL_GAP / 4
    assert len(times) > 4, "and they go on"


async def test_a_429_to_a_submission_stops_the_polls_and_submissions_of_all(world: World) -> None:
    async with two_servers_with_a_task_each(world) as (one, other):
        times = record_poll_times(world)
        world.service.before_charge = answer_once(rate_limited(after="50"))
        began = now()
        await call(one, "generate_video", prompt="a wolf")
        await call(other, "generate_video", prompt="an owl")
        posts = [job.charged_at - began for job in world.service.jobs.values()][2:]
        await anyio.sleep(60)
        posts = [job.charged_at - began for job in world.service.jobs.values()][2:]

    assert len(posts) == 2
    assert all(49 < post < 52 for post in posts)
    # Those of the round that had its tokens before the answer came are made all the same.
    assert not [time for time in times if ROUND_SECONDS < time - began < 49]


@pytest.mark.exhaustive
async def test_many_tasks_are_polled_within_the_rate_limit_and_none_is_forgotten(
    world: World,
) -> None:
    world.service.job_seconds = 10_000
    async with world.client() as one, world.client() as other:
        for number in range(24):
            await create_task((one, other)[number % 2], f"fox {number}")
        times = record_poll_times(world)
        began = anyio.current_time()
        await create_task(one, "in between")
        took = anyio.current_time() - began
        await anyio.sleep(60)

    assert took < 1, "a submission does not wait for the looks"
    assert len(times) <= burst(REQUESTS_PER_SECOND) + 60 * REQUESTS_PER_SECOND
    assert len(times) > 80, "it is used up"
    assert len({request.url.path for request in world.service.requests[-80:]}) == 25


async def test_tasks_that_wait_for_a_poll_do_not_load_the_ledger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, poll_count = anyio.to_thread.run_sync, 0

    async def counted(work: Callable[..., Any], *args: object, **more: Any) -> Any:  # noqa: ANN401 - any work's own
        nonlocal poll_count
        poll_count += 1
        return await at_once(work, *args, **more)

    world.service.job_seconds = 10_000
    async with world.client() as client:
        for number in range(16):
            await create_task(client, f"fox {number}")
        await anyio.sleep(20)
        looks = world.service.poll_count
        with monkeypatch.context() as watched:
            watched.setattr(anyio.to_thread, "run_sync", counted)
            await anyio.sleep(15)
        looks = world.service.poll_count - looks

    assert looks > 20
    assert poll_count < looks * 12


async def newcomer_to(world: World) -> tuple[World, str]:
    """A server elsewhere, and a task that it does not know yet."""
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a fox"))
        theirs = world.provider_id(made["task_id"])
    return World(world.folder / "elsewhere", era=world.era, service=world.service), theirs


async def test_a_poll_that_a_caller_waits_for_does_not_wait_for_the_others(world: World) -> None:
    newcomer, theirs = await newcomer_to(world)
    async with newcomer.client() as client:
        async with newcomer.open_ledger() as ledger:
            await ledger.update_budget(
                newcomer.account,
                lambda known: (replace(known, tokens=0.0, refilled_at=now()), None),
            )
        found = await show_task(client, theirs)

    assert found["task_status"] == "running"


async def test_a_poll_that_a_caller_waits_for_is_refused_while_polling_is_paused(
    world: World,
) -> None:
    newcomer, theirs = await newcomer_to(world)
    async with newcomer.app() as app:
        async with newcomer.open_ledger() as ledger:
            await ledger.update_budget(
                newcomer.account, lambda known: (pause(known, at=now(), seconds=60), None)
            )
        with pytest.raises(ServiceUnavailable, match=RATE_LIMIT_MESSAGE) as refused:
            await app.engine.find_or_import(theirs)

    assert refused.value.code == RATE_LIMITED
    assert refused.value.retry_after_seconds == pytest.approx(60, abs=1)
    assert world.service.poll_count == 0


# Failed looks


@pytest.mark.parametrize(
    "answer",
    [
        api_error(404, "not_found", "no such task"),
        api_error(401, "unauthorized", "revoked"),
    ],
    ids=["forgotten", "refused"],
)
async def test_a_refused_poll_is_retried_half_a_minute_later(
    world: World, answer: httpx.Response
) -> None:
    world.service.job_seconds = 1000
    async with world.client() as client:
        await create_task(client)
        await anyio.sleep(70)
        times = record_poll_times(world, always_answer(answer))
        await anyio.sleep(300)

    gaps = [after - before for before, after in pairwise(times)]
    assert 7 < len(gaps) < 11
    assert 29.9 < min(gaps) <= max(gaps) < 37


async def test_a_new_task_that_is_not_known_yet_is_polled_at_the_normal_pace(
    world: World,
) -> None:
    not_found = [api_error(404, "not_found", "no such task")] * 3

    async def soon(_: httpx.Request) -> httpx.Response | None:
        return not_found.pop() if not_found else None

    times = record_poll_times(world, soon)
    world.service.job_seconds = 20
    async with world.client() as client:
        task_id = await create_task(client)
        done = await show_task(client, task_id, wait=45)

    assert max(after - before for before, after in pairwise(times)) < 8
    assert (done["task_status"], "stale_since" in done) == ("succeed", False)


async def test_a_service_that_is_gone_for_long_changes_nothing_and_is_asked_steadily(
    world: World,
) -> None:
    world.service.job_seconds = 1000
    times = record_poll_times(world, always_answer(httpx.ConnectError("no route")))
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(600)
        stale = await show_task(client, task_id)
        world.service.on_poll = documented_reply
        await anyio.sleep(60)
        back = await show_task(client, task_id)

    assert stale["task_status"] == "pending"
    assert "stale_since" in stale
    assert (back["task_status"], "stale_since" in back) == ("running", False)
    gaps = [after - before for before, after in pairwise(times)]
    assert 5 < min(gaps) < max(gaps) < 20


async def test_a_block_is_waited_out_once_for_a_request_that_a_dead_server_left(
    world: World,
) -> None:
    body = GenerationRequest(Media.VIDEO, {"model": "m", "prompt": "a fox"}).body
    left = new_task(request=body, account=world.account, owner="gone", at=now())
    async with world.open_ledger() as ledger:
        await ledger.add(left)
        await ledger.update_budget(
            left.account, lambda known: (pause(known, at=now(), seconds=100), None)
        )
        async with world.app():
            await anyio.sleep(101)
            after = await ledger.update_budget(left.account, lambda known: (known, known))

    assert world.service.charges == ["a fox"]
    assert after.tokens == -1


# Giving up


async def expire_task(world: World, client: Client) -> str:
    """A task that was looked at for a day in vain; the day itself is not lived through."""
    world.service.job_seconds = 9 * DAY
    task_id = await create_task(client)
    await anyio.sleep(30)
    async with world.open_ledger() as ledger:
        await ledger.change(task_id, lambda task: replace(task, poll_count=GIVE_UP_MIN_POLLS))
    world.clock_is_ahead = GIVE_UP_AFTER
    await anyio.sleep(60)
    return task_id


@pytest.mark.parametrize("forgets", [False, True], ids=["still running", "forgotten"])
async def test_a_task_without_a_result_is_unknown_after_a_day_and_found_when_asked_for(
    world: World, *, forgets: bool
) -> None:
    if forgets:
        world.service.on_poll = always_answer(api_error(404, "not_found", "no such task"))
    async with world.client() as client:
        task_id = await expire_task(world, client)
        looks = world.service.poll_count
        await anyio.sleep(600)
        unasked = world.service.poll_count - looks
        gone = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        poll_count = world.service.poll_count - looks
        world.service.job_seconds, world.service.on_poll = 0, documented_reply
        found = await show_task(client, task_id, wait=45)

    assert (unasked, poll_count) == (0, 1)
    assert gone.is_error
    assert structured(gone)["task_status"] == "unknown"
    assert structured(gone)["error"]["code"] == "no_result"
    assert "It may have been charged." in text(gone)
    assert found["task_status"] == "succeed"
    assert "file" in found


@pytest.mark.parametrize(
    "answer",
    [httpx.ConnectError("no route"), api_error(401, "unauthorized", "revoked")],
    ids=["unreachable", "revoked"],
)
async def test_a_task_that_could_not_be_polled_for_a_day_does_not_expire(
    world: World, answer: httpx.Response | Exception
) -> None:
    """What the service knows of it was never said."""
    world.service.on_poll = always_answer(answer)
    async with world.client() as client:
        task_id = await expire_task(world, client)
        stale = await show_task(client, task_id)

    assert stale["task_status"] == "pending"
    assert "stale_since" in stale


async def test_a_late_video_of_a_task_that_was_given_up_is_fetched_at_once(world: World) -> None:
    async with world.client() as client:
        task_id = await expire_task(world, client)
        await anyio.sleep(1)  # past the sweep that would find it as well
        world.service.job_seconds = 0
        found = await show_task(client, task_id, wait=3)

    assert "file" in found


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.ConnectError("no route"), id="unreachable"),
        pytest.param(api_error(401, "unauthorized", "revoked"), id="revoked"),
        pytest.param(rate_limited(after="3600"), id="limited"),
    ],
)
async def test_asking_for_a_task_that_was_given_up_answers_whatever_the_service_does(
    world: World, answer: httpx.Response | Exception
) -> None:
    async with world.client() as client:
        task_id = await expire_task(world, client)
        world.service.on_poll = always_answer(answer)
        for _ in range(3):
            assert (await show_task(client, task_id))["task_status"] == "unknown"


async def test_asking_for_a_task_that_was_given_up_is_bounded_in_time(world: World) -> None:
    async def never(_: httpx.Request) -> None:
        await anyio.sleep(3600)

    async with world.client() as client:
        task_id = await expire_task(world, client)
        world.service.on_poll = never
        began = anyio.current_time()
        await show_task(client, task_id)

        assert anyio.current_time() - began < 20


# Clocks


JUMPS = [3600.0, -3600.0, DAY, -DAY]


@pytest.mark.parametrize("jump", sample(JUMPS, every=3))
@pytest.mark.parametrize("during", ["submit", "watch", "download"])
async def test_a_clock_that_jumps_pays_once_and_ends_with_the_video(
    world: World, jump: float, during: str
) -> None:
    def jumps_at(step: str) -> Script:
        async def script(_: httpx.Request) -> None:
            if during == step:
                world.clock_is_ahead = jump
            await anyio.sleep(1)

        return script

    world.service.job_seconds = 30
    world.service.before_charge = jumps_at("submit")
    world.service.on_poll = jumps_at("watch")
    world.service.on_file = jumps_at("download")
    async with world.client() as client, world.client():
        task_id = await create_task(client)
        await anyio.sleep(60)
        done = await show_task(client, task_id)

    assert done["task_status"] == "succeed"
    assert "file" in done
    assert world.service.charges == ["a fox"]
    assert len(world.files()) == 1


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_jumps_between_polls_delays_none(world: World, jump: float) -> None:
    world.service.job_seconds = 100
    times = record_poll_times(world)
    async with world.client() as client:
        await create_task(client)
        await anyio.sleep(32)
        world.clock_is_ahead = jump
        await anyio.sleep(200)

    assert max(after - before for before, after in pairwise(times)) < 40
    assert len(world.files()) == 1


@pytest.mark.parametrize("jump", [-3600.0, -DAY])
async def test_a_clock_set_back_ends_a_block(world: World, jump: float) -> None:
    async with two_servers_with_a_task_each(world):
        times = record_poll_times(world, answer_once(rate_limited(after="120")))
        await anyio.sleep(30)
        assert len(times) == 1
        world.clock_is_ahead = jump
        await anyio.sleep(60)

    assert len(times) > 2


async def test_a_clock_set_forward_by_a_day_gives_up_no_fresh_task(world: World) -> None:
    world.service.job_seconds = 600
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(30)
        world.clock_is_ahead = DAY
        await anyio.sleep(300)
        running = await show_task(client, task_id)
        await anyio.sleep(400)
        done = await show_task(client, task_id)

    assert world.service.poll_count < GIVE_UP_MIN_POLLS
    assert (running["task_status"], done["task_status"]) == ("running", "succeed")
