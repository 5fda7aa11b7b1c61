"""Image, video, film: one picture, three shots that continue each other, and the film of them.

    python examples/story.py

All of them are requested at once: `task:ID` names a task that may still be running, and stands for
its picture or its last frame, so no image and no URL passes through the conversation. It needs no
key and no network: the server's sandbox renders previews, which cost nothing.
"""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

LOOK = "An old lighthouse on a cliff, painted in soft blue and amber, long light over a calm sea."
SHOTS = (
    "The camera glides toward the lighthouse as its lamp comes on.",
    "Night falls, and the beam sweeps over the water.",
    "Far out, a small boat turns toward the light.",
)
FOLDER = Path.cwd() / "demo"


async def main() -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env=sandbox_environment()
    )
    async with Client(stdio_client(server)) as client:
        before = await call(client, "generate_image", prompt=LOOK, size="1280x720")
        still, shots = before["task_id"], list[str]()
        for line in SHOTS:
            # Each shot begins with the picture, or with the last frame of the shot before it; the
            # same words in every prompt keep the look.
            begins_with = f"task:{before['task_id']}"
            before = await call(
                client, "generate_video", prompt=f"{line} {LOOK}", image=begins_with, duration=3
            )
            shots.append(before["task_id"])
        for task in await wait_for_files(client, still, *shots):
            print(f"  {task['file']}", flush=True)

        film = await call(client, "join_videos", parts=shots)
        (film,) = await wait_for_files(client, film["task_id"])
        print(f"  {film['file']}")


async def wait_for_files(client: Client, *task_ids: str) -> list[dict[str, Any]]:
    """Wait until every task has its file; exit if one has none in the end."""
    while True:
        result = await call(
            client, "get_video_task", task_id=" ".join(task_ids), wait_seconds=45, view="none"
        )
        tasks = result.get("tasks", [result])
        for task in tasks:
            if task["task_status"] in ("failed", "unknown") or "file_problem" in task:
                sys.exit(f"{task['task_id']}: {task['task_status']}. {task.get('next_step', '')}")
        if all("file" in task for task in tasks):
            return tasks


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the structured result of a call; on failure, exit with the server's message."""
    print(f"{tool} {arguments.get('prompt', '')}".rstrip(), flush=True)
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        sys.exit(" ".join(block.text for block in result.content if block.type == "text"))
    return result.structured_content


def sandbox_environment() -> dict[str, str]:
    """The environment of this process without a key, so that the story never costs anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEEKAI_")}
    return {
        **kept,
        "GEEKAI_BASE_URL": "sandbox",  # even if the settings file holds a key
        "GEEKAI_OUTPUT_DIR": str(FOLDER / "videos"),
        "GEEKAI_STATE_DIR": str(FOLDER / "state"),
    }


anyio.run(main)
