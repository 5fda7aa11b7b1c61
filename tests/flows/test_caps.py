"""What may be spent is capped by configuration, in the transaction that records the wish."""

from dataclasses import replace
from functools import partial

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.admission import Limits
from support.fake_geekai import always_answer, answer_once, api_error
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_databases

DAY = 24 * 3600.0


async def test_the_video_past_the_days_cap_is_refused_and_says_when(world: World) -> None:
    world.limits = Limits(per_day=2, in_flight=10)
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
        await anyio.sleep(3600)
        await call(client, "generate_video", prompt="two")
        refused = await call(client, "generate_video", prompt="three")
    await anyio.sleep(DAY - 3600 - 60)
    async with world.client() as client:
        still = await call(client, "generate_video", prompt="three")
        await anyio.sleep(120)
        works = await call(client, "generate_video", prompt="three")

    assert refused.is_error
    assert still.is_error
    assert "Nothing was charged." in text(refused)
    assert "GEEKAI_MAX_VIDEOS_PER_DAY=2" in text(refused)
    assert "no further video can be requested before 2026-09-22T14:13:20+00:00" in text(refused)
    assert not works.is_error
    assert world.service.charges == ["one", "two", "three"]


async def test_the_video_past_the_cap_in_flight_waits_for_one_to_end(world: World) -> None:
    world.limits = Limits(per_day=50, in_flight=1)
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="one"))
        refused = await call(client, "generate_video", prompt="two")
        await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
        works = await call(client, "generate_video", prompt="two")

    assert refused.is_error
    assert "1 video is already in progress (GEEKAI_MAX_IN_FLIGHT=1)." in text(refused)
    assert "Nothing was charged." in text(refused)
    assert not works.is_error


@pytest.mark.parametrize(
    ("stage", "after"),
    [("intended", 1), ("submitting", 60), ("pending", 75), ("running", 100)],
)
async def test_a_place_is_kept_at_every_stage_under_way(
    world: World, stage: str, after: float
) -> None:
    """It waits out a rate limit, waits for its answer, is accepted, and runs."""

    async def in_a_while(_: httpx.Request) -> None:
        await anyio.sleep(30)

    limited = api_error(429, "rate_limit", "slow down")
    limited.headers["Retry-After"] = "40"
    world.limits = Limits(per_day=50, in_flight=1)
    world.service.before_charge, world.service.on_create = answer_once(limited), in_a_while
    world.service.job_seconds = 120
    async with world.client() as client, anyio.create_task_group() as callers:
        callers.start_soon(partial(call, client, "generate_video", prompt="one"))
        await anyio.sleep(after)
        (first,) = await world.tasks()
        refused = await call(client, "generate_video", prompt="two")

        assert first.status == stage
        assert "GEEKAI_MAX_IN_FLIGHT" in text(refused)


async def test_calls_at_the_same_moment_pass_no_cap(world: World) -> None:
    world.limits = Limits(per_day=50, in_flight=3)
    async with world.client() as client, anyio.create_task_group() as callers:
        for number in range(8):
            callers.start_soon(partial(call, client, "generate_video", prompt=f"fox {number}"))

    assert len(world.service.charges) == 3


async def test_a_repeat_needs_no_room_under_the_caps(world: World) -> None:
    world.limits = Limits(per_day=1, in_flight=1)
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
        again = structured(await call(client, "generate_video", prompt="one"))

    assert again["deduplicated"]


async def test_what_was_refused_gives_its_place_back(world: World) -> None:
    world.limits = Limits(per_day=1, in_flight=1)
    world.service.before_charge = answer_once(api_error(400, "bad", "no"))
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
        works = await call(client, "generate_video", prompt="two")

    assert not works.is_error


async def test_an_unknown_outcome_keeps_its_place(world: World) -> None:
    world.limits = Limits(per_day=50, in_flight=1)
    world.service.on_create = always_answer(httpx.ReadError("reset"))
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
        await anyio.sleep(3600)
        refused = await call(client, "generate_video", prompt="two")

    assert refused.is_error
    assert "geekai-video-mcp tasks" in text(refused)
    assert world.service.charges == ["one"]


async def test_a_failed_video_counts_for_its_day(world: World) -> None:
    """Whether a failure is billed is not documented."""
    world.limits = Limits(per_day=1, in_flight=10)
    world.service.error = {"code": "moderation", "message": "no"}
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
        await anyio.sleep(60)
        refused = await call(client, "generate_video", prompt="two")

    assert refused.is_error


async def test_a_task_made_elsewhere_takes_no_place(world: World) -> None:
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="one"))
    elsewhere = World(world.folder / "elsewhere", era=world.era, service=world.service)
    elsewhere.limits = Limits(per_day=1, in_flight=1)
    async with elsewhere.client() as client:
        await call(client, "get_video_task", task_id=world.provider_id(made["task_id"]))
        works = await call(client, "generate_video", prompt="two")

    assert not works.is_error


async def test_another_service_has_caps_of_its_own(world: World) -> None:
    world.limits = Limits(per_day=1, in_flight=1)
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
    other = replace(world, account="another key")
    other.limits = world.limits
    async with other.client() as client:
        works = await call(client, "generate_video", prompt="two")

    assert not works.is_error


async def test_a_cap_of_nothing_allows_nothing(world: World) -> None:
    world.limits = Limits(per_day=0, in_flight=10)
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="one")

    assert refused.is_error
    assert (
        "no further video can be requested unless the limit in the server's configuration"
        in text(refused)
    )
    assert world.service.requests == []
