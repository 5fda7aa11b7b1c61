"""Where the authorisation server's endpoints are: RFC 8414's metadata, or OpenID Connect's."""

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.http.oauth.cached import Cached
from geekai_video_mcp.server.http.oauth.fetching import (
    AuthorizationServerFailed,
    NotThere,
    fetch_json,
)


class ServerMetadata:
    """The metadata of *issuer*, which has to name itself exactly so."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._cached = Cached(self._fetch)

    async def get_address(self, name: str) -> str:
        """The address of an endpoint.

        Raises:
            AuthorizationServerFailed: the metadata cannot be had, or does not have it.
        """
        value: object = (await self._cached.get()).get(name)
        if not isinstance(value, str):
            msg = f"its metadata has no {name}"
            raise AuthorizationServerFailed(msg)
        return value

    async def get_list(self, name: str) -> list[object] | None:
        """A list of the metadata; None if there is none.

        Raises:
            AuthorizationServerFailed: the metadata cannot be had.
        """
        value: object = (await self._cached.get()).get(name)
        return cast("list[object]", value) if isinstance(value, list) else None

    async def _fetch(self) -> dict[str, Any]:
        reasons: list[str] = []
        for url in metadata_urls(self.issuer):
            try:
                metadata = await fetch_json(url)
            except NotThere as exc:
                reasons.append(str(exc))
                continue
            if metadata.get("issuer") == self.issuer:
                return metadata
            named = metadata.get("issuer")
            reasons.append(
                f"{quote(url)} is the metadata of {quote(str(named))}, and GEEKAI_OAUTH_ISSUER is"
                f" {quote(self.issuer)}: they have to be the same to the last character"
            )
        raise AuthorizationServerFailed("; ".join(reasons))


def metadata_urls(issuer: str) -> Iterator[str]:
    """Where the metadata may be, in the order in which MCP's clients look as well."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"
