"""Middleware for single methods, of which every other request knows nothing.

The SDK passes each request through all middleware, a coroutine and a partial for each of them.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.server.context import (
        CallNext,
        HandlerResult,
        ServerMiddleware,
        ServerRequestContext,
    )

    from geekai_video_mcp.app import App


class MethodMiddleware:
    """Passes a request through the middleware of its method, the first one outermost."""

    def __init__(self, by_method: "Mapping[str, Sequence[ServerMiddleware[App]]]") -> None:
        self._by_method = by_method

    async def __call__(
        self, ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
    ) -> "HandlerResult":
        for middleware in reversed(self._by_method.get(ctx.method, ())):
            call_next = partial(middleware, call_next=call_next)
        return await call_next(ctx)
