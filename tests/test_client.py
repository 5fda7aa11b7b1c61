"""GeekAI over HTTP: what httpx raises, told apart by whether the request may have been read."""

import base64
import gzip
import inspect
import json
import logging
import socket
import ssl
import threading
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest
from pydantic import SecretStr

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Media,
    Observation,
)
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    GeekAIVideoError,
    RequestRefused,
    ServiceUnavailable,
    SubmissionUnknown,
    TaskNotFound,
    WrongService,
)
from geekai_video_mcp.provider import wire
from geekai_video_mcp.provider.client import (
    MAX_RESPONSE_BYTES,
    MAX_SHORT_RESPONSE_BYTES,
    PARSE_IN_THREAD_BYTES,
    POLL_DEADLINE,
    SUBMIT_DEADLINE,
    GeekAIClient,
)
from geekai_video_mcp.provider.secrets import SecretBlotter
from support.clock import virtual_backend
from support.fake_geekai import KEY

BASE_URL = "https://geekai.test/api/v1"
BODY: dict[str, object] = {"model": "cogvideox-flash", "prompt": "a fox 狐 🦊", "async": True}
ACCEPTED = {"task_id": "8d1f", "task_status": "pending"}
NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Trio on a clock that jumps: a deadline is reached without waiting for it."""
    return virtual_backend()


class Wire:
    """What is at the other end of the line: every request, and one answer or failure."""

    def __init__(self, answer: httpx.Response | Exception | Answer) -> None:
        self.requests: list[httpx.Request] = []
        self.answer = answer

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, httpx.Response):
            return self.answer
        return await self.answer(request)

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
async def test_a_redirect_names_the_base_url_and_is_not_followed(status_code: int) -> None:
    wire = Wire(httpx.Response(status_code, headers={"Location": "https://evil.test/a?sig=1"}))

    async with wire.client() as client:
        for ask in (client.create_task(Media.VIDEO, BODY), client.get_task(Media.VIDEO, "t")):
            with pytest.raises(WrongService) as error:
                await ask
            assert 'a redirect to "https://evil.test"' in error.value.message
            assert f"GEEKAI_BASE_URL is {BASE_URL}" in error.value.message
            assert "sig" not in error.value.message

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


@dataclass
class EndlessBody(httpx.AsyncByteStream):
    """Blanks for ever, counted as they are read."""

    read: int = 0
    chunk: int = 65_536

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        while True:
            self.read += self.chunk
            yield b" " * self.chunk


# Trio warns of the generators inside httpx's response, which nobody can close from outside.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_answer_is_read_up_to_a_limit() -> None:
    body = EndlessBody()

    async with Wire(httpx.Response(200, stream=body)).client() as client:
        with pytest.raises(SubmissionUnknown):
            await client.create_task(Media.VIDEO, BODY)

    assert body.read <= MAX_RESPONSE_BYTES + body.chunk


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


# What breaks off, is too long, or is not what was asked for


def streamed(
    *parts: bytes, then: Exception | None = None, status_code: int = 200, **headers: str
) -> httpx.Response:
    """A response that comes in parts, and may break off."""

    async def body() -> AsyncGenerator[bytes]:
        for part in parts:
            yield part
        if then is not None:
            raise then

    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status_code, content=body(), headers=names)


BREAKS = [
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("incomplete chunked read"),
    httpx.ReadTimeout("silence"),
]


@pytest.mark.parametrize("failure", BREAKS, ids=names)
async def test_what_was_read_before_a_break_is_used(failure: httpx.HTTPError) -> None:
    whole = json.dumps(ACCEPTED).encode()
    for parts in ([whole], [b'{"task_id": "8d1f", "task'], [b"\n", b'{"task_id":', b'"8d1f",']):
        async with Wire(streamed(*parts, then=failure)).client() as client:
            accepted = await client.create_task(Media.VIDEO, BODY)

        assert accepted.provider_task_id == "8d1f"


@pytest.mark.parametrize("failure", BREAKS, ids=names)
async def test_a_break_before_the_id_is_told_with_what_came(failure: httpx.HTTPError) -> None:
    async with Wire(streamed(b'{"model": "m", "task', then=failure)).client() as client:
        with pytest.raises(SubmissionUnknown) as unknown:
            await client.create_task(Media.VIDEO, BODY)
    async with Wire(streamed(b'{"task_status": "ru', then=failure)).client() as client:
        with pytest.raises(ServiceUnavailable) as unusable:
            await client.get_task(Media.VIDEO, "t")

    for error in (unknown.value, unusable.value):
        assert f"broke off after 19 bytes ({names(failure)})" in error.message.replace(
            "20 b", "19 b"
        )
        assert "task" in str(error.raw_response)


async def test_a_refusal_whose_body_breaks_off_is_a_refusal() -> None:
    broken = streamed(b'{"err', then=httpx.ReadError("reset"), status_code=400)

    async with Wire(broken).client() as client:
        with pytest.raises(RequestRefused):
            await client.create_task(Media.VIDEO, BODY)


async def test_an_id_that_came_before_the_deadline_is_used() -> None:
    async def trickle() -> AsyncGenerator[bytes]:
        yield b'{"task_id": "8d1f", "x": "'
        while True:
            await anyio.sleep(10)
            yield b"y"

    began = anyio.current_time()
    async with Wire(httpx.Response(200, content=trickle())).client() as client:
        accepted = await client.create_task(Media.VIDEO, BODY)

    assert accepted.provider_task_id == "8d1f"
    assert anyio.current_time() - began == pytest.approx(SUBMIT_DEADLINE)


NESTED_GZIP = gzip.compress(gzip.compress(bytes(40_000_000)))
"""A few hundred bytes that become 40 MB when they are decompressed twice."""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("label", ["gzip", "gzip, gzip", "identity, gzip", "br", "deflate", "x-9"])
async def test_an_encoding_that_was_not_asked_for_is_told_and_not_decoded(label: str) -> None:
    def answer() -> httpx.Response:
        return streamed(NESTED_GZIP, Content_Encoding=label)

    tracemalloc.start()
    try:
        async with Wire(answer()).client() as client:
            with pytest.raises(SubmissionUnknown, match="which was not asked for") as unknown:
                await client.create_task(Media.VIDEO, BODY)
        for ask in ("get_task", "list_models"):
            async with Wire(answer()).client() as client:
                with pytest.raises(ServiceUnavailable, match="which was not asked for"):
                    await (
                        client.list_models(1)
                        if ask == "list_models"
                        else client.get_task(Media.IMAGE, "t")
                    )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 10_000_000
    assert "gzip" in str(unknown.value.raw_response) or label in str(unknown.value.raw_response)


async def test_a_wrong_label_on_plain_json_does_no_harm() -> None:
    plain = streamed(json.dumps(ACCEPTED).encode(), Content_Encoding="utf-8")

    async with Wire(plain).client() as client:
        assert (await client.create_task(Media.VIDEO, BODY)).provider_task_id == "8d1f"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("ask", ["video", "models"])
async def test_a_poll_and_a_list_of_models_are_read_up_to_a_megabyte(ask: str) -> None:
    body = EndlessBody()

    async with Wire(httpx.Response(200, stream=body)).client() as client:
        with pytest.raises(ServiceUnavailable, match="more than 1 MB"):
            await (client.list_models(1) if ask == "models" else client.get_task(Media.VIDEO, "t"))

    assert body.read <= MAX_SHORT_RESPONSE_BYTES + body.chunk


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_picture_in_base64_fits_into_an_answer_about_one() -> None:
    picture = "iVBO" * 1_000_000
    answer = {"task_id": "t", "task_status": "succeed", "data": [{"b64_json": picture}]}

    async with Wire(httpx.Response(200, json=answer)).client() as client:
        polled = await client.get_task(Media.IMAGE, "t")
        created = await client.create_task(Media.IMAGE, BODY)

    for found in (polled, created):
        assert found.result is not None
        assert str(found.result.url).endswith(picture)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_large_answer_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set[int]()
    parse = wire.parse_task_response

    def noted(response: wire.ProviderResponse, *, task_id: str) -> Observation:
        threads.add(threading.get_ident())
        return parse(response, task_id=task_id)

    monkeypatch.setattr(wire, "parse_task_response", noted)
    answer = {"task_status": "running", "log": "x" * PARSE_IN_THREAD_BYTES}
    async with Wire(httpx.Response(200, json=answer)).client() as client:
        await client.get_task(Media.VIDEO, "t")

    assert threading.get_ident() not in threads


async def test_retry_after_as_a_date_is_told_by_the_services_own_clock() -> None:
    headers = {
        "Retry-After": "Wed, 21 Oct 2026 07:28:17 GMT",
        "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
    }

    async with Wire(httpx.Response(429, headers=headers)).client() as client:
        with pytest.raises(ServiceUnavailable) as limited:
            await client.create_task(Media.VIDEO, BODY)

    assert limited.value.retry_after_seconds == 17.0


# The address


async def test_the_api_is_known_once_it_has_answered_and_not_before() -> None:
    page = httpx.Response(200, html="<html>welcome")
    for first in (
        httpx.Response(200, json={"task_id": "t", "task_status": "running"}),
        httpx.Response(401, json={"error": {"code": "unauthorized", "message": "no"}}),
        httpx.Response(404, json={"error": {"code": "not_found", "message": "no"}}),
    ):
        wire_ = Wire(first)
        async with wire_.client() as client:
            with suppress(GeekAIVideoError):
                await client.get_task(Media.VIDEO, "t")
            wire_.answer = page
            with pytest.raises(SubmissionUnknown):
                await client.create_task(Media.VIDEO, BODY)

    for first in (page, httpx.Response(200, json={"ok": True}), httpx.ReadError("reset")):
        wire_ = Wire(first)
        async with wire_.client() as client:
            with suppress(GeekAIVideoError):
                await client.get_task(Media.VIDEO, "t")
            wire_.answer = page
            with pytest.raises(WrongService):
                await client.create_task(Media.VIDEO, BODY)


def caused(error: httpx.HTTPError, *causes: BaseException) -> httpx.HTTPError:
    """The error, with what httpx and httpcore chain to it."""
    outer: BaseException = error
    for cause in causes:
        outer.__cause__ = cause
        outer = cause
    return error


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (
            caused(httpx.ConnectError("x"), OSError("x"), ssl.SSLCertVerificationError("x")),
            "its certificate could not be verified",
        ),
        (caused(httpx.ConnectError("x"), ssl.SSLError("x")), "does not speak TLS as expected"),
        (
            caused(httpx.ConnectError("x"), OSError("all failed"), socket.gaierror(-2, "x")),
            "its name could not be resolved",
        ),
        (
            caused(
                httpx.ConnectError("x"),
                OSError("all failed"),
                ExceptionGroup("many", [ConnectionRefusedError(111, "x"), OSError("y")]),
            ),
            "it refused the connection",
        ),
        (httpx.ConnectTimeout("x"), "check the network"),
    ],
    ids=["certificate", "tls", "name", "refused", "timeout"],
)
async def test_a_connection_that_was_not_made_says_why(failure: httpx.HTTPError, says: str) -> None:
    async with Wire(failure).client() as client:
        with pytest.raises(ServiceUnavailable, match=says) as error:
            await client.create_task(Media.VIDEO, BODY)

    assert "geekai.test could not be reached" in error.value.message
    assert names(failure) in error.value.message
    assert error.value.raw_response is None


async def test_a_faulty_proxy_is_named_by_its_variable_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2-hunter2@proxy.test:3128")

    async with Wire(httpx.ProxyError("407 for hunter2-hunter2")).client() as client:
        with pytest.raises(ServiceUnavailable, match="HTTPS_PROXY") as error:
            await client.create_task(Media.VIDEO, BODY)

    assert "hunter2" not in error.value.message
    assert "proxy.test" not in error.value.message


# Secrets of ours in what the service says

ODD_KEY = "sk-/+=&<\"\\>'0123456789"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "twice": lambda key: key + key,
    "url": lambda key: quote(key, safe=""),
    "url in small letters": lambda key: quote(key, safe="").lower(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 with more": lambda key: base64.b64encode(f"{key}:x".encode()).decode(),
}
ESCAPES: dict[str, Callable[[str], str]] = {
    "as Python does": json.dumps,
    "as PHP does": lambda text: json.dumps(text).replace("/", "\\/"),
    "as Go does": lambda text: (
        json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026")
    ),
    "every letter": lambda text: '"' + "".join(f"\\u{ord(ch):04x}" for ch in text) + '"',
}


@pytest.mark.parametrize("key", [KEY, ODD_KEY])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("escape", ESCAPES)
async def test_a_key_that_the_service_repeats_is_blotted(
    key: str, spelling: str, escape: str
) -> None:
    said = SPELLINGS[spelling](key)
    body = '{"error": {"code": "bad", "message": ' + ESCAPES[escape](f"Bearer {said} is bad") + "}}"

    async with Wire(httpx.Response(400, content=body.encode())).client(key=key) as client:
        with pytest.raises(RequestRefused) as refused:
            await client.create_task(Media.VIDEO, BODY)

    for text in (refused.value.message, str(refused.value.raw_response)):
        assert "[secret]" in text
        assert said not in text
        assert key[-12:] not in text
    assert "is bad" in refused.value.message


async def test_a_proxys_password_is_blotted_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2%2Dhunter2@proxy.test:3128")
    sent = base64.b64encode(b"me:hunter2-hunter2").decode()
    answer = httpx.Response(403, json={"error": {"message": f"hunter2-hunter2 Basic {sent}"}})

    async with Wire(answer).client() as client:
        with pytest.raises(GeekAIVideoError) as refused:
            await client.create_task(Media.VIDEO, BODY)

    assert "[secret] Basic [secret]" in refused.value.message
    assert "hunter2" not in str(refused.value.raw_response)
    assert sent not in str(refused.value.raw_response)


async def test_a_key_too_short_to_be_one_shreds_no_words() -> None:
    answer = httpx.Response(400, json={"error": {"code": "test", "message": "a test failed"}})

    async with Wire(answer).client(key="test") as client:
        with pytest.raises(RequestRefused, match="a test failed"):
            await client.create_task(Media.VIDEO, BODY)


@pytest.mark.parametrize("body", [b'{"a": "\\\\u0041 \\\\/"}', b'{"a": "\\u0022\\u005c\\/x"}'])
def test_blotting_changes_no_text_without_a_secret(body: bytes) -> None:
    assert json.loads(SecretBlotter(["sk-/0123456789"]).blot_bytes(body)) == json.loads(body)
