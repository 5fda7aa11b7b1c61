"""Which models the service has, as it says itself: asked for at most once an hour.

Nothing depends on it. If it does not answer in time, what is packaged must do, and what it
said last stays known.
"""

from contextlib import suppress
from typing import Final

import anyio

from geekai_video_mcp.catalogue import LiveModel
from geekai_video_mcp.engine.means import EngineContext
from geekai_video_mcp.errors import RATE_LIMITED, GeekAIVideoError, ServiceUnavailable
from geekai_video_mcp.wire import ModelsPage

CACHE_TTL: Final = 3600.0
"""Seconds that a list is good for: models come and go by the month."""
RETRY_AFTER: Final = 300.0
"""Seconds after which a service that did not answer is asked again."""
FETCH_TIMEOUT: Final = 5.0
"""Seconds for the whole list: somebody waits, and the packaged facts answer nearly as well."""
MAX_PAGES: Final = 20
"""Pages that are read, of a hundred models each; sixty videos were known on 2026-04-25."""


class ModelListCache:
    """The models of one service and key."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._lock = anyio.Lock()
        self._models: tuple[LiveModel, ...] = ()
        self._fetched_at = -CACHE_TTL
        self._asked_at = -CACHE_TTL

    def cached(self) -> tuple[LiveModel, ...] | None:
        """What the service listed within the hour; None if it did not. Asks nobody."""
        # By the clock that cannot be set: an hour is an hour.
        fresh = self._models and anyio.current_time() - self._fetched_at < CACHE_TTL
        return self._models if fresh else None

    async def fetch(self) -> tuple[LiveModel, ...] | None:
        """The same, asking the service if it is time to; None if it does not answer."""
        async with self._lock:
            if self.cached() is None and anyio.current_time() - self._asked_at >= RETRY_AFTER:
                self._asked_at = anyio.current_time()
                with suppress(GeekAIVideoError), anyio.move_on_after(FETCH_TIMEOUT):
                    listed = await self._fetch_all_pages()
                    self._models, self._fetched_at = listed, anyio.current_time()
        return self.cached()

    async def _fetch_all_pages(self) -> tuple[LiveModel, ...]:
        found: dict[str, LiveModel] = {}
        for number in range(1, MAX_PAGES + 1):
            page = await self._fetch_page(number)
            new = {one.id: one for one in page.models if one.id not in found}
            found |= new
            # Without a total, the end is a page that has nothing new.
            if len(found) >= page.total if page.total is not None else not new:
                return tuple(found.values())
            if not new:
                break
        # Part of a list would make living models look dead.
        raise ServiceUnavailable(f"GeekAI listed {len(found)} models and says that it has more")

    async def _fetch_page(self, number: int) -> ModelsPage:
        if held := await self._context.acquire_request_slot(priority=True):
            raise ServiceUnavailable("held", code=RATE_LIMITED, retry_after_seconds=held)
        outside = await self._context.connections()
        try:
            return await outside.client.list_models(number)
        except ServiceUnavailable as exc:
            if exc.code == RATE_LIMITED:
                await self._context.pause_requests(exc.retry_after_seconds)
            raise
