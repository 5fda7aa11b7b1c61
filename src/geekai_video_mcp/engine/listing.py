"""Which models the service has, as it says itself: asked for at most once an hour.

Nothing depends on it. If it does not answer in time, what is packaged must do, and what it
said last stays known.
"""

from contextlib import suppress
from typing import Final

import anyio

from geekai_video_mcp.catalogue import LiveModel
from geekai_video_mcp.engine.means import Means
from geekai_video_mcp.errors import RATE_LIMITED, GeekAIVideoError, ServiceUnavailable
from geekai_video_mcp.wire import ModelsPage

LISTING_LIFE: Final = 3600.0
"""Seconds that a list is good for: models come and go by the month."""
ASK_AGAIN: Final = 300.0
"""Seconds after which a service that did not answer is asked again."""
LISTING_PATIENCE: Final = 5.0
"""Seconds for the whole list: somebody waits, and the packaged facts answer nearly as well."""
PAGES: Final = 20
"""Pages that are read, of a hundred models each; sixty videos were known on 2026-04-25."""


class Listing:
    """The models of one service and key."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._turn = anyio.Lock()
        self._listed: tuple[LiveModel, ...] = ()
        self._listed_at = -LISTING_LIFE
        self._asked_at = -LISTING_LIFE

    def known(self) -> tuple[LiveModel, ...] | None:
        """What the service listed within the hour; None if it did not. Asks nobody."""
        # By the clock that cannot be set: an hour is an hour.
        fresh = self._listed and anyio.current_time() - self._listed_at < LISTING_LIFE
        return self._listed if fresh else None

    async def models(self) -> tuple[LiveModel, ...] | None:
        """The same, asking the service if it is time to; None if it does not answer."""
        async with self._turn:
            if self.known() is None and anyio.current_time() - self._asked_at >= ASK_AGAIN:
                self._asked_at = anyio.current_time()
                with suppress(GeekAIVideoError), anyio.move_on_after(LISTING_PATIENCE):
                    listed = await self._ask()
                    self._listed, self._listed_at = listed, anyio.current_time()
        return self.known()

    async def _ask(self) -> tuple[LiveModel, ...]:
        found: dict[str, LiveModel] = {}
        for number in range(1, PAGES + 1):
            page = await self._page(number)
            new = {one.id: one for one in page.models if one.id not in found}
            found |= new
            # Without a total, the end is a page that has nothing new.
            if len(found) >= page.total if page.total is not None else not new:
                return tuple(found.values())
            if not new:
                break
        # Part of a list would make living models look dead.
        raise ServiceUnavailable(f"GeekAI listed {len(found)} models and says that it has more")

    async def _page(self, number: int) -> ModelsPage:
        if held := await self._means.take(ahead=True):
            raise ServiceUnavailable("held", code=RATE_LIMITED, retry_after_seconds=held)
        outside = await self._means.outside()
        try:
            return await outside.service.list_models(number)
        except ServiceUnavailable as exc:
            if exc.code == RATE_LIMITED:
                await self._means.hold(exc.retry_after_seconds)
            raise
