"""GeekAI over HTTP: one method per endpoint. Never waits between requests, never repeats a POST.

Only this module and `artifacts` import httpx, and the server imports them when a task
first needs them. Exceptions of httpx are translated here, once. The important distinction is
between "certainly not sent" and everything else. Four classes of httpx mean "not sent":
ConnectError, ConnectTimeout, PoolTimeout, and ProxyError, which is raised if a proxy refuses
the tunnel, before any byte of the request was sent. A ReadError may occur before or after the
service has read the whole request, so it proves nothing.
"""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, Self
from urllib.parse import quote, urlsplit

import anyio
import httpx
from pydantic import SecretStr
from pydantic_core import to_json

from geekai_video_mcp import wire
from geekai_video_mcp.errors import ServiceUnavailable, SubmissionUnknown, TaskNotFound
from geekai_video_mcp.lifecycle import Media, Observation

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
MODELS_PER_PAGE: Final = 100
"""Requested as `page_size`, the name that the response uses; a service may return fewer."""
MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a response that are read: it may contain an image in base64."""

_PATHS: Final = {Media.VIDEO: "/videos", Media.IMAGE: "/images"}

NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)

# Both log whole URLs at INFO, query strings and signatures included.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class GeekAIClient:
    """The service's endpoints, for one base URL and one key."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: SecretStr | None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).hostname or base_url
        self._api_key = api_key
        self._clock = clock
        self._http = httpx.AsyncClient(transport=transport, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def create_task(self, media: Media, body: dict[str, object]) -> Observation:
        """POST /videos/generations, or /images/generations. Costs money.

        Raises:
            RequestRefused, NotAuthorised: the service refused the request; nothing was charged.
            ServiceUnavailable: the request was not sent, or not executed; nothing was charged.
            SubmissionUnknown: there was no usable response; it may have been charged.
        """
        with self._translate_submit_errors(), anyio.fail_after(SUBMIT_DEADLINE):
            response = await self._request(
                "POST", f"{_PATHS[media]}/generations", SUBMIT_TIMEOUT, body
            )
        return wire.parse_create_response(response)

    async def get_task(self, media: Media, task_id: str) -> Observation:
        """GET /videos/{task_id}, or /images/{task_id}: one poll, free of charge.

        Raises:
            TaskNotFound, NotAuthorised: the service refused the request.
            ServiceUnavailable: there was no usable response; the task has not changed.
        """
        if task_id in {".", ".."}:  # path segments that are removed, even when encoded
            raise TaskNotFound(task_id)
        with self._translate_read_errors(), anyio.fail_after(POLL_DEADLINE):
            path = f"{_PATHS[media]}/{quote(task_id, safe='')}"
            response = await self._request("GET", path, POLL_TIMEOUT)
        return wire.parse_task_response(response, task_id=task_id)

    async def list_models(self, page: int) -> wire.ModelsPage:
        """GET /models: one page, counted from 1, free of charge.

        Raises:
            NotAuthorised: the key was refused.
            ServiceUnavailable: there was no usable response.
        """
        path = f"/models?page={page}&page_size={MODELS_PER_PAGE}"
        with self._translate_read_errors(), anyio.fail_after(POLL_DEADLINE):
            response = await self._request("GET", path, POLL_TIMEOUT)
        return wire.parse_models_response(response)

    async def _request(
        self, method: str, path: str, limits: httpx.Timeout, body: dict[str, object] | None = None
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
        async with self._http.stream(
            method, self._base_url + path, headers=headers, content=content, timeout=limits
        ) as response:
            return wire.ProviderResponse(
                status_code=response.status_code,
                body=await _read_limited(response),
                at=self._clock(),
                retry_after=response.headers.get("Retry-After"),
                host=self._host,
                sent_bytes=len(content) if content is not None else None,
            )

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
        reason = f"{self._host} could not be reached ({_error_name(exc)}); check the network"
        return ServiceUnavailable(reason, code="unreachable")


async def _read_limited(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    remaining = MAX_RESPONSE_BYTES
    async for part in response.aiter_bytes():
        parts.append(part[:remaining])
        remaining -= len(part)
        if remaining <= 0:
            break
    return b"".join(parts)


def _error_name(exc: Exception) -> str:
    """The name of the class only: some messages of httpx contain whole URLs."""
    return type(exc).__name__
