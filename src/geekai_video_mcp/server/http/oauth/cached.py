"""A document of the authorisation server, fetched when it is needed and seldom otherwise."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import anyio

from geekai_video_mcp.server.http.oauth.fetching import AuthorizationServerFailed

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 600.0
"""Seconds until a document is fetched again."""
KEPT_SECONDS: Final = 3600.0
"""Seconds for which an old one serves if the authorisation server does not answer."""
RETRY_SECONDS: Final = 5.0
"""Seconds between two attempts that fail: requests that come meanwhile do not wait for more."""
RENEW_SECONDS: Final = 30.0
"""Seconds between two fetches for the sake of what the document does not have: whoever sends
tokens of his own making must not decide how often the authorisation server is asked."""

_T = TypeVar("_T")


class Cached(Generic[_T]):
    """What *fetch* brings; requests that need it at the same time share one fetch."""

    def __init__(
        self, fetch: Callable[[], Awaitable[_T]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = anyio.Lock()
        self._found: tuple[_T, float] | None = None
        self._failed: tuple[AuthorizationServerFailed, float] | None = None

    async def get(self) -> _T:
        """The document, which is fetched if it is old.

        Raises:
            AuthorizationServerFailed: there is none, and none can be had.
        """
        return await self._get_newer(FRESH_SECONDS)

    async def renew(self) -> _T:
        """The document as it is now, unless it was fetched a short time ago.

        Raises:
            AuthorizationServerFailed: it cannot be fetched.
        """
        return await self._get_newer(RENEW_SECONDS, kept=RENEW_SECONDS)

    async def _get_newer(self, seconds: float, *, kept: float = KEPT_SECONDS) -> _T:
        if (found := self._younger_than(seconds)) is not None:
            return found[0]
        async with self._lock:
            if (found := self._younger_than(seconds)) is not None:  # fetched meanwhile
                return found[0]
            failed = self._failed
            if failed is None or self._clock() - failed[1] >= RETRY_SECONDS:
                try:
                    self._found = (await self._fetch(), self._clock())
                    self._failed = None
                    return self._found[0]
                except AuthorizationServerFailed as exc:
                    logger.warning("the authorisation server of GEEKAI_OAUTH_ISSUER: %s", exc)
                    failed = self._failed = (exc, self._clock())
            if (found := self._younger_than(kept)) is not None:
                return found[0]
            raise AuthorizationServerFailed(str(failed[0]))

    def _younger_than(self, seconds: float) -> tuple[_T, float] | None:
        found = self._found
        return found if found and self._clock() - found[1] < seconds else None
