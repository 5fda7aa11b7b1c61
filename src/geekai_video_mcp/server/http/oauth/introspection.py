"""Tokens that the authorisation server introspects: RFC 7662."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote_plus

import anyio
import httpx
from pydantic import SecretStr

from geekai_video_mcp.server.http.oauth.cached import RETRY_SECONDS
from geekai_video_mcp.server.http.oauth.claims import Claims, check_claims, spellings
from geekai_video_mcp.server.http.oauth.fetching import AuthorizationServerFailed, fetch_json
from geekai_video_mcp.server.http.oauth.metadata import ServerMetadata

CACHE_SECONDS: Final = 5.0
"""Seconds for which a response is kept: so long may a token work that was revoked there."""
MAX_CACHED: Final = 2000
MAX_REQUESTS: Final = 10
"""Requests at once: anybody can send tokens, and each is introspected."""
MAX_WAITING: Final = 100
"""Tokens that wait for one of those requests; the next one is refused."""
MAX_CHARACTERS: Final = 8192
"""Characters of a token; a longer one is not sent on."""


class Introspection:
    """Has the authorisation server introspect tokens, each at most every `CACHE_SECONDS`."""

    def __init__(
        self,
        metadata: ServerMetadata,
        *,
        client_id: str,
        client_secret: SecretStr,
        audiences: Sequence[str],
    ) -> None:
        self._metadata = metadata
        self._client_id = client_id
        self._client_secret = client_secret
        self._audiences = spellings(audiences)
        self._introspected: OrderedDict[bytes, tuple[Claims | None, float]] = OrderedDict()
        self._limiter = anyio.CapacityLimiter(MAX_REQUESTS)
        self._failed: tuple[str, float] | None = None

    async def read_claims(self, token: str) -> Claims | None:
        """The claims of a token that is valid now and for this server; None if it is none.

        Raises:
            TokenRefused: it is not valid here and now.
            AuthorizationServerFailed: the authorisation server does not respond as it should.
        """
        if len(token) > MAX_CHARACTERS:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        known = self._introspected.get(digest)
        if known is None or known[1] <= time.monotonic():
            known = await self._introspect_in_turn(token, digest)
        claims = known[0]
        if claims is not None:
            check_claims(claims, self._metadata.issuer, self._audiences)
        return claims

    async def _introspect_in_turn(self, token: str, digest: bytes) -> tuple[Claims | None, float]:
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            msg = "too many tokens wait for their introspection"
            raise AuthorizationServerFailed(msg)
        async with self._limiter:
            known = self._introspected.get(digest)
            if known is not None and known[1] > time.monotonic():  # introspected meanwhile
                return known
            if self._failed is not None and time.monotonic() < self._failed[1]:
                raise AuthorizationServerFailed(self._failed[0])
            try:
                claims = await self._introspect(token)
            except AuthorizationServerFailed as exc:
                self._failed = (str(exc), time.monotonic() + RETRY_SECONDS)
                raise
            self._failed = None
        known = (claims, time.monotonic() + CACHE_SECONDS)
        self._introspected[digest] = known
        self._introspected.move_to_end(digest)
        while len(self._introspected) > MAX_CACHED:
            self._introspected.popitem(last=False)
        return known

    async def _introspect(self, token: str) -> Claims | None:
        url = await self._metadata.get_address("introspection_endpoint")
        form = {"token": token, "token_type_hint": "access_token"}
        methods = await self._metadata.get_list("introspection_endpoint_auth_methods_supported")
        secret = self._client_secret.get_secret_value()
        auth = None
        if methods and "client_secret_basic" not in methods and "client_secret_post" in methods:
            form |= {"client_id": self._client_id, "client_secret": secret}
        else:  # RFC 6749, section 2.3.1: both are encoded first
            auth = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(secret))
        claims = await fetch_json(url, form=form, auth=auth)
        return claims if claims.get("active") is True else None
