"""The player card: an MCP App that shows a task while it is made, and then plays its result.

It is one document without dependencies, `card.html`, and asks for everything through its host:
the task by `get_video_task`, the film as resources. Nothing depends on it: a client that does not
declare MCP Apps gets the lists it always got. The specification is 2026-01-26.
"""

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import ClientCapabilities

from geekai_video_mcp.server import APPS_EXTENSION

CARD_URI: Final = "ui://geekai-video-mcp/card.html"
CARD_TOOLS: Final = frozenset({"generate_video", "generate_image", "get_video_task", "join_videos"})
"""The tools whose result is one task."""
CARD_LIST_SCOPE: Final = "private"
"""Of a list of tools with the card: a cache may not give it to a client without Apps."""
MIME_TYPE: Final = "text/html;profile=mcp-app"


def supports_card(capabilities: ClientCapabilities | None) -> bool:
    """Whether a client with these capabilities shows MCP Apps, as HTML."""
    settings = ((capabilities and capabilities.extensions) or {}).get(APPS_EXTENSION)
    mime_types: object = settings.get("mimeTypes") if settings is not None else None
    return isinstance(mime_types, list) and MIME_TYPE in mime_types


def with_card(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata of a tool, with the card as what shows its results."""
    return {**(meta or {}), "ui": {"resourceUri": CARD_URI}}
