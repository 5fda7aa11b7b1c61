"""Injected faults: whether they come before or after the charge, and that each comes once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from geekai_sandbox.faults import Fault

    from .conftest import World

ASK = {"model": "sandbox", "prompt": "a fox", "async": True}


@pytest.mark.parametrize(
    ("fault", "status_code", "charged"),
    [
        ("rate_limited", 429, 0),
        ("busy", 503, 0),
        ("broken", 500, 1),
        ("timed_out", 504, 1),
        ("garbled", 200, 1),
        ("blank", 200, 1),
    ],
)
async def test_a_fault_lies_on_its_side_of_the_charge_and_comes_once(
    world: World, fault: Fault, status_code: int, charged: int
) -> None:
    sandbox = world.sandbox(faults=[None, fault])
    async with world.client(sandbox) as client:
        await world.submit(client)
        answer = await client.post("videos/generations", json=ASK)
        assert len(sandbox.charges()) == 1 + charged
        await world.submit(client)

    assert answer.status_code == status_code
    with pytest.raises((ValueError, KeyError)):
        assert answer.json()["task_id"]


async def test_what_was_charged_behind_a_fault_is_rendered(world: World) -> None:
    sandbox = world.sandbox(faults=["broken"])
    async with sandbox, world.client(sandbox) as client:
        await client.post("videos/generations", json=ASK)
        (charge,) = sandbox.charges()
        done = await world.finish(client, charge.task_id)

    assert done["task_status"] == "succeed"
