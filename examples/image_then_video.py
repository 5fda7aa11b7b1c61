"""A still becomes a video, and the video's last frame the first of the next.

    .venv/bin/python examples/image_then_video.py [PICTURE] [PROMPT]

Without GEEKAI_API_KEY the sandbox renders previews. With it, this makes real videos and
costs real money, with the model GEEKAI_DEFAULT_MODEL.
"""

import base64
import mimetypes
import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

STILL = Path(__file__).with_name("still.jpg")
PROMPT = "The camera glides toward the far ridge as the last light fades"


async def main(picture: Path, prompt: str) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env=dict(os.environ)
    )
    async with Client(stdio_client(server)) as client:
        first = await make(client, prompt=prompt, image=data_uri(picture))
        print(f"{picture.name} became {first['file']}")

        last_frame = first["video_result"].get("last_frame_url")
        if last_frame is None:
            print("this model gives no last frame, so the story ends here")
            return
        second = await make(client, prompt="Night falls, and the stars come out", image=last_frame)
        print(f"its last frame became {second['file']}")


async def make(client: Client, **request: Any) -> dict[str, Any]:
    """A finished video, with its last frame kept where the model can."""
    request |= {"duration": 5, "extra_body": {"return_last_frame": True}}
    task = await call(client, "generate_video", request)
    while "file" not in task:
        look = {"task_id": task["task_id"], "wait_seconds": 45, "preview": "none"}
        task = await call(client, "get_video_task", look)
    return task


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The structured result of one call; a failure ends the story in the server's words."""
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        sys.exit(" ".join(block.text for block in result.content if block.type == "text"))
    return result.structured_content


def data_uri(picture: Path) -> str:
    """The picture itself, as an argument."""
    kind = mimetypes.guess_type(picture)[0]
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


anyio.run(main, Path(sys.argv[1]) if sys.argv[1:] else STILL, " ".join(sys.argv[2:]) or PROMPT)
