"""A story in three shots: a picture becomes a video, and each shot goes on where the last ended.

    .venv/bin/python examples/story.py [PICTURE]

Without PICTURE the first frame is made as well. What links the shots is `task:ID`, so no
picture and no link passes through the conversation. Without GEEKAI_API_KEY the sandbox
renders previews. With it, this makes real videos and costs real money, with the model
GEEKAI_DEFAULT_MODEL.
"""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

STILL = "A lighthouse on a cliff at dusk, long light over a calm sea"
SHOTS = (
    "The camera glides toward the lighthouse as its lamp comes on",
    "Night falls, and the beam sweeps over the water",
    "Far out, a small boat turns toward the light",
)


async def main(picture: Path | None) -> None:
    # A server reads pictures from its output folder, and from the folders it is given.
    folder = {"GEEKAI_IMAGE_DIRS": str(picture.parent)} if picture else {}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env={**os.environ, **folder}
    )
    async with Client(stdio_client(server)) as client:
        if picture is None:
            still = await made(client, "generate_image", prompt=STILL, aspect_ratio="16:9")
            before = f"task:{still}"
        else:
            before = str(picture)
        for prompt in SHOTS:
            shot = await made(client, "generate_video", prompt=prompt, image=before, duration=5)
            before = f"task:{shot}"


async def made(client: Client, tool: str, **request: Any) -> str:
    """The id of a task that has come to its file."""
    task = await call(client, tool, request)
    while "file" not in task:
        look = {"task_id": task["task_id"], "wait_seconds": 45, "preview": "none"}
        task = await call(client, "get_video_task", look)
    print(f"{request['prompt']}:\n  {task['file']}", flush=True)
    return task["task_id"]


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The structured result of one call; a failure ends the story in the server's words."""
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        sys.exit(" ".join(block.text for block in result.content if block.type == "text"))
    return result.structured_content


anyio.run(main, Path(sys.argv[1]).resolve() if sys.argv[1:] else None)
