"""A story in three shots, joined into a film: each shot continues the one before.

    .venv/bin/python examples/story.py [PICTURE]

The film begins with PICTURE if there is one. All shots are requested at once: `task:ID` names a
task that may still be running, so no image and no URL passes through the conversation. Without a
key, in GEEKAI_API_KEY or the settings file, the sandbox renders previews. With one, this script
generates real videos with the model GEEKAI_DEFAULT_MODEL and costs real money.
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


async def main(picture: Path | None) -> None:
    # The server reads images from its output folder and from GEEKAI_IMAGE_DIRS only.
    folder = {"GEEKAI_IMAGE_DIRS": str(picture.parent)} if picture else {}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env={**os.environ, **folder}
    )
    async with Client(stdio_client(server)) as client:
        begins_with = {"image": str(picture)} if picture else {}
        ids: list[str] = []
        for line in SHOTS:
            # The same words in every prompt keep the look.
            shot = await call(client, "generate_video", prompt=f"{line} {LOOK}", **begins_with)
            ids.append(shot["task_id"])
            begins_with = {"image": f"task:{shot['task_id']}"}
        for shot in await wait_for_files(client, *ids):
            print(f"  {shot['file']}", flush=True)
        film = await call(client, "join_videos", parts=ids)
        if "file" not in film:
            (film,) = await wait_for_files(client, film["task_id"])
        print(f"  {film['file']}", flush=True)


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


anyio.run(main, Path(sys.argv[1]).resolve() if sys.argv[1:] else None)
