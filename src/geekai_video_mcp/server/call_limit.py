"""How many calls of one principal are answered at once, whatever brought them.

Over SSE the request that brings a call ends at once, and says nothing of how long the call lasts.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR

from geekai_video_mcp.server.jsonrpc import ENDLESS_METHODS

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

MAX_CALLS: Final = 128
"""Calls of one principal. One may wait 45 seconds, and the callers behind one token may be a team.
"""
CALL_SLOTS: Final = "geekai_video_mcp.call_slots"
"""Where in the scope of a request over HTTP the `CallSlots` of its principal are."""
SOON_SECONDS: Final = 5
"""Seconds until a refused request may come again, where nothing says when there is room."""


class CallSlots:
    """The calls of one principal."""

    def __init__(self) -> None:
        self.taken = 0

    @contextmanager
    def take(self) -> Generator[None]:
        """Count a call while the block lasts.

        Raises:
            MCPError: too many others are being answered.
        """
        if self.taken >= MAX_CALLS:
            msg = f"{self.taken} requests of yours are being answered, the most at once."
            raise MCPError(INTERNAL_ERROR, f"{msg} {describe_retry()}")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


def describe_retry(retry_after: int = SOON_SECONDS) -> str:
    """When a request may come again that was refused before anything of it was begun."""
    seconds = "second" if retry_after == 1 else "seconds"
    return f"This request was not begun: send it again in {retry_after} {seconds}."


async def limit_calls(
    ctx: "ServerRequestContext[Any, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """Middleware that refuses a call over HTTP if its principal has too many others."""
    slots: object = ctx.request.scope.get(CALL_SLOTS) if ctx.request is not None else None
    if not isinstance(slots, CallSlots) or ctx.request_id is None or ctx.method in ENDLESS_METHODS:
        return await call_next(ctx)
    with slots.take():
        return await call_next(ctx)
