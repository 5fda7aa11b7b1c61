"""A story in three shots: an image becomes a video, and each shot continues the one before.

    .venv/bin/python examples/story.py [PICTURE]

Without PICTURE the first frame is generated as well. `task:ID` links the shots, so no image and
no URL passes through the conversation. Without GEEKAI_API_KEY the sandbox renders previews. With
it, this script generates real videos with the model GEEKAI_DEFAULT_MODEL and costs real money.
"""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

FIRST_FRAME = "A lighthouse on a cliff at dusk, long light over a calm sea"
SHOTS = (
    "The camera glides toward the lighthouse as its lamp comes on",
    "Night falls, and the beam sweeps over the water",
    "Far out, a small boat turns toward the light",
)


async def main(picture: Path | None) -> None:
    # The server reads images from its output folder and from GEEKAI_IMAGE_DIRS only.
    folder = {"GEEKAI_IMAGE_DIRS": str(picture.parent)} if picture else {}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env={**os.environ, **folder}
    )
    async with Client(stdio_client(server)) as client:
        if picture is None:
            image = await generate(
                client, "generate_image", prompt=FIRST_FRAME, aspect_ratio="16:9"
            )
            source = f"task:{image}"
        else:
            source = str(picture)
        for prompt in SHOTS:
            shot = await generate(client, "generate_video", prompt=prompt, image=source, duration=5)
            source = f"task:{shot}"


async def generate(client: Client, tool: str, **request: Any) -> str:
    """Generate an image or a video, wait for its file, and return the id of its task."""
    task = await call(client, tool, request)
    while "file" not in task:
        query = {"task_id": task["task_id"], "wait_seconds": 45, "view": "none"}
        task = await call(client, "get_video_task", query)
    print(f"{request['prompt']}:\n  {task['file']}", flush=True)
    return task["task_id"]


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the structured result of a call; on failure, exit with the server's message."""
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        sys.exit(" ".join(block.text for block in result.content if block.type == "text"))
    return result.structured_content


anyio.run(main, Path(sys.argv[1]).resolve() if sys.argv[1:] else None)
