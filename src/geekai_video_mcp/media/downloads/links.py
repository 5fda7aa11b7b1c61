"""The HTTP client for result links, which connects to allowed addresses only.

A link comes from outside, so it is followed only over https and to public addresses, and each
redirect is checked again. The configured service itself is the one exception: the operator may
have configured a gateway or a sandbox on this machine. It is also the one host that is ever
given the key, and only after it has asked for it.
"""

import re
import socket
import urllib.request
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import anyio
import httpx
from pydantic import SecretStr

from geekai_video_mcp.domain.public_hosts import (
    is_address,
    is_public,
    is_same_origin,
    may_be_public,
    may_lead_to_public,
)
from geekai_video_mcp.domain.retries import FORBIDDEN, LASTING, PASSING, Obstacle
from geekai_video_mcp.errors import DownloadFailed

FETCH_TIMEOUT: Final = httpx.Timeout(connect=10.0, read=30.0, write=10.0, pool=10.0)
"""Seconds. A connection that delivers nothing for longer than the read timeout is dead."""
ANSWER_DEADLINE: Final = 30.0
"""Seconds until the head of an answer is there: a host that sends it byte by byte never meets the
read timeout."""
MAX_REDIRECTS: Final = 3
MAX_ADDRESSES: Final = 3
"""Addresses of one host that are tried; each may take the whole connect timeout."""
HTTP_PORT: Final = 80

_PLAIN_HOST: Final = re.compile(r"[\w.:\-\[\]]+", re.ASCII)
"""A host name or address with an optional port; no user, and no character that two URL parsers
could read differently."""


@dataclass(frozen=True, kw_only=True)
class _Target:
    """Where one request of a download goes."""

    url: SplitResult
    own: bool
    """Whether it is the service itself."""
    upgraded: bool = False
    """Whether the link was http and is tried as https."""


class SafeHttpClient:
    """An HTTP client that connects only to hosts from which results may be downloaded."""

    def __init__(
        self,
        service_url: str,
        transport: httpx.AsyncBaseTransport | None,
        api_key: SecretStr | None = None,
    ) -> None:
        self._service_url = service_url
        self._service = urlsplit(service_url)
        self._api_key = api_key
        host = str(self._service.hostname)
        host = f"[{host}]" if ":" in host else host
        mounts = {f"all://{host}": transport} if transport else None
        # A separate client without default headers: no result host ever receives the key.
        self._http = httpx.AsyncClient(
            mounts=mounts,
            follow_redirects=False,
            timeout=FETCH_TIMEOUT,
            trust_env=transport is None,  # a service in this process is not behind a proxy
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[httpx.Response]:
        """The response at the end of *url* and its redirects; each of them gets *headers*.

        A relative *url* belongs to the service, unless it begins with the name of a public host:
        then it is a link without its scheme.

        Raises:
            DownloadFailed: the link is invalid, not allowed, or redirects too often.
            httpx.HTTPError: no connection could be made, or it failed.
            TimeoutError: no answer came in time.
        """
        current, location = f"{self._service_url}/", _complete_scheme(url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                # A link with a scheme is never relative, however little follows.
                relative = not urlsplit(location).scheme
                current = urljoin(current, location) if relative else location
                target = self._check_url(urlsplit(current))
                with anyio.fail_after(ANSWER_DEADLINE):
                    response = await self._send(target, headers)
            except (ValueError, httpx.InvalidURL) as exc:
                raise _forbidden("The result's link is not a valid URL") from exc
            try:
                if not response.has_redirect_location:
                    yield response
                    return
                location = response.headers["Location"]
            finally:
                await response.aclose()
        msg = "The result's link redirects too often"
        raise DownloadFailed(msg, code=Obstacle.REDIRECTS, attempts=LASTING)

    def _check_url(self, url: SplitResult) -> _Target:
        if is_same_origin(url, self._service):
            # By the name that the operator has given: another one may resolve differently.
            own = url._replace(netloc=self._service.netloc)
            return _Target(url=own, own=True)
        if url.hostname and not url.hostname.isascii() and "@" not in url.netloc:
            # The name as DNS has it, of which there is only one reading; it is checked as that.
            port = f":{url.port}" if url.port else ""
            url = url._replace(netloc=url.hostname.encode("idna").decode("ascii") + port)
        upgraded = url.scheme == "http" and bool(url.hostname)
        if upgraded:
            at_default_port = url.port == HTTP_PORT
            netloc = url.netloc.removesuffix(f":{HTTP_PORT}") if at_default_port else url.netloc
            url = url._replace(scheme="https", netloc=netloc)
        if url.scheme != "https" or not url.hostname or not _PLAIN_HOST.fullmatch(url.netloc):
            raise _forbidden("The result's link is not a plain http or https link")
        return _Target(url=url, own=False, upgraded=upgraded)

    async def _send(self, target: _Target, headers: Mapping[str, str]) -> httpx.Response:
        # Compressed bytes could expand without limit, and compression does not help a video.
        headers = {**headers, "Accept-Encoding": "identity"}
        if target.own:
            return await self._send_to_service(target.url.geturl(), headers)
        host, port = str(target.url.hostname), target.url.port or 443
        if _uses_proxy(host):
            # The proxy resolves the name and connects; its operator decides what it may reach.
            request = self._http.build_request("GET", target.url.geturl(), headers=headers)
            return await self._http.send(request, stream=True)
        addresses = await _resolve_public_addresses(host, port)
        try:
            return await self._send_to_first(addresses, target.url, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            if not target.upgraded:
                raise
            msg = "The result's link is http, and its host does not answer over https"
            raise DownloadFailed(msg, code=Obstacle.NOT_HTTPS, attempts=LASTING) from exc

    async def _send_to_service(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        """The service's response; it gets the key if it asks for it."""
        request = self._http.build_request("GET", url, headers=headers)
        response = await self._http.send(request, stream=True)
        if response.status_code != HTTPStatus.UNAUTHORIZED or self._api_key is None:
            return response
        await response.aclose()
        with_key = {**headers, "Authorization": f"Bearer {self._api_key.get_secret_value()}"}
        request = self._http.build_request("GET", url, headers=with_key)
        return await self._http.send(request, stream=True)

    async def _send_to_first(
        self, addresses: list[str], url: SplitResult, headers: Mapping[str, str]
    ) -> httpx.Response:
        """The response of the first of *addresses* that takes a connection."""
        # Connect to an address that was checked: a second lookup might return another one.
        # The certificate is still verified against the name.
        extensions = {"sni_hostname": url.hostname}
        for address in addresses:
            direct = url._replace(netloc=f"{address}:{url.port or 443}").geturl()
            request = self._http.build_request(
                "GET", direct, headers={**headers, "Host": url.netloc}, extensions=extensions
            )
            try:
                return await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise AssertionError


def _complete_scheme(link: str) -> str:
    """*link*, with https if it begins with the name of a public host, as in `cdn.com/a.mp4`."""
    host, slash, _ = link.partition("/")
    is_host = bool(slash) and _PLAIN_HOST.fullmatch(host) and may_be_public(host.partition(":")[0])
    return f"https://{link}" if is_host else link


def _uses_proxy(host: str) -> bool:
    """Whether the environment sends https requests for *host* through a proxy, as httpx would."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return bool(proxy) and not urllib.request.proxy_bypass(host)


async def _resolve_public_addresses(host: str, port: int) -> list[str]:
    """Look *host* up and return its first public addresses, as they stand in a URL."""
    try:
        entries = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:  # UnicodeError: a label that is too long
        msg = "The result's host could not be resolved"
        raise DownloadFailed(msg, code=Obstacle.UNREACHABLE, attempts=PASSING) from exc
    literal = is_address(host)
    is_allowed = is_public if literal else may_lead_to_public
    addresses = [str(entry[4][0]) for entry in entries]
    allowed = [address for address in addresses if is_allowed(address)][:MAX_ADDRESSES]
    if not allowed:
        msg = "The result's link points to a private address, which is not allowed"
        attempts = FORBIDDEN if literal else LASTING  # what DNS answers may change
        raise DownloadFailed(msg, code=Obstacle.NOT_ALLOWED, attempts=attempts)
    return [f"[{address}]" if ":" in address else address for address in allowed]


def _forbidden(reason: str) -> DownloadFailed:
    return DownloadFailed(reason, code=Obstacle.NOT_ALLOWED, attempts=FORBIDDEN)
