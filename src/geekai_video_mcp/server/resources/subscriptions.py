"""Resource notifications for `subscriptions/listen`, from the events in the ledger.

Every change of a task's status, file or provider id is an event in the ledger. While a client is
subscribed, one reader polls for new events: immediately after this process has changed a task,
and every second for changes made by other processes. Without subscribers there is no polling.
"""

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, SubscriptionBus

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.server.resource_links import file_resource_uris, task_uri

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from geekai_video_mcp.engine import Engine, EventNotice


class SubscriptionMiddleware:
    """Middleware of `subscriptions/listen`: publishes task changes while a client is subscribed."""

    def __init__(self, bus: SubscriptionBus) -> None:
        self._bus = bus
        # One reader serves all subscribers of the bus. It ends with the request that started it;
        # then the reader of another request acquires the lock and continues.
        self._reader_lock = anyio.Lock()
        self._last_event_id = 0

    async def __call__(
        self, ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
    ) -> "HandlerResult":
        engine, subscription = ctx.lifespan_context.engine, anyio.CancelScope()
        # Read before the subscription is acknowledged, so that no later event is missed.
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
