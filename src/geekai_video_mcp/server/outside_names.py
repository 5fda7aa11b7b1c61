"""Middleware that shows what the SDK repeats of a request as data.

The SDK 2.3.0 puts an unknown tool's name, a resource's URI and a method into its errors as they
came, of any length and with characters that hide or reorder text (read 2026-11-26).
"""

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent

from geekai_video_mcp.quoting import (
    quote,
    reveal_json,
    sanitize,
)

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from geekai_video_mcp.app import App

MAX_NAME_CHARS: Final = 64
"""Characters of an unknown name that an error shows."""
MAX_ERROR_CHARS: Final = 2000
"""Characters of an error message: twice the longest of our own."""
MAX_DATA_CHARS: Final = 4000
"""Characters of the data of an error; longer data is left out."""
MISSPELT: Final = 0.85
"""Similarity from which a name counts as misspelt, whatever its words mean."""

_ASK: Final = "check fetch get poll query retrieve show"
_MAKE: Final = "animate create gen generate generation make new produce render run start submit"
_VIDEO: Final = "animation clip film movie video"
_PICTURE: Final = "image images img photo picture"
_MEANINGS: Final = (
    ("list_video_models", "catalog catalogue model models price prices pricing", ""),
    (
        "join_videos",
        "combine concat concatenate concatenation cut join merge splice stitch trim",
        "",
    ),
    ("join_videos", "edit editor", f"{_VIDEO} clips shots videos"),
    ("generate_video", _MAKE, "job task"),
    ("list_video_tasks", "all find history list recent search", ""),
    ("list_video_tasks", _ASK, "generations jobs requests tasks videos"),
    ("get_video_task", "await download job operation poll progress result status task wait", ""),
    ("view_video", "frame frames look preview see sheet show view watch", ""),
    ("get_video_task", _ASK, f"{_VIDEO} {_PICTURE}"),
    ("generate_video", _MAKE, f"{_VIDEO} videos"),
    ("generate_image", f"{_MAKE} draw imagine", _PICTURE),
    ("generate_video", f"{_VIDEO} i2v image2video img2video t2v text2video txt2video", ""),
    ("generate_image", f"{_PICTURE} draw imagine t2i text2image txt2img", ""),
    ("generate_video", _MAKE, ""),
)
"""What callers call a tool whose name they have not read. The first row counts of which a word of
the second column is in the name, and one of the third unless that is empty."""


class OutsideNames:
    """Refuses a tool that does not exist, and sanitizes the SDK's errors."""

    def __init__(self, tools: Sequence[str]) -> None:
        self._tools = tools

    async def __call__(
        self, ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
    ) -> "HandlerResult":
        name = (ctx.params or {}).get("name") if ctx.method == "tools/call" else None
        if isinstance(name, str) and name not in self._tools:
            text = _explain_unknown_tool(name, self._tools)
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
    nearest = find_meant_tool(name[:MAX_NAME_CHARS], tools)
    hint = f"did you mean {nearest}?" if nearest else f"the tools are {', '.join(tools)}."
    return f"There is no tool {quote(name, limit=MAX_NAME_CHARS)}; {hint}"


def find_meant_tool(name: str, tools: Sequence[str]) -> str | None:
    """The tool that a caller means who calls it *name*: by its spelling, or by its words."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    words = [word for word in re.split(r"[^a-z0-9]+", apart.casefold()) if word]
    plain = "_".join(words)
    if within := [tool for tool in tools if tool in plain]:
        return within[0]
    if close := difflib.get_close_matches(plain, tools, n=1, cutoff=MISSPELT):
        return close[0]
    for meant, some, others in _MEANINGS:
        if not {*some.split()}.isdisjoint(words) and (
            not others or not {*others.split()}.isdisjoint(words)
        ):
            return meant if meant in tools else None
    close = difflib.get_close_matches(plain, tools, n=1)
    return close[0] if close else None
