"""The floor of the figures over stdio: the SDK's server as its documentation writes it, one tool.

As a program: without an argument its tool does nothing. With a file, which holds the result of a
call as it stands on the wire, its tool returns that result, made anew for each call.
"""

import json
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult

server = MCPServer("bare", log_level="WARNING")

if len(sys.argv) > 1:
    RESULT = json.loads(Path(sys.argv[1]).read_text("utf-8"))

    @server.tool()
    async def get_video_task(task_id: str, wait_seconds: float = 0) -> CallToolResult:  # noqa: ARG001 - as ours has them
        """Return the result that was named on the command line."""
        return CallToolResult.model_validate(RESULT)

else:

    @server.tool()
    async def echo(text: str) -> str:
        """Return the text."""
        return text


if __name__ == "__main__":
    server.run()
