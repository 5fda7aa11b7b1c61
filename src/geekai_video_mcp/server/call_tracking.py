"""Middleware that lets a stopping process wait for the calls that it has taken, and names them.

Over SSE the request that brings a call is answered at once, and the result comes by the stream:
nothing but this knows that it is still owed.
"""

from typing import TYPE_CHECKING, Any

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.log_context import log_context
from geekai_video_mcp.server.jsonrpc import ENDLESS_METHODS

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext


async def track_call(
    ctx: "ServerRequestContext[Any, Any]", call_next: "CallNext"
) -> "HandlerResult":
    app: object = ctx.lifespan_context
    if ctx.request_id is None or ctx.method in ENDLESS_METHODS or not isinstance(app, App):
        return await call_next(ctx)
    with (
        app.operations.drain.track_call(),
        log_context(tenant=app.tenant, method=ctx.method),
    ):
        return await call_next(ctx)
