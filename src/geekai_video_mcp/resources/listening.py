"""`subscriptions/listen`, told by the ledger what changes, whichever process changed it.

Every change of a task's status, file or name is an event in the ledger. While a client
listens, one reader looks for new events: at once when this process has changed a task, and
every second for what other processes do. While nobody listens, nobody looks.
"""

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, SubscriptionBus

from geekai_video_mcp.entries import file_resource_uris, task_uri
from geekai_video_mcp.lifecycle import FileStatus
from geekai_video_mcp.tools import App

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from geekai_video_mcp.engine import Engine, EventNotice

LISTEN_METHOD: Final = "subscriptions/listen"


class SubscriptionMiddleware:
    """A middleware that keeps one server's subscribers told for as long as they listen."""

    def __init__(self, bus: SubscriptionBus) -> None:
        self._bus = bus
        # One reader tells all listeners of the bus; when its own goes, the next takes over.
        self._reader_lock = anyio.Lock()
        self._last_event_id = 0

    async def __call__(
        self, ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
    ) -> "HandlerResult":
        if ctx.method != LISTEN_METHOD:
            return await call_next(ctx)
        engine, subscription = ctx.lifespan_context.engine, anyio.CancelScope()
        # Before the client hears that it is heard: what happens in between is told as well.
        last_event_id = await engine.last_event_id()
        engine.start_background(self._forward_events, engine, last_event_id, subscription)
        try:
            return await call_next(ctx)
        finally:
            subscription.cancel()

    async def _forward_events(
        self, engine: "Engine", last_event_id: int, scope: anyio.CancelScope
    ) -> None:
        with scope:
            async with self._reader_lock:
                after = max(last_event_id, self._last_event_id)
                async with aclosing(engine.watch_events(after=after)) as notices:
                    async for notice in notices:
                        await self._publish_event(notice)
                        self._last_event_id = notice.number

    async def _publish_event(self, notice: "EventNotice") -> None:
        await self._bus.publish(ResourceUpdated(uri=task_uri(notice.task_id)))
        stored = notice.file_status is FileStatus.STORED
        if stored:
            for uri in file_resource_uris(notice.task_id):
                await self._bus.publish(ResourceUpdated(uri=uri))
        if stored or notice.first:
            await self._bus.publish(ResourcesListChanged())
