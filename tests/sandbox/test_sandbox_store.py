"""What is stored on disk: charges, permissions, leftovers, and pruning."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geekai_sandbox.store import is_task_id

from .conftest import wait_until

if TYPE_CHECKING:
    from .conftest import World


async def test_every_accepted_post_is_charged_once_before_its_reply(world: World) -> None:
    sandbox = world.sandbox()
    async with world.client(sandbox) as client:
        for n in range(3):
            task_id = await world.submit(client, f"fox {n}")
            record = json.loads((world.folder / "tasks" / task_id / "task.json").read_bytes())
            assert record["charged_at"] > 0
            assert [charge.task_id for charge in sandbox.charges()][-1] == task_id

    assert [charge.prompt for charge in sandbox.charges()] == ["fox 0", "fox 1", "fox 2"]


async def test_only_the_oldest_finished_tasks_are_pruned_and_stay_charged(world: World) -> None:
    sandbox = world.sandbox(keep_finished=2, balance=4)
    async with sandbox, world.client(sandbox) as client:
        ids = [await world.submit(client, f"fox {n}") for n in range(4)]

        async def pruned() -> bool:
            found = [(await client.get(f"videos/{i}")) for i in ids]
            return [answer.status_code for answer in found] == [404, 404, 200, 200]

        await wait_until(pruned)
        file = await client.get(f"files/{ids[0]}/video.mp4")
        refused = await client.post("videos/generations", json={"model": "m", "prompt": "p"})

    assert file.status_code == 404
    assert sorted(charge.task_id for charge in sandbox.charges()) == sorted(ids)
    assert refused.status_code == 402


async def test_unfinished_tasks_are_never_pruned(world: World) -> None:
    sandbox = world.sandbox(keep_finished=0)
    async with world.client(sandbox) as client:
        ids = [await world.submit(client, f"fox {n}") for n in range(3)]
    async with sandbox:

        async def rendered() -> bool:
            return len(world.renders("end")) == len(ids)

        await wait_until(rendered)

    assert world.renders("end") == ids


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
async def test_everything_belongs_to_its_owner_alone(world: World) -> None:
    world.folder.mkdir(mode=0o755)
    async with world.running() as client:
        await world.finish(
            client, await world.submit(client, extra_body={"return_last_frame": True})
        )

    modes = {
        (path.is_dir(), stat.S_IMODE(path.stat().st_mode))
        for path in [world.folder, *world.folder.rglob("*")]
    }
    assert modes == {(True, 0o700), (False, 0o600)}


async def test_what_a_crash_left_half_made_is_swept_and_never_charged(world: World) -> None:
    sandbox = world.sandbox()
    async with world.client(sandbox) as client:
        await world.submit(client)
        tasks = world.folder / "tasks"
        half = tasks / ".new-00000000-0000-4000-8000-000000000000"
        half.mkdir()
        (half / "image.png").write_bytes(b"x")
        assert len(sandbox.charges()) == 1
        await world.submit(client)

    assert not half.exists()
    assert len(sandbox.charges()) == 2


async def test_records_that_are_no_records_are_passed_over(world: World) -> None:
    sandbox = world.sandbox()
    async with world.client(sandbox) as client:
        task_id = await world.submit(client)
        (world.folder / "pruned.json").write_text("{", "utf-8")
        (world.folder / "tasks" / "stray").mkdir()
        (world.folder / "tasks" / "notes.txt").write_text("x", "utf-8")
        (world.folder / "tasks" / task_id / "progress").write_text("half", "utf-8")
        found = await client.get(f"videos/{task_id}")
        (world.folder / "tasks" / task_id / "task.json").write_text("{", "utf-8")
        lost = await client.get(f"videos/{task_id}")

    assert (found.status_code, lost.status_code) == (200, 404)


STORED: dict[str, object] = {
    "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "number": 0,
    "model": "sandbox",
    "prompt": "die",
    "charged_at": 1.0,
    "shape": "object",
    "status": "running",
    "expected_seconds": 2.0,
    "last_frame": False,
    "inline": False,
    "ignored": [],
    "deaths": 2,
    "started_at": 2.0,
    "finished_at": None,
    "error": None,
    "report": None,
    "progress": 0.0,
}
"""A whole task.json as released versions write it."""


async def test_a_task_of_a_released_version_is_read_and_written_with_its_keys(
    world: World,
) -> None:
    folder = world.folder / "tasks" / str(STORED["id"])
    folder.mkdir(parents=True)
    (folder / "task.json").write_text(json.dumps(STORED), "utf-8")
    (folder / "plan.json").write_text(json.dumps({"prompt": "die"}), "utf-8")
    async with world.running() as client:
        failed = await world.finish(client, folder.name)
    record = json.loads((folder / "task.json").read_bytes())

    assert failed["error"]["code"] == "render_failed"
    # Two attempts had failed before: the next was the last.
    assert len(world.renders("dead")) == 1
    assert record.keys() == STORED.keys() | {"fingerprint", "take"}
    assert (record["deaths"], record["status"]) == (3, "failed")


async def test_a_write_that_fails_charges_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = world.sandbox()
    full = OSError(28, "No space left on device")

    def fail(_self: Path, _target: object) -> None:
        raise full

    async with world.client(sandbox) as client:
        await world.submit(client)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail)
            refused = await client.post("videos/generations", json={"model": "m", "prompt": "p"})
        left = [path.name for path in (world.folder / "tasks").iterdir()]

    assert refused.status_code == 500
    assert left == [charge.task_id for charge in sandbox.charges()]


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("3c90c3cc-0d44-4b50-8888-8dd25736052a", True),
        ("3C90C3CC-0D44-4B50-8888-8DD25736052A", False),
        ("{3c90c3cc-0d44-4b50-8888-8dd25736052a}", False),
        ("3c90c3cc0d444b5088888dd25736052a", False),
        ("3c90c3cc-0d44-1b50-8888-8dd25736052a", False),
        ("../3c90c3cc-0d44-4b50-8888-8dd25736052a", False),
        ("", False),
    ],
)
def test_only_our_own_spelling_of_an_id_is_an_id(text: str, ours: bool) -> None:  # noqa: FBT001
    assert is_task_id(text) is ours
