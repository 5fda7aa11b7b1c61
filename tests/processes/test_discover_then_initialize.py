"""A host may ask which protocols are spoken, and shake hands in the old way after all."""

from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse

from support.process import SMALL, new_server, stdio
from support.world import call, structured

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "line", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
NO_LONGER_NEEDED = "the SDK forgives a probe before the handshake: delete cli/probing.py"


async def test_a_probe_and_then_the_handshake_work_on_one_process(tmp_path: Path) -> None:
    async with new_server(tmp_path) as server:
        probe = await server.request("server/discover", _meta=ENVELOPE)
        hello = await server.initialize()
        made = await server.call("generate_video", prompt="a fox", **SMALL)
        status = await server.close()

    assert probe["result"]["supportedVersions"] == ["2026-07-28"]
    assert probe["result"]["instructions"]
    assert hello["result"]["protocolVersion"] == "2025-11-25"
    assert made["structuredContent"]["sandbox"]
    assert status == 0
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""


async def test_after_a_probe_the_new_protocol_works_as_well(tmp_path: Path) -> None:
    async with new_server(tmp_path) as server:
        await server.request("server/discover", _meta=ENVELOPE)
        again = await server.request("server/discover", _meta=ENVELOPE)
        tools = await server.request("tools/list", _meta=ENVELOPE)
        refused = await server.request("initialize", protocolVersion="2025-11-25")

    assert again["result"]["supportedVersions"] == ["2026-07-28"]
    assert {tool["name"] for tool in tools["result"]["tools"]} >= {"generate_video"}
    assert refused["error"]["code"] == -32022


async def test_a_probe_of_an_unknown_protocol_is_refused_and_decides_nothing(
    tmp_path: Path,
) -> None:
    unknown = ENVELOPE | {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    async with new_server(tmp_path) as server:
        refused = await server.request("server/discover", _meta=unknown)
        bare = await server.request("server/discover")
        hello = await server.initialize()

    assert refused["error"]["code"] == -32022
    assert bare["error"]["code"] == -32601
    assert hello["result"]["protocolVersion"] == "2025-11-25"


async def test_what_is_no_request_does_not_come_between_probe_and_handshake(
    tmp_path: Path,
) -> None:
    async with new_server(tmp_path) as server:
        await server.send(b"no message at all")
        await server.request("server/discover", _meta=ENVELOPE)
        await server.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        hello = await server.initialize()
        tools = await server.request("tools/list")

    assert hello["result"]["protocolVersion"] == "2025-11-25"
    assert tools["result"]["tools"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("probed", [False, True])
async def test_a_host_that_goes_before_it_chose_ends_the_server(
    tmp_path: Path, *, probed: bool
) -> None:
    async with new_server(tmp_path) as server:
        if probed:
            await server.request("server/discover", _meta=ENVELOPE)
        status = await server.close()

    assert status == 0
    assert not list((tmp_path / "state" / "procs").iterdir())


@pytest.mark.exhaustive
@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_every_mode_of_the_sdks_own_client_works(
    tmp_path: Path, mode: Literal["auto", "legacy", "2026-07-28"]
) -> None:
    async with stdio(tmp_path, era=mode) as client:
        started = structured(await call(client, "generate_video", prompt="a fox", **SMALL))
        done = structured(
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        )

    assert done["task_status"] == "succeed"


CHANGED = {
    "gone": "del mcp.server.runner.serve_dual_era_loop",
    "hidden": "mcp.server.mcpserver.MCPServer.__init__ = hidden",
    "called otherwise": "mcp.server.runner.serve_dual_era_loop = lambda one: one",
}
PROGRAM = """
import sys
import mcp.server.mcpserver, mcp.server.runner
from geekai_video_mcp import cli

as_it_was = mcp.server.mcpserver.MCPServer.__init__

def hidden(*arguments, **others):
    as_it_was(*arguments, **others)

{change}
sys.exit(cli.main([]))
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
async def test_without_the_sdks_parts_the_server_falls_back_to_the_sdks_own_stdio(
    tmp_path: Path, change: str
) -> None:
    async with new_server(tmp_path, program=PROGRAM.format(change=change)) as server:
        hello = await server.initialize()
        tools = await server.request("tools/list")

    assert hello["result"]["protocolVersion"] == "2025-11-25"
    assert tools["result"]["tools"]
    assert "server/discover before initialize is not supported" in (
        tmp_path / "stderr.log"
    ).read_text("utf-8")


async def test_the_sdk_still_needs_this() -> None:
    """It fails once the SDK's plain loop takes a handshake after a probe."""
    send, receive = anyio.create_memory_object_stream[Any](2)
    answer, answers = anyio.create_memory_object_stream[Any](2)
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "line", "version": "1"},
    }
    server: Server[Any] = Server("plain")
    messages: list[Any] = []
    async with send, answers, anyio.create_task_group() as loop:
        loop.start_soon(server.run, receive, answer, server.create_initialization_options())
        for method, params in (("server/discover", {"_meta": ENVELOPE}), ("initialize", hello)):
            request = JSONRPCRequest(jsonrpc="2.0", id=method, method=method, params=params)
            await send.send(SessionMessage(request))
        with anyio.fail_after(10):
            while len(messages) < 2:
                messages.append((await answers.receive()).message)
        loop.cancel_scope.cancel()

    by_id = {message.id: message for message in messages}
    assert isinstance(by_id["server/discover"], JSONRPCResponse)
    assert isinstance(by_id["initialize"], JSONRPCError), NO_LONGER_NEEDED
