"""A real MCP client starts the server, asks for a video, follows it, and says where it is.

    make demo

No key and no network: the server's sandbox renders a preview on this machine. What stands
here is what an assistant's host does.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

PROMPT = "Kittens and puppies are playing in the grass, and the evening light is long and warm"
FOLDER = Path.cwd() / "demo"


async def main() -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env=environment()
    )
    async with Client(stdio_client(server)) as client:
        tools = (await client.list_tools()).tools
        print(f"connected over stdio, MCP {client.protocol_version}")
        print(f"tools: {', '.join(tool.name for tool in tools)}\n")

        task = await call(client, "generate_video", prompt=PROMPT, duration=5, with_audio=True)
        while "file" not in task:
            task = await call(client, "get_video_task", task_id=task["task_id"], wait_seconds=45)
        print(task["file"])


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """One call, printed as a host might show it: arguments, progress, answer."""
    print(tool, json.dumps(arguments, ensure_ascii=False))
    result = await client.call_tool(tool, arguments, progress_callback=show)
    words = " ".join(block.text for block in result.content if block.type == "text")
    if result.is_error or result.structured_content is None:
        sys.exit(words)
    print(f"  {words}\n", flush=True)
    return result.structured_content


async def show(progress: float, total: float | None, message: str | None) -> None:
    """One progress notification; its message tells the rest."""
    del progress, total
    print(f"  ... {message}", flush=True)


def environment() -> dict[str, str]:
    """This environment without a key, so that a demo can never cost anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEEKAI_")}
    return {
        **kept,
        "GEEKAI_OUTPUT_DIR": str(FOLDER / "videos"),
        "GEEKAI_STATE_DIR": str(FOLDER / "state"),
    }


anyio.run(main)
