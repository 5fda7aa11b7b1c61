"""Tokens about which the authorisation server is asked: RFC 7662."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
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
"""Seconds for which an answer holds: so long may a token work that was revoked there."""
MAX_CACHED: Final = 2000
MAX_REQUESTS: Final = 10
"""Requests at once: tokens of anybody's making are asked about."""
MAX_WAITING: Final = 100
MAX_CHARACTERS: Final = 8192


class Introspection:
    def __init__(
        self,
        metadata: ServerMetadata,
        *,
        client_id: str,
        client_secret: SecretStr,
        audiences: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metadata = metadata
        self._client_id = client_id
        self._client_secret = client_secret
        self._audiences = spellings(audiences)
        self._clock = clock
        self._answers: OrderedDict[bytes, tuple[Claims | None, float]] = OrderedDict()
        self._limiter = anyio.CapacityLimiter(MAX_REQUESTS)
        self._failed: tuple[str, float] | None = None

    async def read_claims(self, token: str) -> Claims | None:
        """The claims of a token that is valid now and for this server; None if it is none.

        Raises:
            TokenRefused: it is not valid here and now.
            AuthorizationServerFailed: the authorisation server does not say.
        """
        if len(token) > MAX_CHARACTERS:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        known = self._answers.get(digest)
        if known is None or known[1] <= self._clock():
            known = await self._ask_in_turn(token, digest)
        claims = known[0]
        if claims is not None:
            check_claims(claims, self._metadata.issuer, self._audiences)
        return claims

    async def _ask_in_turn(self, token: str, digest: bytes) -> tuple[Claims | None, float]:
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            msg = "too many tokens wait to be asked about"
            raise AuthorizationServerFailed(msg)
        async with self._limiter:
            known = self._answers.get(digest)
            if known is not None and known[1] > self._clock():  # asked meanwhile
                return known
            if self._failed is not None and self._clock() < self._failed[1]:
                raise AuthorizationServerFailed(self._failed[0])
            try:
                claims = await self._ask(token)
            except AuthorizationServerFailed as exc:
                self._failed = (str(exc), self._clock() + RETRY_SECONDS)
                raise
            self._failed = None
        known = (claims, self._clock() + CACHE_SECONDS)
        self._answers[digest] = known
        self._answers.move_to_end(digest)
        while len(self._answers) > MAX_CACHED:
            self._answers.popitem(last=False)
        return known

    async def _ask(self, token: str) -> Claims | None:
        url = await self._metadata.get_address("introspection_endpoint")
        form = {"token": token, "token_type_hint": "access_token"}
        methods = await self._metadata.get_list("introspection_endpoint_auth_methods_supported")
        secret = self._client_secret.get_secret_value()
        auth = None
        if methods and "client_secret_basic" not in methods and "client_secret_post" in methods:
            form |= {"client_id": self._client_id, "client_secret": secret}
        else:  # RFC 6749, section 2.3.1: both are encoded first
            auth = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(secret))
        answer = await fetch_json(url, form=form, auth=auth)
        return answer if answer.get("active") is True else None
