"""The first conversation of a person who has just installed the server, and has no key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.packages import outside_environment

MAX_CALLS: Final = 6


async def hold_conversation(command: Sequence[str | Path], folder: Path, **variables: str) -> None:
    """Make two videos in the sandbox, look at one and join them, over stdio."""
    program, *words = map(str, command)
    folders = {"GEEKAI_OUTPUT_DIR": "videos", "GEEKAI_STATE_DIR": "state"}
    named = {name: str(folder / value) for name, value in folders.items()}
    environ = outside_environment(folder, **{**named, **variables})
    server = StdioServerParameters(command=program, args=words, env=environ, cwd=str(folder))
    with anyio.fail_after(300):
        async with Client(stdio_client(server)) as client:
            shots = [await make_video(client, prompt) for prompt in ("a red kite", "a blue boat")]
            for _, file in shots:
                assert Path(file).read_bytes()[4:8] == b"ftyp"

            assert await count_pictures(client, shots[0][0]) == 1

            film = await client.call_tool("join_videos", {"parts": [shots[0][0], shots[1][0]]})
            assert not film.is_error, film.content
            assert film.structured_content is not None
            _, file = await wait_for_file(client, film.structured_content["task_id"])
            assert Path(file).stat().st_size > 10_000


async def make_video(client: Client, prompt: str) -> tuple[str, str]:
    """Make a short video; return its task's id and its file."""
    asked = await client.call_tool("generate_video", {"prompt": prompt, "duration": 5})
    assert not asked.is_error, asked.content
    assert asked.structured_content is not None
    return await wait_for_file(client, asked.structured_content["task_id"])


async def count_pictures(client: Client, task_id: str) -> int:
    """The pictures that view_video shows, called again where this machine is too busy."""
    for _ in range(MAX_CALLS):
        seen = await client.call_tool("view_video", {"task_id": task_id})
        if not seen.is_error:
            return [block.type for block in seen.content].count("image")
        assert "Call view_video again" in str(seen.content), seen.content
    pytest.fail(f"view_video showed nothing in {MAX_CALLS} calls")


async def wait_for_file(client: Client, task_id: str) -> tuple[str, str]:
    while True:
        arguments = {"task_id": task_id, "wait_seconds": 45}
        task = (await client.call_tool("get_video_task", arguments)).structured_content
        assert task is not None
        assert task["task_status"] != "failed"
        assert task["sandbox"]
        if "file" in task:
            return task_id, task["file"]
