"""A dry run tells what a call would come to, and spends nothing."""

import base64
import sqlite3

import anyio

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.admission import Limits
from support.fake_geekai import STILL
from support.world import World, call, structured, text


async def test_a_dry_run_sends_and_records_nothing(world: World) -> None:
    async with world.client() as client:
        shown = await call(client, "generate_video", prompt="a fox", dry_run=True)
    with sqlite3.connect(world.state / "ledger.sqlite3") as disk:
        rows = disk.execute("SELECT count(*) FROM task").fetchone()
    disk.close()

    assert not shown.is_error
    assert "Nothing was charged." in text(shown)
    assert "task_id" not in structured(shown)
    assert world.service.requests == []
    assert rows == (0,)


async def test_it_shows_the_request_as_it_would_be_sent(world: World) -> None:
    picture = (
        "data:image/png;base64," + base64.b64encode(STILL + bytes(30_000 - len(STILL))).decode()
    )
    async with world.client() as client:
        shown = await call(
            client, "generate_video", prompt="a fox", image=picture, duration=5, dry_run=True
        )
        await call(client, "generate_video", prompt="a fox", image=picture, duration=5)

    request = structured(shown)["dry_run"]["request"]
    sent = next(iter(world.service.jobs.values())).body
    assert request.pop("image").startswith("data:image/png;base64,... (40,022 characters, sha256 ")
    assert sent.pop("image") == picture
    assert request == sent
    assert len(text(shown)) < 1000


async def test_it_shows_a_known_price_with_its_source_and_date(world: World) -> None:
    async with world.client() as client:
        each = structured(
            await call(client, "generate_video", prompt="a fox", model="cogvideox-3", dry_run=True)
        )["dry_run"]
        long = await call(
            client, "generate_video", prompt="a fox", model="sora-2", duration=8, dry_run=True
        )
        by_length = structured(long)["dry_run"]
        free = await call(client, "generate_video", prompt="a fox", dry_run=True)

    assert each["cost_cny"] == 1.0
    assert "It costs about 6 CNY: 8 s at 0.75 CNY per second (" in text(long)
    assert each["price"].startswith("It costs about 1 CNY, the listed price per video (geekai.co/")
    assert each["price"].endswith("read 2026-04-25).")
    assert by_length["cost_cny"] == 6.0
    assert "0.75 CNY per second" in by_length["price"]
    assert "free of charge" in text(free)


async def test_a_price_that_is_not_known_is_not_made_up(world: World) -> None:
    async with world.client() as client:
        for unknown in ({"model": "kling-video-v9"}, {"model": "super-video-2.0"}):
            shown = structured(
                await call(client, "generate_video", prompt="a fox", dry_run=True, **unknown)
            )
            assert "cost_cny" not in shown["dry_run"]


async def test_it_shows_what_the_caps_leave(world: World) -> None:
    world.limits = Limits(per_day=2, in_flight=5)
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
        room = await call(client, "generate_video", prompt="two", dry_run=True)
        await call(client, "generate_video", prompt="two")
        none = await call(client, "generate_video", prompt="three", dry_run=True)

    assert structured(room)["dry_run"]["videos_left_today"] == 1
    assert structured(room)["dry_run"]["in_flight_left"] == 4
    assert "1 more today, and 4 at the same time" in text(room)
    assert structured(none)["dry_run"]["videos_left_today"] == 0
    assert "would be refused" in text(none)
    assert "GEEKAI_MAX_VIDEOS_PER_DAY" in structured(none)["dry_run"]["refused"]


async def test_it_shows_which_task_the_call_would_duplicate(world: World) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        shown = await call(client, "generate_video", prompt="a fox", dry_run=True)

    assert structured(shown)["dry_run"]["duplicate_of"] == first["task_id"]
    assert first["task_id"][:8] in text(shown)


async def test_it_foresees_a_new_video_where_the_call_would_make_one(world: World) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        take = await call(client, "generate_video", prompt="a fox", variation=2, dry_run=True)
        await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
        soon = await call(client, "generate_video", prompt="a fox", dry_run=True)
        await anyio.sleep(70)
        later = await call(client, "generate_video", prompt="a fox", dry_run=True)

    assert "duplicate_of" not in structured(take)["dry_run"]
    assert structured(soon)["dry_run"]["duplicate_of"] == first["task_id"]
    assert "duplicate_of" not in structured(later)["dry_run"]


async def test_it_shows_that_the_cap_in_flight_is_reached(world: World) -> None:
    world.limits = Limits(per_day=50, in_flight=1)
    async with world.client() as client:
        await call(client, "generate_video", prompt="one")
        none = structured(await call(client, "generate_video", prompt="two", dry_run=True))[
            "dry_run"
        ]

    assert none["in_flight_left"] == 0
    assert "GEEKAI_MAX_IN_FLIGHT" in none["refused"]


async def test_a_key_of_another_request_is_refused_in_a_dry_run_as_well(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", idempotency_key="k")
        refused = await call(
            client, "generate_video", prompt="a hare", idempotency_key="k", dry_run=True
        )

    assert refused.is_error
    assert "differs in prompt" in text(refused)


async def test_it_warns_of_what_may_cost_more(world: World) -> None:
    async with world.client() as client:
        shown = await call(client, "generate_video", prompt="a fox", retries=2, dry_run=True)

    assert "may cost more" in text(shown)
    assert len(structured(shown)["dry_run"]["warnings"]) == 1


async def test_a_sandbox_preview_is_free(world: World) -> None:
    sandboxed = World(world.folder, era=world.era, service=world.service, account=SANDBOX_URL)
    async with sandboxed.client() as client:
        shown = structured(
            await call(client, "generate_video", prompt="a fox", model="sora-2", dry_run=True)
        )

    assert shown["sandbox"]
    assert shown["dry_run"]["cost_cny"] == 0.0
    # Someone without a key asks for the price of the real one.
    assert shown["dry_run"]["cost_with_key_cny"] == 3.0
    assert "with a key it would cost about 3 CNY: 4 s at 0.75 CNY" in shown["dry_run"]["price"]
    assert "videos_left_today" not in shown["dry_run"]
