"""The SDK's second major line: it asks which revision is served, is told, or does as of old."""

import asyncio
import json
import os
import sys
from importlib.metadata import version

from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client

ERRAND = json.loads(sys.argv[1])


def connect():
    if ERRAND["transport"] == "stdio":
        command, *args = ERRAND["command"]
        return stdio_client(StdioServerParameters(command=command, args=args, env=dict(os.environ)))
    if ERRAND["transport"] == "sse":
        return sse_client(ERRAND["url"])
    return ERRAND["url"]


async def main():
    messages = []

    async def listen(progress, total, message):
        messages.append([progress, message])

    async with Client(connect(), mode=ERRAND["mode"]) as client:
        tools = (await client.list_tools()).tools
        started = (await client.call_tool("generate_video", ERRAND["ask"])).structured_content
        look = {"task_id": started["task_id"], "wait_seconds": 45}
        done = await client.call_tool("get_video_task", look, progress_callback=listen)
        uri = ERRAND["resource"].format(**started)
        content = (await client.read_resource(uri)).contents[0].text
        argument = await client.call_tool("generate_video", {"promt": "a fox"})
        task = await client.call_tool("get_video_task", {"task_id": "nobodys"})
        protocol = client.protocol_version
    facts = {
        "client": "mcp " + version("mcp"),
        "protocol": protocol,
        "tools": [tool.name for tool in tools],
        "done": done.structured_content,
        "blocks": [block.type for block in done.content],
        "heard": messages,
        "resource": content,
        "unknown_argument": [argument.is_error, argument.content[0].text],
        "unknown_task": [task.is_error, task.content[0].text],
    }
    print(json.dumps(facts))


asyncio.run(main())
