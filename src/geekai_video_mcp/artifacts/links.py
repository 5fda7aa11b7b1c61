"""The HTTP client for result links, which connects to allowed addresses only.

A link comes from outside, so it is followed only over https and to public addresses, and each
redirect is checked again. The configured service's own host is the one exception: the operator
may have configured a gateway or a sandbox on this machine.
"""

import re
import socket
import urllib.request
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import anyio
import httpx

from geekai_video_mcp.errors import ServiceUnavailable
from geekai_video_mcp.hosts import is_public

FETCH_TIMEOUT: Final = httpx.Timeout(connect=10.0, read=30.0, write=10.0, pool=10.0)
"""Seconds. A connection that delivers nothing for longer than the read timeout is dead."""
MAX_REDIRECTS: Final = 3

_PLAIN_HOST: Final = re.compile(r"[\w.:\-\[\]]+", re.ASCII)
"""A host name or address with an optional port; no user, and no character that two URL parsers
could read differently."""


class SafeHttpClient:
    """An HTTP client that connects only to hosts from which results may be downloaded."""

    def __init__(self, service_url: str, transport: httpx.AsyncBaseTransport | None) -> None:
        self._service = urlsplit(service_url)
        mounts = {f"all://{self._service.hostname}": transport} if transport else None
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

        Raises:
            ServiceUnavailable: the link is invalid, not allowed, or redirects too often.
        """
        current, location = "", url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                current = urljoin(current, location)
                request = await self._build_request(urlsplit(current), headers)
            except (ValueError, httpx.InvalidURL) as exc:
                raise download_failed("The result's link is not a valid URL") from exc
            response = await self._http.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    yield response
                    return
                location = response.headers["Location"]
            finally:
                await response.aclose()
        raise download_failed("The result's link redirects too often")

    async def _build_request(self, url: SplitResult, headers: Mapping[str, str]) -> httpx.Request:
        """A request that can only reach an allowed address."""
        # Compressed bytes could expand without limit, and compression does not help a video.
        request_headers = {**headers, "Accept-Encoding": "identity"}
        if (url.scheme, url.netloc) == (self._service.scheme, self._service.netloc):
            return self._http.build_request("GET", url.geturl(), headers=request_headers)
        if url.scheme != "https" or not url.hostname or not _PLAIN_HOST.fullmatch(url.netloc):
            raise download_failed("The result's link is not a plain https link")
        if _uses_proxy(url.hostname):
            # The proxy resolves the name and connects; its operator decides what it may reach.
            return self._http.build_request("GET", url.geturl(), headers=request_headers)
        address = await _resolve_public_address(url.hostname, url.port or 443)
        # Connect to the address that was checked: a second lookup might return another one.
        # The certificate is still verified against the name.
        direct = url._replace(netloc=f"{address}:{url.port or 443}")
        request_headers["Host"] = url.netloc
        extensions = {"sni_hostname": url.hostname}
        return self._http.build_request(
            "GET", direct.geturl(), headers=request_headers, extensions=extensions
        )


def _uses_proxy(host: str) -> bool:
    """Whether the environment sends https requests for *host* through a proxy, as httpx would."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return bool(proxy) and not urllib.request.proxy_bypass(host)


async def _resolve_public_address(host: str, port: int) -> str:
    """Look *host* up and return its first address, if all of its addresses are public."""
    try:
        entries = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:  # UnicodeError: a label that is too long
        raise download_failed("The result's host could not be resolved") from exc
    addresses = [entry[4][0] for entry in entries]
    if not addresses or not all(is_public(str(address)) for address in addresses):
        raise download_failed("The result's link points to a private address, which is not allowed")
    address = str(addresses[0])
    return f"[{address}]" if ":" in address else address


def download_failed(reason: str) -> ServiceUnavailable:
    """The error of a download that failed and may succeed later."""
    return ServiceUnavailable(reason, code="download_failed")
