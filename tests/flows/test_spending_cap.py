"""A day's cap in CNY, in the transaction that records the request."""

from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.errors import CapReached
from support.fake_geekai import always_answer, answer_once, api_error
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_databases

DAY = 24 * 3600.0
EACH = "cogvideox-3"
"""1 CNY a video, by the packaged list."""


def capped(cny: float) -> Limits:
    return Limits(per_day=50, in_flight=50, cny_per_day=cny)


async def test_the_request_past_the_cap_is_refused_and_says_when_there_is_room(
    world: World,
) -> None:
    world.limits = capped(20)
    async with world.client() as client:
        await call(client, "generate_video", prompt="cheap", model="cogvideox-2")
        await anyio.sleep(3600)
        for prompt in ("one", "two"):
            await call(client, "generate_video", prompt=prompt, model="sora-2", duration=12)
        refused = await call(client, "generate_video", prompt="three", model="sora-2", duration=4)
        fits = await call(client, "generate_video", prompt="four", model=EACH)
    await anyio.sleep(DAY - 60)
    async with world.client() as client:
        still = await call(client, "generate_video", prompt="three", model="sora-2", duration=4)
        await anyio.sleep(120)
        works = await call(client, "generate_video", prompt="three", model="sora-2", duration=4)

    # 0.5 of an hour before leaves too little room; the first 9 leave enough.
    assert text(refused) == (
        "The requests of the last 24 hours are listed at 18.5 CNY, and this one is listed at 3 CNY"
        " (GEEKAI_MAX_CNY_PER_DAY=20). Nothing was charged. Tell the user: there is room for this"
        " request from 2026-09-22T15:13:20+00:00 on, one of up to 1.5 CNY still fits, and only the"
        " server's configuration raises this cap."
    )
    assert not fits.is_error
    assert still.is_error
    assert not works.is_error
    assert world.service.charges == ["cheap", "one", "two", "four", "three"]


async def test_a_request_above_the_cap_by_itself_is_told_so(world: World) -> None:
    world.limits = capped(2.5)
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a", model="sora-2", duration=8)

    assert "this request alone is above the cap" in text(refused)
    assert "one of up to 2.5 CNY still fits" in text(refused)
    assert world.service.requests == []


async def test_amounts_that_floats_cannot_hold_fill_the_cap_exactly(world: World) -> None:
    """Three times 1.35 is more than 4.05 in binary."""
    world.limits = capped(4.05)
    made = {"model": "MiniMax-Hailuo-2.3-Fast", "image": "https://example.com/1.png"}
    async with world.client() as client:
        results = [
            await call(client, "generate_video", prompt=f"fox {number}", **made)
            for number in range(4)
        ]

    assert [bool(result.is_error) for result in results] == [False, False, False, True]
    assert "are listed at 4.05 CNY" in text(results[-1])
    assert "only a free one fits now" in text(results[-1])


async def test_a_cap_of_nothing_allows_what_is_free_alone(world: World) -> None:
    world.limits = capped(0)
    async with world.client() as client:
        free = await call(client, "generate_video", prompt="a fox", retries=2)
        picture = await call(client, "generate_image", prompt="a fox")
        paid = await call(client, "generate_video", prompt="a hare", model=EACH)

    assert not free.is_error
    assert not picture.is_error
    assert paid.is_error
    assert "GEEKAI_MAX_CNY_PER_DAY=0" in text(paid)
    assert "only a free one fits now" in text(paid)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (
            "generate_video",
            {"model": "kling-video-v2-6", "duration": 10},
            [
                ": the price of kling-video-v2-6 is not known here",
                "Use a model whose price is known, such as cogvideox-3 (1 CNY)",
            ],
        ),
        (
            "generate_video",
            {"model": "unheard-of"},
            ["such as cogvideox-flash (free), cogvideox (0.5 CNY) or cogvideox-2 (0.5 CNY);"],
        ),
        (
            "generate_video",
            {"model": "veo-3.0-generate-001"},
            ["costs 3 CNY per second of a length that is not given", "Give duration;"],
        ),
        (
            "generate_video",
            {"model": "MiniMax-H3", "duration": 5, "resolution": "2K"},
            [
                "the price of MiniMax-H3 is listed only at 768P",
                "Make the request at 768P, or use a model whose price is known",
            ],
        ),
        (
            "generate_video",
            {"model": EACH, "retries": 1},
            ["retries can make this one cost more than its listed price", "Leave retries out;"],
        ),
        (
            "generate_video",
            {"model": "veo-3.0-generate-001", "retries": 1, "extra_body": {"seed": 1}},
            ["Give duration. Leave retries and extra_body out;"],
        ),
        (
            "generate_image",
            {"model": "unheard-of"},
            ["such as cogview-3-flash (free);"],
        ),
    ],
)
async def test_a_request_whose_cost_is_not_known_is_refused_with_what_to_change(
    world: World, tool: str, arguments: dict[str, Any], said: list[str]
) -> None:
    world.limits = capped(100)
    async with world.client() as client:
        refused = await call(client, tool, prompt="a fox", **arguments)
        shown = await call(client, tool, prompt="a fox", **arguments, dry_run=True)

    assert refused.is_error
    assert "GEEKAI_MAX_CNY_PER_DAY=100 allows only requests whose price is known" in text(refused)
    assert text(refused).count("Nothing was charged.") == 1
    for words in said:
        assert words in text(refused)
        assert words in text(shown)
    assert "allows only requests" in structured(shown)["dry_run"]["refused"]
    assert world.service.requests == []


async def test_the_models_that_are_named_can_make_what_was_asked_for(world: World) -> None:
    world.limits = capped(100)
    wish: dict[str, Any] = {
        "prompt": "a fox",
        "aspect_ratio": "9:16",
        "duration": 10,
        "with_audio": True,
        "resolution": "720p",
    }
    async with world.client() as client:
        refused = await call(client, "generate_video", **wish, model="kling-video-v3")
        named = text(refused).partition("such as ")[2].partition(" (")[0]
        works = await call(client, "generate_video", **wish, model=named)

    assert refused.is_error
    assert not works.is_error
    assert structured(works)["price_cny"] > 0


async def test_the_models_that_are_named_include_those_that_take_it_in_other_words(
    world: World,
) -> None:
    world.limits = capped(100)
    wish: dict[str, Any] = {"prompt": "a fox", "aspect_ratio": "9:16", "resolution": "1080p"}
    async with world.client() as client:
        refused = await call(client, "generate_video", **wish, model="wan2.7-t2v")
        works = await call(client, "generate_video", **wish, model="cogvideox-flash")

    assert "such as cogvideox-flash (free), cogvideox (0.5 CNY) or cogvideox-2 (" in text(refused)
    assert not works.is_error


async def test_a_dry_run_tells_what_is_left(world: World) -> None:
    world.limits = capped(12.5)
    async with world.client() as client:
        await call(client, "generate_video", prompt="one", model="cogvideox-2")
        shown = await call(client, "generate_video", prompt="two", model=EACH, dry_run=True)
        over = await call(
            client, "generate_video", prompt="two", model="sora-2-pro", duration=12, dry_run=True
        )

    assert structured(shown)["dry_run"]["cny_left_today"] == 12
    assert "The caps leave 49 more today, 49 at the same time, and 12 CNY today." in text(shown)
    assert "refused" not in structured(shown)["dry_run"]
    assert "this one is listed at 27 CNY" in structured(over)["dry_run"]["refused"]
    assert "only the server's configuration raises this cap" in text(over)


async def test_without_the_cap_nothing_is_said_of_it(world: World) -> None:
    world.limits = Limits(per_day=5, in_flight=5)
    async with world.client() as client:
        shown = await call(client, "generate_video", prompt="two", model=EACH, dry_run=True)
        works = await call(client, "generate_video", prompt="a", model="kling-video-v2-6")

    assert "cny_left_today" not in structured(shown)["dry_run"]
    assert not works.is_error


async def test_calls_at_the_same_moment_pass_no_cap(world: World) -> None:
    world.limits = capped(3)
    async with world.client() as client, anyio.create_task_group() as callers:
        for number in range(8):
            made = {"prompt": f"fox {number}", "model": EACH}
            callers.start_soon(partial(call, client, "generate_video", **made))

    assert len(world.service.charges) == 3


async def test_what_was_refused_gives_its_money_back_and_a_failed_video_does_not(
    world: World,
) -> None:
    world.limits = capped(1)
    world.service.before_charge = answer_once(api_error(400, "bad", "no"))
    world.service.error = {"code": "moderation", "message": "no"}
    async with world.client() as client:
        await call(client, "generate_video", prompt="one", model=EACH)
        works = await call(client, "generate_video", prompt="two", model=EACH)
        await anyio.sleep(60)
        refused = await call(client, "generate_video", prompt="three", model=EACH)

    assert not works.is_error
    assert "GEEKAI_MAX_CNY_PER_DAY=1" in text(refused)


async def test_a_repeat_needs_no_room_and_what_has_no_price_is_mentioned(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="before", model="kling-video-v2-6")
    world.limits = capped(1)
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="one", model=EACH))
        again = structured(await call(client, "generate_video", prompt="one", model=EACH))
        refused = await call(client, "generate_video", prompt="two", model=EACH)

    assert again["task_id"] == first["task_id"]
    assert "listed at 1 CNY, besides 1 of unknown price, and this one" in text(refused)


async def test_what_a_person_sends_again_obeys_the_cap_and_is_priced_anew(world: World) -> None:
    world.service.on_create = always_answer(api_error(500, "internal", "no"))
    async with world.client() as client:
        made = await call(client, "generate_video", prompt="one", model=EACH)
    task_id = structured(made)["task_id"]
    assert structured(made)["task_status"] == "unknown"
    world.limits = capped(1.5)
    async with world.resolver() as resolver:
        with pytest.raises(CapReached, match="GEEKAI_MAX_CNY_PER_DAY"):
            await resolver.supersede(task_id)
    world.limits = capped(2)
    async with world.resolver() as resolver:
        new = await resolver.supersede(task_id)

    # What was abandoned may have been charged, and counts on.
    assert (new.price_cny, new.price_read_on) == (1, "2026-04-25")
    assert (await world.find_task(task_id)).status == "abandoned"


async def test_the_sandbox_is_exempt(world: World) -> None:
    sandboxed = replace(world, account=SANDBOX_URL)
    async with sandboxed.client() as client:
        works = await call(client, "generate_video", prompt="a", model="kling-video-v2-6")

    assert not works.is_error
    assert "price" not in text(works)
