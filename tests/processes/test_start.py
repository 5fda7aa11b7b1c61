"""What a server does before its first response, which hosts do not wait long for."""

import json
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.client import Client

from geekai_video_mcp.config import FREE_MODELS
from geekai_video_mcp.server.build import build_server
from geekai_video_mcp.server.handshake import HandshakeServer
from support.process import new_server, run_cli
from support.world import World

PROGRAM = """
import json, sys
from geekai_video_mcp import app, cli
from geekai_video_mcp.server import late_app

open_app = app.open_app

def recorded(settings, **others):
    sys.stderr.write(json.dumps(sorted(sys.modules)) + chr(10))
    return open_app(settings, **others)

app.open_app = recorded
late_app.WRITING_TIME = late_app.SILENCE = {waits}
late_app.OPENING_TIMEOUT = {opening}
sys.exit(cli.main([]))
"""
"""A server that says which modules are loaded when it begins to open its files."""
WAITS = PROGRAM.format(waits=600.0, opening=60.0)
"""It does not open them before it has to."""
SLOW = """
import contextlib, importlib, sys
import anyio
from geekai_video_mcp import app, cli

open_app = app.open_app

@contextlib.asynccontextmanager
async def slow(settings, **others):
    await anyio.sleep({opening})
    async with open_app(settings, **others) as opened:
        yield opened

app.open_app = slow
importlib.import_module("geekai_video_mcp.server.view_video").ANSWER_DEADLINE = {answer}
sys.exit(cli.main([]))
"""
"""A server whose files are opened late."""
RECORDING = """
import json, sys
from geekai_video_mcp import cli
from geekai_video_mcp.server import late_app, stdio

message_streams = stdio.message_streams

def recorded(on_response):
    def record():
        sys.stderr.write(json.dumps(sorted(sys.modules)) + chr(10))
        sys.stderr.flush()
        on_response()
    return message_streams(record)

stdio.message_streams = recorded
late_app.WRITING_TIME = late_app.SILENCE = 600.0
sys.exit(cli.main([]))
"""
"""A server that says with each response which modules are loaded."""
SDK_ALONE = "import mcp.server.mcpserver, json, sys; print(json.dumps(sorted(sys.modules)))"
HANDSHAKE = {
    *("__main__", "cli", "cli.addresses", "cli.help", "cli.logs", "cli.output", "cli.serve"),
    *("cli.start", "early_interrupt"),
    *("config", "domain", "domain.limits", "domain.media", "domain.public_hosts"),
    *("domain.service_names", "domain.tenants", "errors", "quoting", "server"),
    *("server.cache_hints", "server.handshake"),
    *("server.jsonrpc", "server.late_app", "server.stdio", "server.stdio_filter"),
    *("server.stdin", "server.stdout"),
}
"""What of ours the response to `initialize` needs, with the modules of `config`."""
CALLS = ("app", "connections", "engine", "media", "server.build", "server.tool", "server.tools")
"""What of ours no list needs."""
HEAVY = {"PIL", "av", "geekai_sandbox", "geekai_video_mcp.ledger", "httpx", "numpy", "sqlite3"}


async def test_a_host_is_answered_before_anything_heavy_is_loaded_or_opened(
    tmp_path: Path,
) -> None:
    async with new_server(tmp_path, program=WAITS) as server:
        greeted = await server.initialize()
        tools = await server.request("tools/list")
        prompts = await server.request("prompts/list")
        assert not (tmp_path / "state").exists()
        listed = await server.call("list_video_tasks")
        assert await server.close() == 0
    loaded = set(json.loads((tmp_path / "stderr.log").read_text("utf-8")))

    assert greeted["result"]["serverInfo"]["name"] == "geekai-video-mcp"
    assert tools["result"]["tools"]
    assert prompts["result"]["prompts"]
    assert not listed.get("isError")
    assert "geekai_video_mcp.server.stdio" in loaded
    assert not HEAVY & loaded


async def test_the_handshake_and_the_tools_are_answered_without_what_only_calls_need(
    tmp_path: Path,
) -> None:
    done = await anyio.run_process([sys.executable, "-c", SDK_ALONE])
    sdk = set(json.loads(done.stdout))
    async with new_server(tmp_path, program=RECORDING) as server:
        await server.initialize()
        await server.request("tools/list")
        assert await server.close() == 0
    greeted, listed = (
        set(json.loads(line)) - sdk
        for line in (tmp_path / "stderr.log").read_text("utf-8").splitlines()[:2]
    )

    ours = {name.removeprefix("geekai_video_mcp.") for name in greeted if name.startswith("geek")}
    assert {name for name in ours if not name.startswith("config.")} <= {
        *HANDSHAKE,
        "geekai_video_mcp",
    }
    for loaded in (greeted, listed):
        others = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
        assert others <= {"__mp_main__", "anyio", "geekai_video_mcp", "platformdirs"}
    assert "geekai_video_mcp.server.offer" in listed
    assert not listed & {f"geekai_video_mcp.{name}" for name in CALLS}


async def test_the_server_of_the_handshake_says_what_the_whole_one_says(tmp_path: Path) -> None:
    """In either era; a host keeps what it was told first."""
    whole = build_server(World(tmp_path).app)._lowlevel_server  # pyright: ignore[reportPrivateUsage] - as the product
    first = HandshakeServer(lambda: whole, default_models=FREE_MODELS)
    described: list[Any] = []
    for server in (first, whole):
        described.append(server.create_initialization_options())
        described.append(server.get_capabilities(protocol_version="2026-07-28"))
        described.append(server.server_info)
        described.append(server.cache_hints)
        async with Client(server, mode="legacy") as client:
            described.append(await client.list_tools())
    first.build()

    assert described[: len(described) // 2] == described[len(described) // 2 :]
    assert first.middleware == whole.middleware
    assert first.get_request_handler("tools/get") == whole.get_request_handler("tools/get")


@pytest.mark.exhaustive
@pytest.mark.parametrize("greets", [True, False])
async def test_the_files_are_opened_though_no_request_needs_them(
    tmp_path: Path, *, greets: bool
) -> None:
    """Tasks that another process left behind do not wait for a host that only greets."""
    async with new_server(tmp_path) as server:
        if greets:
            await server.initialize()
        with anyio.fail_after(60):
            while not (tmp_path / "state" / "ledger.sqlite3").exists():
                await anyio.lowlevel.checkpoint()
        assert await server.close() == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("greets", [True, False])
async def test_a_damaged_database_ends_the_server_of_a_host_that_waits(
    tmp_path: Path, *, greets: bool
) -> None:
    """Its input is open: the thread that reads it must not keep the process."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.sqlite3").write_bytes(b"not a database" * 99)
    async with new_server(tmp_path) as server:
        if greets:
            await server.initialize()
        with anyio.fail_after(50):
            status = await server.process.wait()
    err = (tmp_path / "stderr.log").read_text("utf-8")

    assert status == 2
    assert str(tmp_path / "state" / "ledger.sqlite3") in err
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="anyio cannot receive signals there")
async def test_a_signal_ends_a_server_that_has_opened_nothing_yet(tmp_path: Path) -> None:
    async with new_server(tmp_path, program=WAITS) as server:
        await server.initialize()
        server.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(60):
            status = await server.process.wait()

    assert status == 128 + signal.SIGTERM
    assert not (tmp_path / "state").exists()


@pytest.mark.exhaustive
async def test_a_call_is_answered_though_another_process_holds_the_database_from_the_start(
    tmp_path: Path,
) -> None:
    await run_cli(tmp_path)  # makes the database
    program = PROGRAM.format(waits=0.0, opening=0.3)
    path = tmp_path / "state" / "ledger.sqlite3"
    async with new_server(tmp_path, program=program) as server:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await server.initialize()
            listed = await server.call("list_video_tasks")
            made = await server.call("generate_video", prompt="a fox")
            resources = await server.request("resources/list")
            other.execute("ROLLBACK")
        with anyio.fail_after(60):
            while (later := await server.call("list_video_tasks")).get("isError"):
                pass
        assert await server.close() == 0

    again = "Wait a few seconds, then try again."
    assert listed["content"][0]["text"] == f"The task database is busy. {again}"
    assert made["content"][0]["text"] == f"The task database is busy. Nothing was charged. {again}"
    assert "The task database is busy." in resources["error"]["message"]
    assert later["structuredContent"]["tasks"] == []


@pytest.mark.exhaustive
async def test_a_notification_does_not_wait_for_the_database(tmp_path: Path) -> None:
    """Nothing handles one, so nobody may see that it could not be handled either."""
    await run_cli(tmp_path)  # makes the database
    program = PROGRAM.format(waits=0.0, opening=0.1)
    path = tmp_path / "state" / "ledger.sqlite3"
    async with new_server(tmp_path, program=program) as server:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await server.initialize()
            await server.send_message(method="notifications/roots/list_changed")
            await server.call("list_video_tasks")  # answered after the same time
            other.execute("ROLLBACK")
        with anyio.fail_after(60):
            while (await server.call("list_video_tasks")).get("isError"):
                pass
        assert await server.close() == 0

    assert "Traceback" not in (tmp_path / "stderr.log").read_text("utf-8")


@pytest.mark.exhaustive
async def test_the_time_of_a_call_counts_from_when_it_was_received(tmp_path: Path) -> None:
    """The picture of a call that waited for the files to be opened has what is left of its time."""
    async with new_server(tmp_path) as server:
        await server.initialize()
        made = await server.call("generate_image", prompt="a fox", **{"async": False})
        assert await server.close() == 0
    program = SLOW.format(opening=4.0, answer=3.5)
    async with new_server(tmp_path, program=program) as server:
        await server.initialize()
        first = await server.call("view_video", task_id=made["structuredContent"]["task_id"])
        second = await server.call("view_video", task_id="2eb52cc9")
        assert await server.close() == 0

    assert "was not ready in time" in first["content"][0]["text"]
    assert "is not recorded here" in second["content"][0]["text"]
