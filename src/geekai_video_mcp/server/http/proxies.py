"""The headers by which a proxy describes its client, taken from the operator's own proxies alone.

uvicorn's middleware for these headers knows neither the prefix nor the host, and the address that
it compares has already been replaced when ours would need it.
"""

import ipaddress
import logging
import re
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from geekai_video_mcp.config.hosting import Network
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.http.messages import replace_headers
from geekai_video_mcp.server.http.public_url import PUBLIC_URL

logger = logging.getLogger(__name__)

_FORWARDED: Final = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-prefix",
    "x-forwarded-proto",
)
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_SCHEMES: Final = frozenset({"http", "https"})


def parse_prefix(text: str) -> str:
    """A path prefix, without a slash at its end; empty for none.

    Raises:
        ValueError: it is no path that stays the same wherever it is resolved.
    """
    prefix = text.rstrip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        msg = "must be a path such as /video, of letters, digits and . _ ~ -"
        raise ValueError(msg)
    return prefix


class ProxyHeaders:
    """Puts the client's address, scheme, host and prefix into the scope, and sets `PUBLIC_URL`.

    The scope's `path` is then without the prefix, whether the proxy has removed it or not.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        proxies: Sequence[Network] = (),
        root_path: str = "",
        public_url: str | None = None,
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._root_path = root_path
        self._public_url = public_url
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "root_path": self._root_path}
        headers = Headers(scope=scope)
        if self._is_trusted(scope["client"][0] if scope.get("client") else ""):
            self._apply(headers, scope)
        elif any(name in headers for name in _FORWARDED):
            self._warn(scope)
        _remove_prefix(scope)
        token = PUBLIC_URL.set(self._public_url or _own_url(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            PUBLIC_URL.reset(token)

    def _apply(self, headers: Headers, scope: Scope) -> None:
        scheme = _first(headers, "x-forwarded-proto").lower()
        if scheme in _SCHEMES:
            scope["scheme"] = scheme
        if host := _first(headers, "x-forwarded-host"):
            scope["headers"] = replace_headers(scope, {"host": host})["headers"]
        if given := _first(headers, "x-forwarded-prefix"):
            try:
                scope["root_path"] = parse_prefix(given)
            except ValueError:
                logger.warning("ignored the X-Forwarded-Prefix %s", quote(given, limit=80))
        if client := self._find_client(headers.getlist("x-forwarded-for")):
            scope["client"] = (client, 0)

    def _find_client(self, values: list[str]) -> str | None:
        """The last address that no proxy of ours has: what stands before it, the client wrote."""
        client = None
        for entry in reversed(", ".join(values).split(",")):
            try:
                client = str(_parse_address(entry.strip()))
            except ValueError:
                return client
            if not self._is_trusted(client):
                return client
        return client

    def _is_trusted(self, client: str) -> bool:
        try:
            address = _parse_address(client)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def _warn(self, scope: Scope) -> None:
        if self._warned:
            return
        self._warned = True
        logger.warning(
            "ignored the X-Forwarded headers of %s, which is not in GEEKAI_TRUSTED_PROXIES",
            quote(scope["client"][0] if scope.get("client") else "", limit=60),
        )


class RestorePrefix:
    """Gives the application inside the whole path, as ASGI wants it, beside the prefix."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["root_path"]:
            scope = {**scope, "path": scope["root_path"] + scope["path"]}
        await self._app(scope, receive, send)


def _remove_prefix(scope: Scope) -> None:
    prefix: str = scope["root_path"]
    if prefix and scope["path"].startswith(f"{prefix}/"):
        scope["path"] = scope["path"].removeprefix(prefix)


def _own_url(scope: Scope) -> str:
    """The address that the request was sent to; its Host has not been checked yet."""
    host = Headers(scope=scope).get("host", "")
    return f"{scope['scheme']}://{host}{scope['root_path']}"


def _first(headers: Headers, name: str) -> str:
    """The value of the outermost of several proxies."""
    return ", ".join(headers.getlist(name)).split(",", maxsplit=1)[0].strip()


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address, without brackets and port; an IPv4 one in an IPv6 one as itself.

    Raises:
        ValueError: it is none.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
