"""The card as a resource, and what the lists and reads of a server say about it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server.apps import Apps
from mcp.server.mcpserver.resources import FunctionResource

from geekai_video_mcp.server.card import (
    CARD_LIST_SCOPE,
    CARD_TOOLS,
    CARD_URI,
    MIME_TYPE,
    supports_card,
    with_card,
)

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from geekai_video_mcp.app import App


def card_extension() -> Apps:
    """The SDK's extension, which announces the capability and serves the document."""
    apps = Apps()
    apps.add_resource(
        FunctionResource(
            uri=CARD_URI,
            name="player card",
            title="Player card",
            description="Shows a task while it is made, and plays its result",
            mime_type=MIME_TYPE,
            fn=_read_document,
        )
    )
    return apps


def _read_document() -> str:
    """The card without the comments and indentation that every host would hold in memory."""
    source = Path(__file__).with_name("card.html").read_text("utf-8")
    return re.sub(r"\n\s+", "\n", re.sub(r"\s+// .*", "", source))


async def bind_card(
    ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """Middleware of `tools/list`: binds the card to its tools for a client that shows it."""
    result = await call_next(ctx)
    if not isinstance(result, dict) or not supports_card(ctx.session.client_capabilities):
        return result
    for tool in result["tools"]:
        if tool["name"] in CARD_TOOLS:
            tool["_meta"] = with_card(tool.get("_meta"))
    scope = {"cacheScope": CARD_LIST_SCOPE} if "cacheScope" in result else {}
    return {**result, **scope}


async def list_card_for_apps(
    ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """Middleware of `resources/list`: the card is for a host, on the first page, and no picker."""
    result = await call_next(ctx)
    if not isinstance(result, dict):
        return result
    wanted = supports_card(ctx.session.client_capabilities) and not (ctx.params or {}).get("cursor")
    kept = [each for each in result["resources"] if wanted or each["uri"] != CARD_URI]
    return {**result, "resources": kept}


async def declare_media_origin(
    ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """Middleware of `resources/read`: the card may play the signed links of this server.

    Without such links it is given the policy that hosts have by default, under which it plays
    data URIs.
    """
    result = await call_next(ctx)
    if not isinstance(result, dict) or (ctx.params or {}).get("uri") != CARD_URI:
        return result
    links = ctx.lifespan_context.links
    origin = links.origin() if links else None
    ui: dict[str, Any] = {"prefersBorder": True}
    if origin is not None:
        ui["csp"] = {"resourceDomains": [origin]}
    contents = [{**each, "_meta": {"ui": ui}} for each in result["contents"]]
    return {**result, "contents": contents}
