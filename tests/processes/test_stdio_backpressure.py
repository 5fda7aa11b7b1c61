"""A host that sends requests and does not read the responses, over real pipes."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from geekai_video_mcp.server.stdio_filter import MAX_OPEN_REQUESTS
from support.process import StdioServer, running_server

FRAMES = 3 * MAX_OPEN_REQUESTS
PIPE_BYTES = 65_536
"""What a pipe holds on Linux: each frame below fills one."""


def frame(number: int) -> bytes:
    """A request for the tools that is as long as a pipe is deep."""
    params = {"_meta": {"padding": "x" * PIPE_BYTES}}
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": params}
    return json.dumps(message).encode()


async def notify(server: StdioServer, method: str, **params: Any) -> None:  # noqa: ANN401 - JSON
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    await server.send(json.dumps(message).encode())


@pytest.mark.exhaustive
async def test_nothing_more_is_read_while_the_host_takes_no_responses(tmp_path: Path) -> None:
    sent: list[int] = []
    answered: list[int] = []
    accepted = 0

    async def send_frames() -> None:
        for number in range(1000, 1000 + FRAMES):
            await server.send(frame(number))
            sent.append(number)

    async with running_server(tmp_path) as server, anyio.create_task_group() as sender:
        sender.start_soon(send_frames)
        with anyio.move_on_after(3):
            while len(sent) < FRAMES:
                await anyio.lowlevel.checkpoint()
        accepted = len(sent)
        while len(answered) < FRAMES:
            answered.append((await server.receive())["id"])
        assert (await server.request("ping"))["result"] == {}

    # Besides the open requests, pipes and this process's own buffers hold some.
    assert MAX_OPEN_REQUESTS <= accepted < 2 * MAX_OPEN_REQUESTS
    assert sorted(answered) == list(range(1000, 1000 + FRAMES))


async def waiting_call(server: StdioServer, *, wait_seconds: int) -> dict[str, Any]:
    """A call without an id that waits for a slow video, as long as it is asked to."""
    task = await server.call("generate_video", prompt="a fox", size="1920x1080", duration=10)
    wait = {"task_id": task["structuredContent"]["task_id"], "wait_seconds": wait_seconds}
    params = {"name": "get_video_task", "arguments": wait}
    return {"jsonrpc": "2.0", "method": "tools/call", "params": params}


@pytest.mark.exhaustive
async def test_cancelled_calls_make_room_for_others(tmp_path: Path) -> None:
    """A cancelled call gets no response; it would keep its place for ever."""
    async with running_server(tmp_path) as server:
        wait = await waiting_call(server, wait_seconds=45)
        for number in range(1000, 1000 + FRAMES):
            await server.send(json.dumps({**wait, "id": number}).encode())
            await notify(server, "notifications/cancelled", requestId=number)
        alive = await server.request("ping")

    assert alive["result"] == {}
    assert [message for message in server.other_messages if "id" in message] == []


@pytest.mark.exhaustive
async def test_a_running_call_is_cancelled_beside_many_others(tmp_path: Path) -> None:
    running = MAX_OPEN_REQUESTS - 2
    async with running_server(tmp_path) as server:
        wait = await waiting_call(server, wait_seconds=3)
        for number in range(1000, 1000 + running):
            await server.send(json.dumps({**wait, "id": number}).encode())
        await notify(server, "notifications/cancelled", requestId=1000)
        alive = await server.request("ping")
        answered: list[int] = []
        while len(answered) < running - 1:
            answered.append((await server.receive())["id"])

    assert alive["result"] == {}
    assert sorted(answered) == list(range(1001, 1000 + running))
