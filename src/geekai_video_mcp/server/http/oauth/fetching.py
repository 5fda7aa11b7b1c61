"""Requests to the authorisation server: to https only, bounded in time and size, no redirects."""

import json
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, cast
from urllib.parse import urlsplit

import anyio
import httpx

from geekai_video_mcp.domain.public_hosts import is_loopback
from geekai_video_mcp.quoting import quote

MAX_SECONDS: Final = 5.0
"""Seconds for a whole exchange: a client's request waits for it."""
MAX_BYTES: Final = 512 * 1024
"""Bytes of a response."""
_OK: Final = 200
_NOT_THERE: Final = frozenset({404, 405, 410})
_IDENTITY: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


class AuthorizationServerFailed(Exception):
    """It does not respond as it should, so no token can be checked; `str()` of it is the reason."""


class NotThere(AuthorizationServerFailed):
    """It responds that there is nothing at the address."""


async def fetch_json(
    url: str, *, form: Mapping[str, str] | None = None, auth: httpx.BasicAuth | None = None
) -> dict[str, Any]:
    """The JSON object at *url*, or in the response to a POST of *form*.

    Raises:
        AuthorizationServerFailed: there is none.
    """
    check_address(url)
    method = "GET" if form is None else "POST"
    try:
        with anyio.fail_after(MAX_SECONDS):
            async with (
                _new_client(url) as client,
                client.stream(method, url, data=form, auth=auth or _NO_AUTH) as response,
            ):
                _check_status(response, url)
                content = await _read(response, url)
    except TimeoutError as exc:
        msg = f"{quote(url)} did not answer within {MAX_SECONDS:.0f} s"
        raise AuthorizationServerFailed(msg) from exc
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
        msg = f"the request to {quote(url)} failed: {type(exc).__name__}"
        raise AuthorizationServerFailed(msg) from exc
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        msg = f"{quote(url)} did not answer with a JSON object"
        raise AuthorizationServerFailed(msg)
    return cast("dict[str, Any]", value)


def check_address(url: str) -> None:
    """Refuse an address to which a request would go unencrypted; http is for loopback.

    Raises:
        AuthorizationServerFailed: it is such an address, or none.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        msg = f"its metadata names {quote(url)}, which is no https address"
        raise AuthorizationServerFailed(msg)


_NO_AUTH: Final = httpx.Auth()
"""Otherwise httpx would look for a password in the user's .netrc."""


def _new_client(url: str) -> httpx.AsyncClient:
    local = is_loopback(urlsplit(url).hostname or "")
    return httpx.AsyncClient(
        verify=_tls_context(),
        follow_redirects=False,
        headers=_IDENTITY,
        timeout=MAX_SECONDS,
        trust_env=not local,  # no proxy is used for this machine
    )


@cache
def _tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status == _OK:
        return
    msg = f"{quote(url)} answered with HTTP {status}"
    raise (NotThere if status in _NOT_THERE else AuthorizationServerFailed)(msg)


async def _read(response: httpx.Response, url: str) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > MAX_BYTES:
            msg = f"{quote(url)} answered with more than {MAX_BYTES >> 10} kB"
            raise AuthorizationServerFailed(msg)
    return bytes(content)
