"""An MCP client that starts the server, requests a video, waits for it and prints its path.

    python examples/quickstart.py [PROMPT]        (`make demo` does so in a clone)

It needs no key and no network: the server's sandbox renders a preview on this machine. The
client makes the same calls as the host application of an assistant.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

PROMPT = (
    " ".join(sys.argv[1:])
    or "Kittens and puppies are playing in the grass, and the evening light is long and warm"
)
FOLDER = Path.cwd() / "demo"


async def main() -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env=sandbox_environment()
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
    """Call a tool, and print the call as a host might show it: arguments, progress and result."""
    print(tool, json.dumps(arguments, ensure_ascii=False))
    result = await client.call_tool(tool, arguments, progress_callback=print_progress)
    text = " ".join(block.text for block in result.content if block.type == "text")
    if result.is_error or result.structured_content is None:
        sys.exit(text)
    print(f"  {text}\n", flush=True)
    return result.structured_content


async def print_progress(progress: float, total: float | None, message: str | None) -> None:
    """Print one progress notification; its message is all that a user needs."""
    del progress, total
    print(f"  ... {message}", flush=True)


def sandbox_environment() -> dict[str, str]:
    """The environment of this process without a key, so that the demo never costs anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEEKAI_")}
    return {
        **kept,
        "GEEKAI_BASE_URL": "sandbox",  # even if the settings file holds a key
        "GEEKAI_OUTPUT_DIR": str(FOLDER / "videos"),
        "GEEKAI_STATE_DIR": str(FOLDER / "state"),
    }


anyio.run(main)
