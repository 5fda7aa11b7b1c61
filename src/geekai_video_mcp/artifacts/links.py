"""Where a result's link may lead, and the way there.

A link comes from outside, so it is followed to public addresses only, over https, and each
redirect is judged anew. The configured service's own host is the one exception: a gateway
or a sandbox on this machine is where the operator sent us.
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
"""Seconds. A read that is silent for longer is a connection that died."""
MAX_REDIRECTS: Final = 3

_PLAIN_HOST: Final = re.compile(r"[\w.:\-\[\]]+", re.ASCII)
"""A name or an address with a port; no user, and nothing that two parsers read differently."""


class SafeHttpClient:
    """The client of result hosts, kept to where results may come from."""

    def __init__(self, service_url: str, transport: httpx.AsyncBaseTransport | None) -> None:
        self._service = urlsplit(service_url)
        mounts = {f"all://{self._service.hostname}": transport} if transport else None
        # Of its own, without default headers: no result host is ever sent the key.
        self._http = httpx.AsyncClient(
            mounts=mounts,
            follow_redirects=False,
            timeout=FETCH_TIMEOUT,
            trust_env=transport is None,  # a service in this process is behind no proxy
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[httpx.Response]:
        """The answer at the end of *url* and its redirects; *headers* are sent to each of them.

        Raises:
            ServiceUnavailable: the link leads where no result may come from.
        """
        current, location = "", url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                current = urljoin(current, location)
                request = await self._build_request(urlsplit(current), headers)
            except (ValueError, httpx.InvalidURL) as exc:
                raise download_failed("The result's link cannot be read") from exc
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
        """A request that can only go where results may come from."""
        # Compressed bytes could expand without end; a video gains nothing by them.
        request_headers = {**headers, "Accept-Encoding": "identity"}
        if (url.scheme, url.netloc) == (self._service.scheme, self._service.netloc):
            return self._http.build_request("GET", url.geturl(), headers=request_headers)
        if url.scheme != "https" or not url.hostname or not _PLAIN_HOST.fullmatch(url.netloc):
            raise download_failed("The result's link is not a plain https link")
        if _uses_proxy(url.hostname):
            # The proxy looks the name up and connects; what it may reach is its operator's say.
            return self._http.build_request("GET", url.geturl(), headers=request_headers)
        address = await _resolve_public_address(url.hostname, url.port or 443)
        # Connected by the address that was judged: a second lookup might answer otherwise.
        # The certificate is still checked against the name.
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
    """One address of *host*, all of whose addresses are public."""
    try:
        entries = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:  # a label too long for any name
        raise download_failed("The result's host has no address") from exc
    addresses = [entry[4][0] for entry in entries]
    if not addresses or not all(is_public(str(address)) for address in addresses):
        raise download_failed(
            "The result's link leads to a private address, where none may come from"
        )
    address = str(addresses[0])
    return f"[{address}]" if ":" in address else address


def download_failed(reason: str) -> ServiceUnavailable:
    """A download that did not come about, and may later."""
    return ServiceUnavailable(reason, code="download_failed")
