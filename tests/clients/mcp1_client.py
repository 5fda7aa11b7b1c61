"""The SDK's first major line, which most hosts still ship. In its own environment."""

import asyncio
import json
import os
import sys
from importlib.metadata import version

from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

ERRAND = json.loads(sys.argv[1])


def connect():
    if ERRAND["transport"] == "stdio":
        command, *args = ERRAND["command"]
        return stdio_client(StdioServerParameters(command=command, args=args, env=dict(os.environ)))
    if ERRAND["transport"] == "sse":
        return sse_client(ERRAND["url"])
    return streamable_http_client(ERRAND["url"])


async def main():
    messages = []

    async def listen(progress, total, message):
        messages.append([progress, message])

    async with connect() as (read, write, *_), ClientSession(read, write) as session:
        hello = await session.initialize()
        tools = (await session.list_tools()).tools
        started = (await session.call_tool("generate_video", ERRAND["ask"])).structuredContent
        look = {"task_id": started["task_id"], "wait_seconds": 45}
        done = await session.call_tool("get_video_task", look, progress_callback=listen)
        uri = ERRAND["resource"].format(**started)
        content = (await session.read_resource(uri)).contents[0].text
        argument = await session.call_tool("generate_video", {"promt": "a fox"})
        task = await session.call_tool("get_video_task", {"task_id": "nobodys"})
    facts = {
        "client": "mcp " + version("mcp"),
        "protocol": hello.protocolVersion,
        "tools": [tool.name for tool in tools],
        "done": done.structuredContent,
        "blocks": [block.type for block in done.content],
        "heard": messages,
        "resource": content,
        "unknown_argument": [argument.isError, argument.content[0].text],
        "unknown_task": [task.isError, task.content[0].text],
    }
    print(json.dumps(facts))


asyncio.run(main())
