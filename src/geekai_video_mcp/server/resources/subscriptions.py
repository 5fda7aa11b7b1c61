"""Resource notifications for `subscriptions/listen`, from the events in the ledger.

Every change of a task's status, file or provider id is an event in the ledger. While a client is
subscribed, one reader polls for new events: immediately after this process has changed a task,
and every second for changes made by other processes. Without subscribers there is no polling.
"""

from collections.abc import Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import anyio
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
)

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.engine import Engine
from geekai_video_mcp.server.resource_links import file_resource_uris, task_uri

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from geekai_video_mcp.engine import EventNotice


class SubscriptionMiddleware:
    """Middleware of `subscriptions/listen`: publishes a caller's changes while it subscribes."""

    def __init__(self) -> None:
        self._feeds = WeakKeyDictionary[Engine, _Feed]()

    async def __call__(
        self, ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
    ) -> "HandlerResult":
        engine, subscription = ctx.lifespan_context.engine, anyio.CancelScope()
        feed = self._feeds.setdefault(engine, _Feed())
        # Read before the subscription is acknowledged, so that no later event is missed.
        cursor = await engine.event_cursor()
        engine.start_background(feed.forward_events, engine, cursor, subscription)
        chosen = _CALLERS_BUS.set(feed.bus)
        try:
            return await call_next(ctx)
        finally:
            _CALLERS_BUS.reset(chosen)
            subscription.cancel()


class CallersBus:
    """The SDK's subscription bus, whose subscribers hear of their own tenant's tasks alone.

    The SDK subscribes without saying for whom, within the request: `SubscriptionMiddleware` has
    chosen the bus by then.
    """

    async def publish(self, event: ServerEvent) -> None:
        """Nothing concerns all tenants; a subscriber's own events come from its `_Feed`."""
        msg = f"{type(event).__name__} is published to nobody: a tenant's own feed publishes"
        raise RuntimeError(msg)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        return _CALLERS_BUS.get().subscribe(listener)


_CALLERS_BUS: Final[ContextVar[InMemorySubscriptionBus]] = ContextVar("CALLERS_BUS")


class _Feed:
    """The changes of the tasks of one engine, which is one tenant's, and who hears of them."""

    def __init__(self) -> None:
        self.bus: Final = InMemorySubscriptionBus()
        # One reader serves all subscribers of the bus. It ends with the request that started it;
        # then the reader of another request acquires the lock and continues.
        self._reader_lock = anyio.Lock()
        self._readers = 0
        self._cursor: str | None = None
        """Where the last reader has stopped, while there is another one to go on from there."""

    async def forward_events(self, engine: Engine, cursor: str, scope: anyio.CancelScope) -> None:
        """Publish every change behind *cursor* until *scope* is cancelled."""
        self._readers += 1
        try:
            with scope:
                async with self._reader_lock:
                    await self._read(engine, self._cursor or cursor)
        finally:
            self._readers -= 1
            if not self._readers:
                self._cursor = None

    async def _read(self, engine: Engine, cursor: str) -> None:
        async with aclosing(engine.watch_events(cursor)) as notices:
            async for notice in notices:
                await self._publish_event(notice)
                self._cursor = notice.cursor

    async def _publish_event(self, notice: "EventNotice") -> None:
        await self.bus.publish(ResourceUpdated(uri=task_uri(notice.task_id)))
        stored = notice.file_status is FileStatus.STORED
        if stored:
            for uri in file_resource_uris(notice.task_id):
                await self.bus.publish(ResourceUpdated(uri=uri))
        if stored or notice.first:
            await self.bus.publish(ResourcesListChanged())
