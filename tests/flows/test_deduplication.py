"""A call that is made again is not paid for again, unless another take is what was asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from support.fake_geekai import always_answer, answer_once, api_error
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_databases


async def test_a_call_made_again_before_its_result_was_read_returns_its_task(world: World) -> None:
    """As an agent does whose host cut the first call off."""
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox", duration=5))
        await anyio.sleep(3600)
        again = await call(client, "generate_video", duration=5, prompt="a fox")

    assert world.service.charges == ["a fox"]
    assert structured(again)["task_id"] == first["task_id"]
    assert (first.get("deduplicated"), structured(again)["deduplicated"]) == (None, True)
    assert "nothing new was sent" in text(again)
    assert "variation" in text(again)


async def test_a_call_cut_off_before_its_answer_is_joined_by_the_next(world: World) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(20)

    world.service.on_create = slowly
    async with world.client() as client:
        with anyio.move_on_after(10):
            await client.call_tool("generate_video", {"prompt": "a fox"})
        joined = structured(await call(client, "generate_video", prompt="a fox"))

    assert joined["deduplicated"]
    assert joined["task_status"] == "pending"
    assert world.service.charges == ["a fox"]


async def test_the_same_call_a_minute_after_its_result_was_read_is_a_new_request(
    world: World,
) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        done = structured(
            await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
        )
        await anyio.sleep(55)
        soon = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(10)
        later = structured(await call(client, "generate_video", prompt="a fox"))

    assert done["task_status"] == "succeed"
    assert soon["task_id"] == first["task_id"]
    assert Path(soon["file"]).exists()
    assert later["task_id"] != first["task_id"]
    assert not later.get("deduplicated")
    assert world.service.charges == ["a fox", "a fox"]


async def test_an_unread_result_is_not_waited_for_longer_than_a_day(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
    await anyio.sleep(24 * 3600 + 60)
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        await anyio.sleep(60)

    assert world.service.charges == ["a fox", "a fox"]


async def test_a_wait_that_ran_out_reads_no_result(world: World) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=0)
        await anyio.sleep(3600)
        again = structured(await call(client, "generate_video", prompt="a fox"))

    assert again["deduplicated"]


async def test_the_order_of_members_makes_no_other_request(world: World) -> None:
    async with world.client() as client:
        for extra in (
            {"seed": 1, "style": {"a": 1, "b": 2}},
            {"style": {"b": 2, "a": 1}, "seed": 1},
        ):
            await call(client, "generate_video", prompt="a fox", extra_body=extra)

    assert world.service.charges == ["a fox"]


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "a hare"},
        {"prompt": "a fox", "fps": 60},
        {"prompt": "a fox", "model": "cogvideox-3"},
        {"prompt": "a fox", "variation": 2},
        {"prompt": "a fox", "idempotency_key": "second take"},
    ],
    ids=",".join,
)
async def test_another_request_is_another_video(world: World, other: dict[str, object]) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        second = structured(await call(client, "generate_video", **other))

    assert not second.get("deduplicated")
    assert len(world.service.charges) == 2


async def test_takes_of_one_batch_are_each_their_own(world: World) -> None:
    async with world.client() as client:
        for _ in range(2):
            for variation in (1, 2, 3):
                await call(client, "generate_video", prompt="a fox", variation=variation)

    assert len(world.service.charges) == 3


async def test_calls_at_the_same_moment_are_paid_for_once(world: World) -> None:
    ids: list[str] = []

    async def ask() -> None:
        ids.append(structured(await call(client, "generate_video", prompt="a fox"))["task_id"])

    async with world.client() as client, anyio.create_task_group() as callers:
        for _ in range(8):
            callers.start_soon(ask)

    assert world.service.charges == ["a fox"]
    assert len(ids) == 8
    assert len(set(ids)) == 1


async def test_a_key_names_one_request_for_good(world: World) -> None:
    async with world.client() as client:
        first = structured(
            await call(client, "generate_video", prompt="a fox", idempotency_key="shot 1")
        )
        await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
    await anyio.sleep(7 * 24 * 3600)
    async with world.client() as client:
        again = structured(
            await call(client, "generate_video", prompt="a fox", idempotency_key="shot 1")
        )

    assert again["deduplicated"]
    assert again["task_id"] == first["task_id"]
    assert world.service.charges == ["a fox"]


async def test_the_way_to_another_take_that_a_repeat_names_is_one(world: World) -> None:
    arguments = {"prompt": "a fox", "idempotency_key": "shot 1"}
    async with world.client() as client:
        first = structured(await call(client, "generate_video", **arguments))
        again = text(await call(client, "generate_video", **arguments))
        refused = await call(client, "generate_video", **arguments, variation=2)
        arguments["idempotency_key"] = "shot 2"
        second = structured(await call(client, "generate_video", **arguments))

    assert "with a new idempotency_key." in again
    assert "variation" not in again
    assert refused.is_error
    assert second["task_id"] != first["task_id"]


async def test_a_key_of_another_request_is_refused_by_the_fields_that_differ(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", idempotency_key="k", size="720x480")
        refused = await call(
            client, "generate_video", prompt="a red fox", idempotency_key="k", fps=30, variation=1
        )

    assert refused.is_error
    assert "Nothing was charged." in text(refused)
    assert "differs in fps, prompt, size, variation" in text(refused)
    assert "red fox" not in text(refused)
    assert '"k"' in text(refused)
    assert world.service.charges == ["a fox"]


async def test_a_variation_that_is_the_same_is_not_said_to_differ(world: World) -> None:
    same: dict[str, Any] = {"idempotency_key": "k", "variation": 1}
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", **same)
        refused = await call(client, "generate_video", prompt="a hare", **same)

    assert "differs in prompt;" in text(refused)


async def test_two_services_may_use_the_same_key(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", idempotency_key="k")
    other = replace(world, account="another key")
    async with other.client() as client:
        second = structured(
            await call(client, "generate_video", prompt="a hare", idempotency_key="k")
        )

    assert not second.get("deduplicated")


async def test_the_same_request_with_another_key_of_geekais_is_not_a_duplicate(
    world: World,
) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
    other = replace(world, account="another key")
    async with other.client() as client:
        second = structured(await call(client, "generate_video", prompt="a fox"))

    assert not second.get("deduplicated")
    assert world.service.charges == ["a fox", "a fox"]


async def test_what_was_refused_is_not_what_the_next_call_repeats(world: World) -> None:
    world.service.before_charge = answer_once(api_error(402, "insufficient_balance", "top up"))
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")
        works = structured(await call(client, "generate_video", prompt="a fox"))

    assert "Nothing was charged." in text(refused)
    assert not works.get("deduplicated")
    assert world.service.charges == ["a fox"]


async def test_of_two_that_a_call_may_repeat_it_is_the_newer(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", idempotency_key="one")
        await anyio.sleep(1)
        newer = structured(
            await call(client, "generate_video", prompt="a fox", idempotency_key="two")
        )
        again = structured(await call(client, "generate_video", prompt="a fox"))

    assert again["task_id"] == newer["task_id"]


async def test_what_was_refused_may_be_asked_again_with_the_same_key(world: World) -> None:
    """Nothing was charged: once the account is topped up, the same call must work."""
    world.service.before_charge = answer_once(api_error(402, "insufficient_balance", "top up"))
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox", idempotency_key="k")
        works = structured(
            await call(client, "generate_video", prompt="a fox", idempotency_key="k")
        )
        again = structured(
            await call(client, "generate_video", prompt="a fox", idempotency_key="k")
        )

    assert "Nothing was charged." in text(refused)
    assert works["task_id"] == again["task_id"] != structured(refused)["task_id"]
    assert world.service.charges == ["a fox"]


async def test_a_failure_that_was_delivered_may_be_tried_again_at_once(world: World) -> None:
    world.service.error = {"code": "moderation", "message": "no foxes"}
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(60)
        unread = structured(await call(client, "generate_video", prompt="a fox"))
        retried = structured(await call(client, "generate_video", prompt="a fox"))

    assert unread["task_id"] == first["task_id"]
    assert unread["error"]["code"] == "moderation"
    assert retried["task_id"] != first["task_id"]


async def test_an_unknown_outcome_is_never_repeated_however_often_it_was_delivered(
    world: World,
) -> None:
    world.service.on_create = always_answer(httpx.ReadError("reset"))
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        await call(client, "get_video_task", task_id=first["task_id"])
        await anyio.sleep(3600)
        again = await call(client, "generate_video", prompt="a fox")

    assert structured(again)["task_id"] == first["task_id"]
    assert again.is_error
    assert "It may have been charged." in text(again)
    assert "variation" not in text(again)
    assert world.service.charges == ["a fox"]


async def test_an_unknown_outcome_that_was_found_is_followed_and_not_paid_for_again(
    world: World,
) -> None:
    """That its outcome is unknown was told long ago; how it ended was not."""
    world.service.job_seconds = 900
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        (charged,) = world.service.jobs
        async with world.resolver() as resolver:
            await resolver.attach(first["task_id"], charged)
        await anyio.sleep(120)
        again = structured(await call(client, "generate_video", prompt="a fox"))

    assert first["task_status"] == "unknown"
    assert (again["task_id"], again["task_status"]) == (first["task_id"], "running")
    assert world.service.charges == ["a fox"]


async def test_a_repeat_finds_its_task_in_another_server_and_after_a_restart(world: World) -> None:
    async with world.client() as one, world.client() as other:
        first = structured(await call(one, "generate_video", prompt="a fox"))
        second = structured(await call(other, "generate_video", prompt="a fox"))
    async with world.client() as client:
        third = structured(await call(client, "generate_video", prompt="a fox"))

    assert first["task_id"] == second["task_id"] == third["task_id"]
    assert world.service.charges == ["a fox"]


async def test_a_key_is_printable_and_short(world: World) -> None:
    async with world.client() as client:
        for key in ("a\nb", "x" * 129, "\u202e"):
            refused = await call(client, "generate_video", prompt="a fox", idempotency_key=key)
            assert refused.is_error
            assert "idempotency_key" in text(refused)

    assert world.service.charges == []
