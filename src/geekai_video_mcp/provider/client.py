"""GeekAI over HTTP: one method per endpoint. Never waits between requests, never repeats a POST.

Only this module and `media.downloads` import httpx, and the server imports them when a task first
needs them. Exceptions of httpx are translated here, once. The important distinction is
between "certainly not sent" and everything else. Four classes of httpx mean "not sent":
ConnectError, ConnectTimeout, PoolTimeout, and ProxyError, which is raised if a proxy refuses
the tunnel, before any byte of the request was sent. A ReadError may occur before or after the
service has read the whole request, so it proves nothing. What was read of a response until it
broke off is used: it may name a task that was paid for.

What a response may take: its head 100 kB (h11 ends a longer one with a RemoteProtocolError), its
body the limits below, each of which is read as it is sent and never decompressed, its JSON
`wire.bodies.MAX_ITEMS`, and all of it together the deadline of its request.
"""

import logging
import math
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Self, TypeVar
from urllib.parse import quote, urlsplit

import anyio
import anyio.to_thread
import httpx
from pydantic import SecretStr
from pydantic_core import to_json

from geekai_video_mcp.domain.polling import MIN_POLLS_AT_ONCE
from geekai_video_mcp.domain.tasks import (
    Media,
    Observation,
)
from geekai_video_mcp.errors import ServiceUnavailable, SubmissionUnknown, TaskNotFound
from geekai_video_mcp.provider import wire
from geekai_video_mcp.provider.connection_errors import explain_connection_error
from geekai_video_mcp.provider.secrets import SecretBlotter, proxy_secrets
from geekai_video_mcp.provider.wire.probe import ServiceProbe, parse_probe_response
from geekai_video_mcp.quoting import quote as quote_text

SUBMIT_TIMEOUT: Final = httpx.Timeout(connect=10.0, write=60.0, read=300.0, pool=10.0)
"""Seconds. The read timeout is as long as GeekAI keeps a connection (five minutes, read
2026-11-22): a longer timeout leaves fewer outcomes unknown."""
POLL_TIMEOUT: Final = httpx.Timeout(connect=10.0, write=10.0, read=30.0, pool=10.0)
"""Seconds. After that the next poll is more useful than waiting for this one."""
SUBMIT_DEADLINE: Final = 400.0
POLL_DEADLINE: Final = 60.0
"""Seconds for a whole request of each kind. The read timeouts above limit the time between two
reads, and GeekAI sends blank keep-alive lines; it closes a connection after 300 s itself, so
only another service reaches the first deadline."""
POLLS_OF_POOL: Final = 10
"""Polls that wait for an answer in one pool of connections, where there are many polls. For each
request, httpx compares every connection of its pool with all others, and it closes those that could
be used again as soon as there are more than it may keep."""
MODELS_PER_PAGE: Final = 100
"""Requested as `page_size`, the name that the response uses; a service may return fewer."""
MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
"""Bytes that are read of a response that may contain an image in base64: one to a POST, because
some gateways repeat the request in it, and one about an image."""
MAX_SHORT_RESPONSE_BYTES: Final = 1024 * 1024
"""Bytes that are read of a poll of a video, and of a page of models."""
PARSE_IN_THREAD_BYTES: Final = 64 * 1024
"""A larger response is read as JSON in a thread, so that other calls go on meanwhile."""

_PATHS: Final = {Media.VIDEO: "/videos", Media.IMAGE: "/images"}
_T = TypeVar("_T")

NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)

# Both log whole URLs at INFO, query strings and signatures included.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


_POOL_LIMITS: Final = httpx.Limits(
    max_connections=4 * POLLS_OF_POOL, max_keepalive_connections=4 * POLLS_OF_POOL
)


@dataclass
class _Pool:
    """Connections for polls, and how many requests use them now."""

    http: httpx.AsyncClient
    requests: int = 0


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """What one request may take."""

    timeout: httpx.Timeout
    max_seconds: float
    max_bytes: int


_PROBE_LIMITS: Final = _Limits(
    timeout=httpx.Timeout(8.0), max_seconds=10.0, max_bytes=MAX_SHORT_RESPONSE_BYTES
)
"""A person waits for this one."""


class GeekAIClient:
    """The service's endpoints, for one base URL and one key."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: SecretStr | None,
        polls_at_once: int = MIN_POLLS_AT_ONCE,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).hostname or base_url
        self._api_key = api_key
        self._clock = clock
        # Reading the certificates takes longer than anything else about a client.
        certificates = httpx.create_ssl_context() if transport is None else True
        self._new_http = partial(
            httpx.AsyncClient, transport=transport, verify=certificates, follow_redirects=False
        )
        self._http = self._new_http()
        self._pools = [_Pool(self._http)]
        self._max_pools = math.ceil(polls_at_once / POLLS_OF_POOL) if transport is None else 1
        key = api_key.get_secret_value() if api_key is not None else ""
        self._blotter = SecretBlotter([key, *proxy_secrets()])
        self._api_seen = False
        """Whether GeekAI's API has answered at this address: until then it may be another's."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for pool in self._pools:
            await pool.http.aclose()

    async def create_task(self, media: Media, body: dict[str, object]) -> Observation:
        """POST /videos/generations, or /images/generations. Costs money.

        Raises:
            RequestRefused, NotAuthorised, WrongService: the request was refused; not charged.
            ServiceUnavailable: the request was not sent, or not executed; nothing was charged.
            SubmissionUnknown: there was no usable response; it may have been charged.
        """
        limits = _Limits(
            timeout=SUBMIT_TIMEOUT, max_seconds=SUBMIT_DEADLINE, max_bytes=MAX_RESPONSE_BYTES
        )
        with self._translate_submit_errors():
            response = await self._request(
                "POST", f"{_PATHS[media]}/generations", media, limits, body
            )
        return await self._parse(response, wire.parse_create_response)

    async def get_task(self, media: Media, task_id: str) -> Observation:
        """GET /videos/{task_id}, or /images/{task_id}: one poll, free of charge.

        Raises:
            TaskNotFound, NotAuthorised, WrongService: the service refused the request.
            ServiceUnavailable: there was no usable response; the task has not changed.
        """
        if task_id in {".", ".."}:  # path segments that are removed, even when encoded
            raise TaskNotFound(task_id)
        path = f"{_PATHS[media]}/{quote(task_id, safe='')}"
        inline = media is Media.IMAGE
        limits = _Limits(
            timeout=POLL_TIMEOUT,
            max_seconds=POLL_DEADLINE,
            max_bytes=MAX_RESPONSE_BYTES if inline else MAX_SHORT_RESPONSE_BYTES,
        )
        with self._translate_read_errors(), self._choose_pool() as http:
            response = await self._request("GET", path, media, limits, http=http)
        return await self._parse(
            response, lambda response: wire.parse_task_response(response, task_id=task_id)
        )

    async def list_models(self, page: int) -> wire.ModelsPage:
        """GET /models: one page, counted from 1, free of charge.

        Raises:
            NotAuthorised, WrongService: the service refused the request.
            ServiceUnavailable: there was no usable response.
        """
        path = f"/models?page={page}&page_size={MODELS_PER_PAGE}"
        limits = _Limits(
            timeout=POLL_TIMEOUT, max_seconds=POLL_DEADLINE, max_bytes=MAX_SHORT_RESPONSE_BYTES
        )
        with self._translate_read_errors():
            response = await self._request("GET", path, Media.VIDEO, limits)
        return await self._parse(response, wire.parse_models_response)

    async def probe(self) -> ServiceProbe:
        """GET a task that nobody has: what the service says to the key, free of charge.

        Raises:
            ServiceUnavailable: there was no response at all.
        """
        with self._translate_read_errors():
            path = f"{_PATHS[Media.VIDEO]}/{uuid.uuid4()}"
            response = await self._request("GET", path, Media.VIDEO, _PROBE_LIMITS)
        return await self._parse(response, parse_probe_response)

    async def _parse(
        self,
        response: wire.ProviderResponse,
        parse: Callable[[wire.ProviderResponse], _T],
    ) -> _T:
        """What *parse* makes of the response, and whether the API has answered."""

        def parse_and_note() -> _T:
            self._api_seen = self._api_seen or wire.is_api_response(response)
            return parse(response)

        if len(response.body) <= PARSE_IN_THREAD_BYTES:
            return parse_and_note()
        return await anyio.to_thread.run_sync(parse_and_note)

    async def _request(
        self,
        method: str,
        path: str,
        media: Media,
        limits: _Limits,
        body: dict[str, object] | None = None,
        *,
        http: httpx.AsyncClient | None = None,
    ) -> wire.ProviderResponse:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._api_key is not None:
            # Set on each request and never as a client default, so no other host receives it.
            headers["Authorization"] = f"Bearer {self._api_key.get_secret_value()}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            # With pydantic: for two images of eight megabytes, json would block the event loop
            # for 50 ms, in a thread too, because it does not release the interpreter lock.
            content = to_json(body)
        received = _Received(limits.max_bytes)
        try:
            with anyio.fail_after(limits.max_seconds):
                async with (http or self._http).stream(
                    method,
                    self._base_url + path,
                    headers=headers,
                    content=content,
                    timeout=limits.timeout,
                ) as response:
                    await received.read(response)
        except (httpx.HTTPError, TimeoutError) as exc:
            if not received.status_code:
                raise
            received.defect = f"broke off after {received.size} bytes ({_error_name(exc)})"
        to_response = partial(
            self._to_provider_response,
            received,
            media=media,
            sent_bytes=len(content) if content is not None else None,
        )
        if received.size <= PARSE_IN_THREAD_BYTES:
            return to_response()
        return await anyio.to_thread.run_sync(to_response)

    def _to_provider_response(
        self, received: "_Received", *, media: Media, sent_bytes: int | None
    ) -> wire.ProviderResponse:
        """What was received, without secrets of ours."""
        headers, blotter = received.headers, self._blotter
        return wire.ProviderResponse(
            status_code=received.status_code,
            body=blotter.blot_bytes(received.take_body()),
            at=self._clock(),
            media=media,
            retry_after=headers.get("Retry-After"),
            date=headers.get("Date"),
            content_type=headers.get("Content-Type", ""),
            location=blotter.blot_text(headers.get("Location", "")),
            host=self._host,
            base_url=self._base_url,
            sent_bytes=sent_bytes,
            defect=blotter.blot_text(received.defect) if received.defect else None,
            api_seen=self._api_seen,
        )

    @contextmanager
    def _choose_pool(self) -> Generator[httpx.AsyncClient]:
        """The connections that the fewest polls use now, or new ones if all are used by many."""
        pool = min(self._pools, key=lambda each: each.requests)
        if pool.requests >= POLLS_OF_POOL and len(self._pools) < self._max_pools:
            pool = _Pool(self._new_http(limits=_POOL_LIMITS))
            self._pools.append(pool)
        pool.requests += 1
        try:
            yield pool.http
        finally:
            pool.requests -= 1

    @contextmanager
    def _translate_submit_errors(self) -> Generator[None]:
        try:
            yield
        except NOT_SENT as exc:
            raise self._unreachable_error(exc) from exc
        except (httpx.HTTPError, TimeoutError) as exc:
            reason = (
                f"The request was sent to {self._host}, but it did not answer ({_error_name(exc)})."
            )
            raise SubmissionUnknown(reason) from exc

    @contextmanager
    def _translate_read_errors(self) -> Generator[None]:
        try:
            yield
        except NOT_SENT as exc:
            raise self._unreachable_error(exc) from exc
        except (httpx.HTTPError, TimeoutError) as exc:
            reason = f"{self._host} did not answer ({_error_name(exc)})"
            raise ServiceUnavailable(reason) from exc

    def _unreachable_error(self, exc: httpx.HTTPError) -> ServiceUnavailable:
        reason = explain_connection_error(exc, host=self._host)
        return ServiceUnavailable(reason, code="unreachable")


class _Received:
    """What has been received of one response; it stays if the response breaks off."""

    def __init__(self, max_bytes: int) -> None:
        self.status_code = 0
        """Zero until the head of the response has come."""
        self.headers = httpx.Headers()
        self.size = 0
        self.defect: str | None = None
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []

    async def read(self, response: httpx.Response) -> None:
        """Read the body as it is sent, up to the limit.

        A body that is compressed although that was not asked for is not decompressed: 16 kB can
        become gigabytes. A wrong label on plain JSON does no harm.
        """
        self.status_code, self.headers = response.status_code, response.headers
        encodings = response.headers.get_list("Content-Encoding", split_commas=True)
        labels = [one for one in encodings if one.strip().lower() not in {"", "identity"}]
        # Without a label nothing is decoded, and an in-memory response can be read again.
        parts = response.aiter_raw() if labels else response.aiter_bytes()
        async for part in parts:
            self._parts.append(part[: self._max_bytes - self.size])
            self.size += len(self._parts[-1])
            if labels and not self._parts[0].lstrip().startswith(b"{"):
                self._parts.clear()
                label = quote_text(", ".join(labels), limit=40)
                self.defect = f"is encoded as {label}, which was not asked for"
                return
            if self.size >= self._max_bytes:
                self.defect = f"has more than {self._max_bytes >> 20} MB"
                return

    def take_body(self) -> bytes:
        """The body; afterwards it is kept by nothing here."""
        body = b"".join(self._parts)
        self._parts.clear()
        return body


def _error_name(exc: Exception) -> str:
    """The name of the class only: some messages of httpx contain whole URLs."""
    return type(exc).__name__
