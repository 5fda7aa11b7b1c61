"""Promise 1 on a disk that is really full: a small one of its own, where mounting is allowed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

import anyio
import httpx
import pytest

from support.fake_geekai import ScriptedGeekAI
from support.world import World, call, now, structured, text

SIZE: Final = "24m"
"""More than the room that a request needs before it may leave."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None:
        pytest.skip("a disk of its own is mounted with Linux's tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [mount, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=10)  # noqa: S603 - our own words
    if done.returncode != 0:
        pytest.skip("this user may not mount a disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True, timeout=10)  # noqa: S603, S607 - our own words


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
