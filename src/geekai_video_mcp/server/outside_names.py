"""Middleware that shows what the SDK repeats of a request as data.

The SDK 2.3.0 puts an unknown tool's name, a resource's URI and a method into its errors as they
came, of any length and with characters that hide or reorder text (read 2026-11-26).
"""

import difflib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent, Tool

from geekai_video_mcp.errors import quote, reveal_json, sanitize

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from geekai_video_mcp.app import App

MAX_NAME_CHARS: Final = 64
"""Characters of an unknown name that an error shows."""
MAX_ERROR_CHARS: Final = 2000
"""Characters of an error message: twice the longest of our own."""
MAX_DATA_CHARS: Final = 4000
"""Characters of the data of an error; longer data is left out."""


class OutsideNames:
    """Refuses a tool that does not exist, and sanitizes the SDK's errors."""

    def __init__(self, list_tools: Callable[[], Awaitable[Sequence[Tool]]]) -> None:
        self._list_tools = list_tools

    async def __call__(
        self, ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
    ) -> "HandlerResult":
        name = (ctx.params or {}).get("name") if ctx.method == "tools/call" else None
        if isinstance(name, str):
            tools = [tool.name for tool in await self._list_tools()]
            if name not in tools:
                text = _explain_unknown_tool(name, tools)
                return CallToolResult(content=[TextContent(text=text)], is_error=True)
        try:
            return await call_next(ctx)
        except MCPError as exc:
            data = reveal_json(exc.data)
            raise MCPError(
                exc.code,
                sanitize(exc.message, limit=MAX_ERROR_CHARS),
                None if len(str(data)) > MAX_DATA_CHARS else data,
            ) from exc


def _explain_unknown_tool(name: str, tools: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name[:MAX_NAME_CHARS], tools, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(tools)}."
    return f"There is no tool {quote(name, limit=MAX_NAME_CHARS)}; {hint}"
