"""FastMCP's client, which turns results into objects of its own. In its own environment."""

import asyncio
import json
import os
import sys
from importlib.metadata import version

from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from fastmcp.exceptions import ToolError

ERRAND = json.loads(sys.argv[1])


def connect():
    if ERRAND["transport"] == "stdio":
        command, *args = ERRAND["command"]
        return StdioTransport(command=command, args=args, env=dict(os.environ))
    if ERRAND["transport"] == "sse":
        return SSETransport(ERRAND["url"])
    return StreamableHttpTransport(ERRAND["url"])


async def refusal(client, tool, arguments):
    try:
        await client.call_tool(tool, arguments)
    except ToolError as error:
        return [True, str(error)]
    return [False, ""]


async def main():
    messages = []

    async def listen(progress, total, message):
        messages.append([progress, message])

    async with Client(connect()) as client:
        tools = await client.list_tools()
        started = (await client.call_tool("generate_video", ERRAND["ask"])).structured_content
        look = {"task_id": started["task_id"], "wait_seconds": 45}
        done = await client.call_tool("get_video_task", look, progress_handler=listen)
        content = (await client.read_resource(ERRAND["resource"].format(**started)))[0].text
        argument = await refusal(client, "generate_video", {"promt": "a fox"})
        task = await refusal(client, "get_video_task", {"task_id": "nobodys"})
        protocol = getattr(client.session, "protocol_version", None)
    facts = {
        "client": "fastmcp " + version("fastmcp-slim"),
        "protocol": protocol,
        "tools": [tool.name for tool in tools],
        "done": done.structured_content,
        "blocks": [block.type for block in done.content],
        "heard": messages,
        "resource": content,
        "unknown_argument": argument,
        "unknown_task": task,
    }
    print(json.dumps(facts))


asyncio.run(main())
