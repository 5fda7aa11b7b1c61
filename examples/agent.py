"""An agent that makes a video, with Pydantic AI: the server is one of its toolsets.

    pip install geekai-video-mcp 'pydantic-ai-slim[mcp]'
    python examples/agent.py

Its model is scripted, so that it needs no account: for a real one, put the name of a model in the
place of `FunctionModel(decide)`. The server's sandbox renders a preview, which costs nothing.
"""

import asyncio
import os
import re
from pathlib import Path

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.function import AgentInfo, FunctionModel

FOLDER = Path.cwd() / "demo"


async def main() -> None:
    server = StdioTransport("geekai-video-mcp", [], env=sandbox_environment())
    videos = MCPToolset(server, include_instructions=True, init_timeout=30)
    agent = Agent(FunctionModel(decide), toolsets=[videos])
    answer = await agent.run("Make me a short video of a snail that crosses a garden path.")
    print(answer.output)


def decide(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """The script: request the video, wait until there is a file, and say where it is."""
    parts = [part for message in messages for part in message.parts]
    results = [part.content for part in parts if isinstance(part, ToolReturnPart)]
    if not results:
        return call("generate_video", prompt="A snail crosses a garden path in the morning dew")
    text = " ".join(part for part in results[-1] if isinstance(part, str))
    if file := re.search(r"File: (.+?\.mp4)", text):
        return ModelResponse(parts=[TextPart(f"Your video: {file[1]}")])
    task_id = re.findall(r"task (\w{8})", text)[0]
    return call("get_video_task", task_id=task_id, wait_seconds=45)


def call(tool: str, **arguments: object) -> ModelResponse:
    print(tool, arguments, flush=True)
    return ModelResponse(parts=[ToolCallPart(tool, arguments)])


def sandbox_environment() -> dict[str, str]:
    """The environment of this process without a key, so that this never costs anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEEKAI_")}
    return {
        **kept,
        "GEEKAI_BASE_URL": "sandbox",  # even if the settings file holds a key
        "GEEKAI_OUTPUT_DIR": str(FOLDER / "videos"),
        "GEEKAI_STATE_DIR": str(FOLDER / "state"),
    }


asyncio.run(main())
