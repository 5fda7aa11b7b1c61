"""Promise 1 on a disk that is really full: a small one of its own, where mounting is allowed."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

import anyio
import httpx
import pytest

from support.disks import mounted_tmpfs
from support.fake_geekai import ScriptedGeekAI
from support.world import World, call, now, structured, text

SIZE: Final = "24m"
"""More than the room that a request needs before it may leave."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    with mounted_tmpfs(tmp_path / "disk", f"size={SIZE}") as disk:
        yield disk


def fill(path: Path) -> None:
    """Take every byte that is left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 20, 4096, 1):
            while _written(descriptor, size):
                pass
    finally:
        os.close(descriptor)


def _written(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, bytes(size)) > 0
    except OSError:
        return False


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_answer_that_finds_the_disk_full_is_replayed_when_there_is_room(
    small_disk: Path, tmp_path: Path, *, restarted: bool
) -> None:
    filler = small_disk / "filler"

    async def fill_it(_: httpx.Request) -> None:
        fill(filler)

    service = ScriptedGeekAI(clock=now, on_create=fill_it)
    full_world = World(small_disk, service=service, other_disk=tmp_path)
    async with full_world.client() as client:
        lost = await call(client, "generate_video", prompt="a fox")
        await anyio.sleep(0 if restarted else 30)
        refused = await call(client, "generate_video", prompt="a hare")
        (task,) = await full_world.tasks()
        if not restarted:
            filler.unlink()
            await anyio.sleep(60)
    filler.unlink(missing_ok=True)
    async with full_world.client() as client:
        await anyio.sleep(1)
        done = structured(await call(client, "get_video_task", task_id=task.id, wait_seconds=45))

    assert lost.is_error
    assert "It may have been charged." in text(lost)
    assert next(iter(full_world.service.jobs)) in text(lost)
    assert refused.is_error
    assert "Nothing was charged." in text(refused)
    assert done["task_status"] == "succeed"
    assert full_world.service.charges == ["a fox"]
