"""What a server closes when it ends, and in which order, with real files and connections."""

import json
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import anyio.lowlevel
from anyio.abc import SocketAttribute, SocketStream
from mcp import Client

from geekai_video_mcp.app import App, open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.server.build import build_server
from support.descriptors import needs_descriptors, open_descriptors, open_files_in
from support.fake_geekai import VIDEO
from support.process import descendants_naming

ANSWER = b'{"task_id": "p1", "task_status": "pending"}'


def settings_in(folder: Path, **more: str) -> Settings:
    """The settings of a server whose folders are in *folder*; without a key, of the sandbox."""
    return Settings.from_env(
        {
            "GEEKAI_STATE_DIR": str(folder / "state"),
            "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
            **more,
        }
    )


def response(content: bytes, *, announced: int | None = None) -> bytes:
    """An HTTP response that announces as many bytes as it has, or *announced*."""
    length = len(content) if announced is None else announced
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + content


async def left_open(before: Counter[str]) -> list[str]:
    """What is open now and was not *before*; asyncio closes sockets some turns after it is told."""
    with anyio.move_on_after(5):
        while open_descriptors() - before:
            await anyio.lowlevel.checkpoint()
    return sorted(open_descriptors() - before)


async def test_the_connection_of_a_paid_request_outlives_the_engine(tmp_path: Path) -> None:
    requested, leaving = anyio.Event(), anyio.Event()

    async def answer_late(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            requested.set()
            await leaving.wait()
            await anyio.sleep(0.3)  # for the closing to get as far as it can
            await stream.send(response(ANSWER))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
    settings = settings_in(
        tmp_path, GEEKAI_API_KEY="sk-test", GEEKAI_BASE_URL=f"http://127.0.0.1:{port}/api/v1"
    )
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer_late)
        async with open_app(settings) as app, anyio.create_task_group() as call:
            call.start_soon(
                app.engine.submit, GenerationRequest(Media.VIDEO, {"model": "m", "prompt": "a fox"})
            )
            await requested.wait()
            call.cancel_scope.cancel()
            leaving.set()
        tasks.cancel_scope.cancel()

    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")) as ledger:
        rows = ledger.execute("SELECT status, provider_task_id FROM task").fetchall()
    assert rows == [("pending", "p1")]


@needs_descriptors
async def test_a_server_whose_lifespan_is_cancelled_leaves_no_descriptor_open(
    tmp_path: Path,
) -> None:
    before = open_descriptors()
    while_open: list[str] = []
    held: list[App] = []  # so that the garbage collector closes nothing in our stead

    @asynccontextmanager
    async def opened() -> AsyncGenerator[App]:
        async with open_app(settings_in(tmp_path)) as app:
            held.append(app)
            yield app

    with anyio.CancelScope() as lifespan:
        async with Client(build_server(opened)) as client:
            await client.call_tool("list_video_tasks", {})
            while_open += open_files_in(tmp_path)
            lifespan.cancel()

    assert str(tmp_path / "state" / "ledger.sqlite3") in while_open
    assert held
    assert await left_open(before) == []


@needs_descriptors
async def test_a_decision_that_is_cancelled_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = open_descriptors()
    held: list[App] = []  # so that the garbage collector closes nothing in our stead
    with anyio.CancelScope() as scope:
        async with open_app(settings_in(tmp_path), sweep=False) as app:
            held.append(app)
            scope.cancel()
            await anyio.sleep_forever()

    assert held
    assert await left_open(before) == []


@needs_descriptors
async def test_a_server_cancelled_while_it_renders_leaves_no_descriptor_open(
    tmp_path: Path,
) -> None:
    before, while_open = open_descriptors(), list[str]()
    request = {"model": "sandbox", "prompt": "a fox", "duration": 10, "async": True}
    with anyio.CancelScope() as scope:
        async with open_app(settings_in(tmp_path)) as app:
            await app.engine.submit(GenerationRequest(Media.VIDEO, request))
            with anyio.fail_after(20):
                while not descendants_naming(str(tmp_path)):
                    await anyio.lowlevel.checkpoint()
            while_open += open_files_in(tmp_path)
            scope.cancel()
            await anyio.sleep_forever()

    assert str(tmp_path / "state" / "sandbox" / "render.lock") in while_open
    assert await left_open(before) == []


@needs_descriptors
async def test_a_server_cancelled_in_mid_download_leaves_no_descriptor_open(
    tmp_path: Path,
) -> None:
    before, while_open = open_descriptors(), list[str]()
    request = {"model": "m", "prompt": "a fox", "async": True}
    downloading = anyio.Event()

    async def answer_or_stall(stream: SocketStream) -> None:
        async with stream:
            requested = await stream.receive()
            if requested.startswith(b"POST"):
                done = {
                    "task_id": "p1",
                    "task_status": "succeed",
                    "video_result": {"url": f"http://127.0.0.1:{port}/fox.mp4"},
                }
                await stream.send(response(json.dumps(done).encode()))
            else:
                await stream.send(response(VIDEO[:1000], announced=len(VIDEO)))
                downloading.set()
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
    settings = settings_in(
        tmp_path, GEEKAI_API_KEY="sk-test", GEEKAI_BASE_URL=f"http://127.0.0.1:{port}/api/v1"
    )
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer_or_stall)
        with anyio.CancelScope() as scope:
            async with open_app(settings) as app:
                await app.engine.submit(GenerationRequest(Media.VIDEO, request))
                with anyio.fail_after(20):
                    await downloading.wait()
                while_open += open_files_in(tmp_path)
                scope.cancel()
                await anyio.sleep_forever()
        tasks.cancel_scope.cancel()

    assert any(path.endswith(".part") for path in while_open)
    assert await left_open(before) == []
