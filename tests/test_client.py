"""GeekAI over HTTP: what httpx raises, told apart by whether the request may have been read."""

import inspect
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr
from trio.testing import MockClock

from geekai_video_mcp.domain.lifecycle import Media
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    GeekAIVideoError,
    RequestRefused,
    ServiceUnavailable,
    SubmissionUnknown,
    TaskNotFound,
)
from geekai_video_mcp.provider.client import (
    MAX_RESPONSE_BYTES,
    POLL_DEADLINE,
    SUBMIT_DEADLINE,
    GeekAIClient,
)
from support.fake_geekai import KEY

BASE_URL = "https://geekai.test/api/v1"
BODY: dict[str, object] = {"model": "cogvideox-flash", "prompt": "a fox 狐 🦊", "async": True}
ACCEPTED = {"task_id": "8d1f", "task_status": "pending"}
NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Trio on a clock that jumps: a deadline is reached without waiting for it."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Wire:
    """What is at the other end of the line: every request, and one answer or failure."""

    def __init__(self, answer: httpx.Response | Exception | Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        if isinstance(self._answer, httpx.Response):
            return self._answer
        return await self._answer(request)

    def client(self, *, key: str | None = KEY) -> GeekAIClient:
        return GeekAIClient(
            base_url=BASE_URL,
            api_key=SecretStr(key) if key else None,
            transport=httpx.MockTransport(self),
            clock=lambda: 1_790_000_000.0,
        )


def failures() -> list[httpx.HTTPError]:
    """One of every class of failure that httpx has."""
    message = f"GET {BASE_URL}/videos/t?token={KEY} failed"
    request = httpx.Request("GET", f"{BASE_URL}/videos/t?token={KEY}")
    made = list[httpx.HTTPError]()
    for _, kind in inspect.getmembers(httpx, inspect.isclass):
        if issubclass(kind, httpx.RequestError):
            made.append(kind(message, request=request))
        elif kind is httpx.HTTPError:
            made.append(httpx.HTTPError(message))
    return made


def names(failure: object) -> str:
    return type(failure).__name__


def test_httpx_has_the_failures_that_the_line_is_drawn_by() -> None:
    assert {names(failure) for failure in failures()} > NOT_SENT


@pytest.mark.parametrize("failure", failures(), ids=names)
async def test_only_three_failures_prove_that_a_request_did_not_leave(
    failure: httpx.HTTPError,
) -> None:
    wire = Wire(failure)
    expected = ServiceUnavailable if names(failure) in NOT_SENT else SubmissionUnknown

    async with wire.client() as client:
        with pytest.raises(GeekAIVideoError) as error:
            await client.create_task(Media.VIDEO, BODY)

    assert type(error.value) is expected
    assert error.value.money == (None if expected is ServiceUnavailable else MAYBE_CHARGED)
    assert len(wire.requests) == 1, "a POST is never repeated"


@pytest.mark.parametrize("failure", failures(), ids=names)
async def test_a_poll_that_fails_in_any_way_may_work_later(failure: httpx.HTTPError) -> None:
    wire = Wire(failure)

    async with wire.client() as client:
        with pytest.raises(ServiceUnavailable) as error:
            await client.get_task(Media.VIDEO, "t")

    assert names(failure) in error.value.message
    assert len(wire.requests) == 1


@pytest.mark.parametrize("failure", failures(), ids=names)
async def test_no_message_holds_a_key_or_a_query(failure: httpx.HTTPError) -> None:
    async with Wire(failure).client() as client:
        for ask in (client.create_task(Media.VIDEO, BODY), client.get_task(Media.VIDEO, "t")):
            with pytest.raises(GeekAIVideoError) as error:
                await ask
            assert KEY not in error.value.message
            assert "?" not in error.value.message
            assert error.value.__cause__ is failure


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
async def test_a_redirect_of_a_request_is_a_refusal_and_is_not_followed(status_code: int) -> None:
    wire = Wire(httpx.Response(status_code, headers={"Location": "https://evil.test/"}))

    async with wire.client() as client:
        with pytest.raises(RequestRefused):
            await client.create_task(Media.VIDEO, BODY)
        with pytest.raises(ServiceUnavailable):
            await client.get_task(Media.VIDEO, "t")

    assert {request.url.host for request in wire.requests} == {"geekai.test"}
    assert len(wire.requests) == 2


async def test_the_request_is_the_body_as_json_and_nothing_else() -> None:
    wire = Wire(httpx.Response(200, json=ACCEPTED))

    async with wire.client() as client:
        observation = await client.create_task(Media.VIDEO, BODY)

    [request] = wire.requests
    assert (request.method, str(request.url)) == ("POST", f"{BASE_URL}/videos/generations")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Content-Length"] == str(len(request.content))
    assert json.loads(request.content) == BODY
    assert "a fox 狐 🦊".encode() in request.content
    assert (observation.status, observation.provider_task_id) == (Status.PENDING, "8d1f")


@pytest.mark.parametrize("key", [KEY, None])
async def test_the_key_is_sent_as_a_bearer_token_and_only_if_there_is_one(key: str | None) -> None:
    wire = Wire(httpx.Response(200, json=ACCEPTED))

    async with wire.client(key=key) as client:
        await client.create_task(Media.VIDEO, BODY)
        await client.get_task(Media.VIDEO, "t")

    sent = {request.headers.get("Authorization") for request in wire.requests}
    assert sent == {f"Bearer {key}" if key else None}


@pytest.mark.parametrize(
    ("task_id", "path"),
    [
        ("8d1f", "/api/v1/videos/8d1f"),
        ("a/b?c#d", "/api/v1/videos/a%2Fb%3Fc%23d"),
        ("../models", "/api/v1/videos/..%2Fmodels"),
        ("雪", "/api/v1/videos/%E9%9B%AA"),
    ],
)
async def test_a_task_is_asked_for_by_its_id_alone(task_id: str, path: str) -> None:
    wire = Wire(httpx.Response(200, json={"task_status": "running"}))

    async with wire.client() as client:
        await client.get_task(Media.VIDEO, task_id)

    assert wire.requests[0].url.raw_path.decode() == path


@pytest.mark.parametrize("task_id", [".", ".."])
async def test_dots_are_no_task_and_are_not_asked_for(task_id: str) -> None:
    wire = Wire(httpx.Response(200, json={"task_status": "running"}))

    async with wire.client() as client:
        with pytest.raises(TaskNotFound):
            await client.get_task(Media.VIDEO, task_id)

    assert wire.requests == []


# Trio warns of the generators inside httpx's response, which nobody can close from outside.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_answer_is_read_up_to_a_limit() -> None:
    read = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield b" " * 65_536

    async with Wire(httpx.Response(200, content=endless())).client() as client:
        with pytest.raises(SubmissionUnknown):
            await client.create_task(Media.VIDEO, BODY)

    assert read <= MAX_RESPONSE_BYTES + 65_536


async def blank_lines() -> AsyncGenerator[bytes]:
    while True:
        await anyio.sleep(10)
        yield b"\n"


@pytest.mark.parametrize("deadline", [SUBMIT_DEADLINE, POLL_DEADLINE])
async def test_blank_lines_do_not_keep_anyone_for_ever(deadline: float) -> None:
    began = anyio.current_time()

    async with Wire(httpx.Response(200, content=blank_lines())).client() as client:
        if deadline == SUBMIT_DEADLINE:
            with pytest.raises(SubmissionUnknown):
                await client.create_task(Media.VIDEO, BODY)
        else:
            with pytest.raises(ServiceUnavailable):
                await client.get_task(Media.VIDEO, "t")

    assert anyio.current_time() - began == pytest.approx(deadline)


async def test_an_answer_after_minutes_of_blank_lines_is_an_answer() -> None:
    async def late() -> AsyncGenerator[bytes]:
        for _ in range(29):
            await anyio.sleep(10)
            yield b"\n"
        yield json.dumps(ACCEPTED).encode()

    async with Wire(httpx.Response(200, content=late())).client() as client:
        assert (await client.create_task(Media.VIDEO, BODY)).provider_task_id == "8d1f"


async def test_retry_after_reaches_whoever_waits() -> None:
    wire = Wire(httpx.Response(429, headers={"Retry-After": "7"}))

    async with wire.client() as client:
        for ask in (client.create_task(Media.VIDEO, BODY), client.get_task(Media.VIDEO, "t")):
            with pytest.raises(ServiceUnavailable) as error:
                await ask
            assert error.value.retry_after_seconds == 7.0


async def test_nothing_is_logged_about_requests(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async with Wire(httpx.Response(200, json=ACCEPTED)).client() as client:
        await client.create_task(Media.VIDEO, BODY)

    assert caplog.records == []
    for name in ("httpx", "httpcore"):
        assert logging.getLogger(name).getEffectiveLevel() >= logging.WARNING


async def test_models_are_asked_for_by_the_page_and_by_the_hundred() -> None:
    wire = Wire(httpx.Response(200, json={"data": [{"id": "m", "type": "video"}], "total": 1}))
    async with wire.client() as client:
        page = await client.list_models(3)

    (request,) = wire.requests
    assert request.method == "GET"
    assert str(request.url) == f"{BASE_URL}/models?page=3&page_size=100"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert [one.id for one in page.models] == ["m"]


@pytest.mark.parametrize("failure", failures(), ids=names)
async def test_a_list_that_fails_in_any_way_may_work_later(failure: httpx.HTTPError) -> None:
    async with Wire(failure).client() as client:
        with pytest.raises(ServiceUnavailable) as error:
            await client.list_models(1)

    assert KEY not in error.value.message
