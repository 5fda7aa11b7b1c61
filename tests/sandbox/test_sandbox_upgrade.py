"""The folder of a sandbox of an earlier version: opened, and what was under way goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import earlier

from .conftest import wait_until

if TYPE_CHECKING:
    from .conftest import World

SMALL = {"size": "320x180", "duration": 1, "fps": 8}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, world: World) -> None:
    """The sandbox's folder as its process left it in the middle of a render."""
    earlier.restore_state_folder(tmp_path)
    world.folder = tmp_path / "state" / "sandbox"


def records(world: World) -> dict[str, dict[str, Any]]:
    """What stands in each task's task.json, by its prompt."""
    paths = world.folder.glob("tasks/*/task.json")
    found: list[dict[str, Any]] = [json.loads(path.read_text("utf-8")) for path in paths]
    return {record["prompt"]: record for record in found}


async def recorded(world: World, prompt: str) -> dict[str, Any]:
    """The record of a task once it says that the task is finished."""

    async def finished() -> bool:
        return records(world)[prompt]["status"] == "succeed"

    await wait_until(finished)
    return records(world)[prompt]


async def test_a_render_that_died_with_its_process_is_carried_to_its_end(world: World) -> None:
    before = records(world)["hold: a fox in the snow"]
    world.release_renders()
    async with world.running() as client:
        done = await world.finish(client, before["id"])
        video = await client.get(done["video_result"][0]["url"])
        after = await recorded(world, "hold: a fox in the snow")

    assert before["status"] == "running"
    assert done["task_status"] == "succeed"
    assert done["video_result"][0]["last_frame_url"].endswith("/last-frame.png")
    assert done["sandbox"]["ignored"] == ["negative_prompt"]
    assert video.status_code == 200
    assert world.renders("end")[0] == before["id"]
    changed = {"status", "started_at", "finished_at", "report"}
    assert {name for name in before if after[name] != before[name]} == changed


async def test_pictures_that_waited_are_drawn(world: World) -> None:
    before = records(world)["a fox, drawn"]
    world.release_renders()
    async with world.running() as client:
        done = await world.finish(client, before["id"], "images")

    assert done["task_status"] == "succeed"
    assert len(done["data"]) == 2
    assert all("b64_json" in picture for picture in done["data"])


async def test_what_was_finished_is_told_as_it_stands_and_not_rendered_again(
    world: World,
) -> None:
    before = records(world)
    finished, failed = before["a fox, finished"], before["refuse: a fox"]
    async with world.running() as client:
        one = (await client.get(f"videos/{finished['id']}")).json()
        other = (await client.get(f"videos/{failed['id']}")).json()
        video = await client.get(one["video_result"][0]["url"])
    after = records(world)

    assert (one["task_status"], one["model"]) == ("succeed", finished["model"])
    assert one["video_result"][0]["duration"] == finished["report"]["seconds"]
    assert len(video.content) == finished["report"]["bytes"]
    assert (other["task_status"], other["error"]) == ("failed", failed["error"])
    assert not {finished["id"], failed["id"]} & set(world.renders("begin"))
    assert all(after[record["prompt"]] == record for record in (finished, failed))


async def test_what_was_charged_stays_charged_and_new_tasks_are_counted_on(world: World) -> None:
    pruned = json.loads((world.folder / "pruned.json").read_text("utf-8"))["charged_at"]
    sandbox = world.sandbox(keep_finished=1)
    world.release_renders()
    async with sandbox, world.client(sandbox) as client:
        new = await world.submit(client, "a new fox", **SMALL)
        await world.finish(client, new)
    record = records(world)["a new fox"]
    charges = {charge.task_id: charge.charged_at for charge in sandbox.charges()}

    assert len(charges) == 6
    assert pruned.items() <= charges.items()
    assert record["number"] == 5


async def test_a_record_is_written_under_the_same_keys(world: World) -> None:
    """A process of the earlier version may be rendering from the same folder."""
    before = records(world)["a fox, finished"]
    older = world.folder / "tasks" / before["id"]
    world.release_renders()
    async with world.running() as client:
        new = await world.submit(client, "a new fox", **SMALL)
        after = await recorded(world, "a new fox")
    newer = world.folder / "tasks" / new

    assert set(after) >= set(before)
    assert set(after["report"]) >= set(before["report"])
    plans = [json.loads((folder / "plan.json").read_text("utf-8")) for folder in (older, newer)]
    assert {name: plans[1][name] for name in plans[0]} == {**plans[0], "prompt": "a new fox"}
