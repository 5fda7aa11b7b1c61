"""A client of the SDK's first major line, in its own environment: generate, follow, finish.

Run as `python mcp1_client.py SERVER_COMMAND...`; prints one JSON line of what it saw.
"""

import asyncio
import json
import os
import sys
from importlib.metadata import version

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(command: list[str]) -> None:
    heard: list[str] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        heard.append(message or "")

    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()
        tools = (await session.list_tools()).tools
        asked = {"prompt": "a fox", "size": "320x180", "duration": 1, "fps": 12}
        started = (await session.call_tool("generate_video", asked)).structuredContent
        look = {"task_id": started["task_id"], "wait_seconds": 45}
        done = await session.call_tool("get_video_task", look, progress_callback=listen)
        wrong = await session.call_tool("generate_video", {"promt": "a fox"})
    seen = {
        "sdk": version("mcp"),
        "protocol": hello.protocolVersion,
        "tools": [tool.name for tool in tools],
        "done": done.structuredContent,
        "blocks": [block.type for block in done.content],
        "heard": heard,
        "wrong": [wrong.isError, wrong.content[0].text],
    }
    print(json.dumps(seen))  # noqa: T201 - this program's one output


asyncio.run(main(sys.argv[1:]))
