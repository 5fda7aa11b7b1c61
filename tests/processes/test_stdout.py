"""How messages come and go: whole, and without a thread where the host's pipe has room."""

import sys
from pathlib import Path

import pytest

from support.process import new_server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the SDK writes there")

HOPS = """
import sys
import anyio.to_thread
from geekai_video_mcp import cli

run_sync = anyio.to_thread.run_sync

async def run_and_name(work, *args, **options):
    print("hop", getattr(work, "__qualname__", work), file=sys.stderr, flush=True)
    return await run_sync(work, *args, **options)

anyio.to_thread.run_sync = run_and_name
sys.exit(cli.main([]))
"""
"""A server that names what it hands to a thread."""
PRINTING = """
import sys
from geekai_video_mcp import cli
from geekai_video_mcp.server import stdio

message_streams = stdio.message_streams

def print_and_stream(on_response):
    def print_it():
        print("a stray line", flush=True)
        on_response()
    return message_streams(print_it)

stdio.message_streams = print_and_stream
sys.exit(cli.main([]))
"""
"""A server of which some part prints to stdout with each response."""
PIPE_BYTES = 65_536
"""What a pipe holds on Linux."""


def hops_in(folder: Path) -> list[str]:
    """What was handed to a thread so far."""
    lines = (folder / "stderr.log").read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith("hop ")]


async def test_a_request_and_a_response_that_the_pipe_has_room_for_take_no_thread(
    tmp_path: Path,
) -> None:
    async with new_server(tmp_path, program=HOPS) as server:
        await server.initialize()
        for _ in range(3):
            assert (await server.request("ping"))["result"] == {}
        small = hops_in(tmp_path)
        assert (await server.request("tools/list"))["result"]["tools"]
        large = hops_in(tmp_path)

    assert small == []
    assert len(large) == 1


async def test_messages_arrive_whole_when_the_host_reads_late(tmp_path: Path) -> None:
    lists, pings = PIPE_BYTES // 8_000 + 2, 20
    async with new_server(tmp_path, program=HOPS) as server:
        await server.initialize()
        for number in range(lists):  # more than the pipe holds
            await server.send_message(id=number, method="tools/list")
        for number in range(lists, lists + pings):
            await server.send_message(id=number, method="ping")
        answers = [await server.receive() for _ in range(lists + pings)]

    assert sorted(one["id"] for one in answers) == list(range(lists + pings))
    assert all("result" in one for one in answers)


async def test_what_else_is_printed_does_not_reach_the_host(tmp_path: Path) -> None:
    async with new_server(tmp_path, program=PRINTING) as server:
        await server.initialize()
        assert (await server.request("ping"))["result"] == {}
        assert await server.close() == 0
        rest = b"".join([chunk async for chunk in server.reader])

    assert (rest, server.other_messages) == (b"", [])
    assert "a stray line" in (tmp_path / "stderr.log").read_text("utf-8")
