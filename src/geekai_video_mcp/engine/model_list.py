"""The service's own list of its models, fetched at most once an hour.

Nothing depends on it. If the service does not answer in time, the packaged facts are used, and
the last list is kept while it is fresh.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from geekai_video_mcp.domain.catalogue import LiveModel
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import RATE_LIMITED, GeekAIVideoError, ServiceUnavailable

if TYPE_CHECKING:
    from geekai_video_mcp.provider.wire import ModelsPage

CACHE_TTL: Final = 3600.0
"""Seconds for which a list is used: models appear and disappear over months."""
RETRY_AFTER: Final = 300.0
"""Seconds to wait before asking a service again that did not answer."""
FETCH_TIMEOUT: Final = 5.0
"""Seconds for the whole list: a caller waits, and the packaged facts are nearly as good."""
MAX_PAGES: Final = 20
"""Pages that are read, of a hundred models each; there were sixty video models on 2026-04-25."""


class ModelListCache:
    """The models of one service and key."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._lock = anyio.Lock()
        self._models: tuple[LiveModel, ...] = ()
        self._fetched_at = -CACHE_TTL
        self._attempted_at = -CACHE_TTL

    def cached(self) -> tuple[LiveModel, ...] | None:
        """The list if it was fetched within the hour, else None. Sends no request."""
        # A monotonic clock: setting the system clock makes no list older or younger.
        fresh = self._models and anyio.current_time() - self._fetched_at < CACHE_TTL
        return self._models if fresh else None

    async def fetch(self) -> tuple[LiveModel, ...] | None:
        """The same, after fetching the list if that is due; None if the service did not answer."""
        async with self._lock:
            if self.cached() is None and anyio.current_time() - self._attempted_at >= RETRY_AFTER:
                self._attempted_at = anyio.current_time()
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
            # Without a total, the list ends with a page that has nothing new.
            if len(found) >= page.total if page.total is not None else not new:
                return tuple(found.values())
            if not new:
                break
        # A partial list would make available models look discontinued.
        raise ServiceUnavailable(f"GeekAI listed {len(found)} models and says that it has more")

    async def _fetch_page(self, number: int) -> "ModelsPage":
        if wait := await self._context.acquire_request_slot():
            raise ServiceUnavailable("held", code=RATE_LIMITED, retry_after_seconds=wait)
        connections = await self._context.get_connections()
        try:
            return await connections.client.list_models(number)
        except ServiceUnavailable as exc:
            if exc.code == RATE_LIMITED:
                await self._context.pause_requests(exc.retry_after_seconds)
            raise
