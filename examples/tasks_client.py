"""A client of MCP's Tasks extension: the call returns a task, and the client polls for its result.

    python examples/tasks_client.py

A host that declares `io.modelcontextprotocol/tasks` need not keep a call open while a video is
made, and its model makes one call: `generate_video` returns in the end what `get_video_task` would.
It needs no key and no network: the server's sandbox renders a preview, which costs nothing.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import anyio
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult, Request, Result
from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path.cwd() / "demo"


async def main() -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "geekai_video_mcp"], env=sandbox_environment()
    )
    async with Client(stdio_client(server), extensions=[Tasks()]) as client:
        prompt = "A paper boat drifts down a stream after the rain"
        result = await client.call_tool("generate_video", {"prompt": prompt, "duration": 3})
    if result.is_error or result.structured_content is None:
        sys.exit(" ".join(block.text for block in result.content if block.type == "text"))
    print(result.structured_content["file"])


class CreatedTask(Result):
    """What the server answers at once, in place of the tool's result."""

    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    poll_interval_ms: int = Field(alias="pollIntervalMs")


class TaskState(BaseModel):
    """The answer to `tasks/get`; a completed task has the tool's result in it."""

    status: str
    status_message: str = Field("", alias="statusMessage")
    poll_interval_ms: int = Field(1000, alias="pollIntervalMs")
    result: dict[str, Any] | None = None

    model_config = ConfigDict(extra="allow")


class GetTask(Request[dict[str, Any], str]):
    """A `tasks/get` request."""

    method: str = "tasks/get"
    name_param = "taskId"


class Tasks(ClientExtension):
    """Declares the extension, and turns a created task into the result of the call."""

    identifier = "io.modelcontextprotocol/tasks"

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=CreatedTask, resolve=self._wait_for_result)]

    async def _wait_for_result(self, created: CreatedTask, context: ClaimContext) -> CallToolResult:
        print(f"task {created.task_id}", flush=True)
        wait_ms = created.poll_interval_ms
        while True:
            await anyio.sleep(wait_ms / 1000)
            request = GetTask(params={"taskId": created.task_id})
            task = await context.session.send_request(request, TaskState)
            print(f"  {task.status} {task.status_message}".rstrip(), flush=True)
            if task.result is not None:
                return CallToolResult.model_validate(task.result, by_name=False)
            wait_ms = task.poll_interval_ms


def sandbox_environment() -> dict[str, str]:
    """The environment of this process without a key, so that this never costs anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEEKAI_")}
    return {
        **kept,
        "GEEKAI_BASE_URL": "sandbox",  # even if the settings file holds a key
        "GEEKAI_OUTPUT_DIR": str(FOLDER / "videos"),
        "GEEKAI_STATE_DIR": str(FOLDER / "state"),
    }


anyio.run(main)
