"""What a conversation pays for this server, measured by driving it as a host does.

A token is four bytes of JSON. A picture is billed by its pixels, by Anthropic's rule of
width times height over 750 (its vision page, read 2026-11-24), and never by its base64.
"""

import base64
import io
import json
import sys
from pathlib import Path

from mcp_types import CallToolResult, ImageContent
from PIL import Image

from support.process import stdio
from support.world import call, structured

LIST_AT_MOST = 10_000
"""Bytes of the whole tool list, output schemas included."""
TOKENS_AT_MOST = 3_000
"""From an idea to a finished video, the tool list included."""
CALLS_AT_MOST = 3
SEEN_OF_A_TOOL = ("name", "description", "inputSchema")


def tokens(value: object) -> float:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) / 4


def cost(arguments: object, result: CallToolResult) -> float:
    """Tokens of one call: what the model writes, and all that it may be shown."""
    shown = 0.0
    for block in result.content:
        if isinstance(block, ImageContent):
            width, height = Image.open(io.BytesIO(base64.b64decode(block.data))).size
            shown += width * height / 750
        else:
            shown += tokens(block.model_dump(mode="json", by_alias=True, exclude_none=True))
    return tokens(arguments) + shown + tokens(result.structured_content)


async def test_an_idea_becomes_a_video_in_few_calls_and_tokens(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        listed = (await client.list_tools()).model_dump(
            mode="json", by_alias=True, exclude_none=True, include={"tools"}
        )
        # Seven hosts were watched, and give a model nothing else of a tool (2026-11-26).
        seen = [{name: tool[name] for name in SEEN_OF_A_TOOL} for tool in listed["tools"]]
        spent, calls = tokens(seen), 0
        arguments = {"prompt": "A fox runs through fresh snow, low winter sun", "duration": 5}
        result = await call(client, "generate_video", **arguments)
        spent, calls = spent + cost(arguments, result), calls + 1
        while "file" not in structured(result):
            look = {"task_id": structured(result)["task_id"], "wait_seconds": 45}
            result = await call(client, "get_video_task", **look)
            spent, calls = spent + cost(look, result), calls + 1

    # Seen with -s: the figures that docs/clients.md quotes.
    sys.stdout.write(f"{calls} calls, {spent:.0f} tokens, {4 * tokens(listed):.0f} bytes\n")
    assert 4 * tokens(listed) <= LIST_AT_MOST
    assert calls <= CALLS_AT_MOST
    assert spent <= TOKENS_AT_MOST
