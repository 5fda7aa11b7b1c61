"""Real processes, real sockets, real signals: several servers over one folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from anyio.abc import Process

from geekai_sandbox.files import FileLock

from .conftest import wait_until

if TYPE_CHECKING:
    from .conftest import World

SERVE = Path(__file__).with_name("serve.py")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX matter")


@pytest.fixture
def anyio_backend() -> str:
    # The servers run on asyncio whatever the test runs on; once is enough.
    return "asyncio"


@asynccontextmanager
async def server(world: World) -> AsyncGenerator[tuple[Process, httpx.AsyncClient]]:
    command = [sys.executable, str(SERVE), str(world.folder), str(world.journal)]
    async with await anyio.open_process(
        command, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            with anyio.fail_after(20):
                base_url = (await process.stdout.receive()).decode().strip()
            async with httpx.AsyncClient(base_url=f"{base_url}/", trust_env=False) as client:
                yield process, client
        finally:
            if process.returncode is None:
                process.kill()


async def wait_for_starts(world: World, count: int) -> None:
    async def enough() -> bool:
        return len(world.renders("begin")) >= count

    await wait_until(enough)


async def test_a_server_killed_in_mid_render_loses_nothing_and_renders_once(world: World) -> None:
    async with server(world) as (victim, client):
        task_id = await world.submit(client, "hold")
        await wait_for_starts(world, 1)
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
    async with server(world) as (_, client):
        await wait_for_starts(world, 2)
        world.release_renders()
        done = await world.finish(client, task_id)
        video = await client.get(done["video_result"]["url"])

    assert done["task_status"] == "succeed"
    assert video.status_code == 200
    assert world.renders("orphaned") == [task_id]
    assert world.renders("end") == [task_id]


async def test_a_kill_of_the_server_is_no_death_of_the_renderer(world: World) -> None:
    async with server(world) as (victim, client):
        task_id = await world.submit(client, "hold")
        await wait_for_starts(world, 1)
        victim.kill()
        await victim.wait()
    for kills in range(2, 5):
        async with server(world) as (victim, _):
            await wait_for_starts(world, kills)
            victim.kill()
            await victim.wait()
    world.release_renders()
    async with world.running() as client:
        done = await world.finish(client, task_id)

    assert done["task_status"] == "succeed"


async def test_two_servers_on_one_folder_render_each_task_once_and_one_at_a_time(
    world: World,
) -> None:
    async with server(world) as (_, one), server(world) as (_, other):
        ids: list[str] = []
        async with anyio.create_task_group() as group:

            async def submit(client: httpx.AsyncClient, n: int) -> None:
                ids.append(await world.submit(client, f"fox {n}"))

            for n in range(6):
                group.start_soon(submit, one, n)
                group.start_soon(submit, other, n)
        for task_id in ids:
            # Polled at the server that may not have rendered it.
            assert (await world.finish(other, task_id))["task_status"] == "succeed"

    lines = (world.journal / "renders").read_text("utf-8").splitlines()
    words = [line.split() for line in lines]
    assert sorted(word[1] for word in words if word[0] == "end") == sorted(ids)
    assert [word[0] for word in words] == ["begin", "end"] * len(ids)


async def test_a_survivor_takes_over_what_a_killed_server_was_rendering(world: World) -> None:
    async with server(world) as (victim, client):
        task_id = await world.submit(client, "hold")
        await wait_for_starts(world, 1)
        # Not earlier, or the survivor could be the first to render it.
        async with world.running() as survivor:
            assert (await survivor.get(f"videos/{task_id}")).json()["task_status"] == "running"
            victim.kill()
            await wait_for_starts(world, 2)
            world.release_renders()
            assert (await world.finish(survivor, task_id))["task_status"] == "succeed"

    assert world.renders("end") == [task_id]


async def test_ctrl_c_stops_a_server_in_order_and_its_task_waits(world: World) -> None:
    async with server(world) as (process, client):
        task_id = await world.submit(client, "hold")
        await wait_for_starts(world, 1)
        # A terminal interrupts the whole group, and a child in it would die with a traceback.
        os.killpg(process.pid, signal.SIGINT)
        with anyio.fail_after(15):
            await process.wait()
    assert world.renders("begin") == [task_id]
    assert (world.folder / "tasks" / task_id / "render.log").read_bytes() == b""
    world.release_renders()
    async with world.running() as client:
        done = await world.finish(client, task_id)

    assert done["task_status"] == "succeed"
    assert world.renders("end") == [task_id]


async def test_nobody_renders_beside_an_orphan_that_has_not_left_yet(world: World) -> None:
    async with server(world) as (victim, client):
        task_id = await world.submit(client, "hold and linger")
        await wait_for_starts(world, 1)
        victim.kill()
        await victim.wait()
        assert FileLock(world.folder / "render.lock").try_acquire() is False
    (world.journal / "leave").touch()

    async def left() -> bool:
        return world.renders("orphaned") == [task_id]

    await wait_until(left)
    world.release_renders()
    async with world.running() as client:
        await world.finish(client, task_id)

    events = (world.journal / "renders").read_text("utf-8").splitlines()
    assert [event.split()[0] for event in events] == ["begin", "orphaned", "begin", "end"]


async def test_a_synchronous_answer_over_a_socket_starts_with_blank_lines(world: World) -> None:
    world.release_renders()
    body = {"model": "sandbox", "prompt": "hold"}
    async with (
        server(world) as (_, client),
        client.stream("POST", "videos/generations", json=body) as answer,
    ):
        chunks = [chunk async for chunk in answer.aiter_raw()]

    assert chunks[0] == b"\n"
    assert json.loads(b"".join(chunks))["task_status"] == "succeed"


def test_the_service_loads_none_of_the_renderers_libraries() -> None:
    program = "import sys, geekai_sandbox.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)  # noqa: S603 - our own interpreter
    loaded = set(done.stdout.decode().split())

    assert loaded.isdisjoint({"av", "numpy", "PIL", "httpx", "httpx2", "mcp"})
    assert not any(name.startswith("geekai_video_mcp") for name in loaded)
