"""LangChain's adapters, which make tools of an agent out of ours. Stands beside mcp 1."""

import asyncio
import json
import os
import sys
from importlib.metadata import version

from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient

ERRAND = json.loads(sys.argv[1])


def connection():
    if ERRAND["transport"] == "stdio":
        command, *args = ERRAND["command"]
        env = dict(os.environ)
        return {"transport": "stdio", "command": command, "args": args, "env": env}
    transport = {"http": "streamable_http", "sse": "sse"}[ERRAND["transport"]]
    return {"transport": transport, "url": ERRAND["url"]}


async def call(tool, arguments):
    """The tool as an agent calls it: the answer is a message for the model."""
    tool_call = {"name": tool.name, "args": arguments, "id": "call-1", "type": "tool_call"}
    return await tool.ainvoke(tool_call)


def refusal(message):
    words = message.content
    message_text = words if isinstance(words, str) else words[0]["text"]
    return [message.status == "error", message_text]


async def main():
    messages = []

    async def listen(progress, total, message, context):
        messages.append([progress, message])

    client = MultiServerMCPClient(
        {"video": connection()}, callbacks=Callbacks(on_progress=listen), handle_tool_errors=True
    )
    tools = {tool.name: tool for tool in await client.get_tools()}
    started = (await call(tools["generate_video"], ERRAND["ask"])).artifact["structured_content"]
    look = {"task_id": started["task_id"], "wait_seconds": 45}
    done = await call(tools["get_video_task"], look)
    uri = ERRAND["resource"].format(**started)
    content = (await client.get_resources("video", uris=uri))[0].as_string()
    facts = {
        "client": "langchain-mcp-adapters " + version("langchain-mcp-adapters"),
        "protocol": None,
        "tools": list(tools),
        "done": done.artifact["structured_content"],
        "blocks": [block["type"] for block in done.content],
        "heard": messages,
        "resource": content,
        "unknown_argument": refusal(await call(tools["generate_video"], {"promt": "a fox"})),
        "unknown_task": refusal(await call(tools["get_video_task"], {"task_id": "nobodys"})),
    }
    print(json.dumps(facts))


asyncio.run(main())
