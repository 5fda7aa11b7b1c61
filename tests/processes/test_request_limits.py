"""What one principal may have of a server that others use: requests, streams, sessions."""

import asyncio
import re
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import SocketStream
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.shared.exceptions import MCPError
from starlette.types import Message, Receive, Scope, Send

from geekai_video_mcp.server.http import request_limits, session_table, unread_streams
from geekai_video_mcp.server.http.request_limits import LimitRequests
from geekai_video_mcp.server.http.verifiers import own_access
from support.handshake import HELLO
from support.process import http_client
from support.team_server import PING, TeamServer, team_server

KEY = {"GEEKAI_API_KEY": "sk-any", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}
FAST = {**KEY, "GEEKAI_MAX_CALLS_PER_MINUTE": "99999"}
SLOW = {**KEY, "GEEKAI_MAX_CALLS_PER_MINUTE": "1"}
"""Twenty requests at once, and then one a minute."""


async def send(
    server: TeamServer, token: str, message: dict[str, Any], session: str | None = None
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "MCP-Protocol-Version": "2025-06-18"}
    if session is not None:
        headers["Mcp-Session-Id"] = session
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        return await client.post(f"{server.origin}/mcp", json=message, headers=headers)


async def open_session(server: TeamServer, token: str) -> str:
    response = await send(server, token, HELLO)
    assert response.status_code == 200, response.text
    return response.headers["Mcp-Session-Id"]


async def test_more_requests_than_allowed_are_refused_and_others_are_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with team_server(tmp_path, variables=SLOW) as server:
        one, other = server.add("one"), server.add("other")
        answers = [await server.post(one) for _ in range(22)]
        served = await server.status_of(other)

    assert {each.status_code for each in answers[:20]} == {200}
    refused = answers[-1]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    error = refused.json()["error"]
    assert error["message"].startswith("This server takes 1 requests a minute")
    assert "was not begun: send it again in" in error["message"]
    assert served == 200
    assert "refused a request of one: more than 1 requests a minute" in caplog.text


async def test_tokens_of_one_tenant_share_its_limit(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=SLOW) as server:
        one, two = server.add("laptop", "team"), server.add("desktop", "team")
        for token in (one, two) * 10:
            await server.post(token)

        assert await server.status_of(one) == 429
        assert await server.status_of(two) == 429


async def test_probes_are_not_counted(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=SLOW) as server:
        server.add("one")
        answers = {(await server.get("/health")).status_code for _ in range(30)}

    assert answers == {200}


async def test_a_body_that_is_refused_is_not_waited_for(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=SLOW) as server:
        token = server.add("one")
        for _ in range(20):
            await server.post(token)
        async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
            head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
            await stream.send(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
            with anyio.fail_after(20):
                answer = await stream.receive()

    assert answer.startswith(b"HTTP/1.1 429 ")


async def test_the_sdks_client_shows_what_to_do(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=SLOW) as server:
        token = server.add("one")
        headers = {"Authorization": f"Bearer {token}"}
        async with http_client(f"{server.origin}/mcp", headers=headers) as client:
            for _ in range(12):
                await client.call_tool("who_am_i", {})
            while await server.status_of(token) != 429:
                pass
            with pytest.raises(MCPError, match="This request was not begun: send it again in"):
                await client.call_tool("who_am_i", {})


async def test_streams_beyond_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "MAX_STREAMS", 2)
    async with team_server(tmp_path, variables=FAST) as server:
        one, other = server.add("one"), server.add("other")
        async with (
            httpx.AsyncClient(timeout=20, trust_env=False) as client,
            client.stream("GET", f"{server.origin}/sse", headers=bearer(one)),
            client.stream("GET", f"{server.origin}/sse", headers=bearer(one)) as second,
        ):
            refused = await client.get(f"{server.origin}/sse", headers=bearer(one))
            called = await server.status_of(one)
            async with client.stream(
                "GET", f"{server.origin}/sse", headers=bearer(other)
            ) as another:
                statuses = second.status_code, another.status_code
        with anyio.fail_after(20):
            while await open_and_leave_stream(server, one) != 200:
                pass  # that the first two have ended has not been read yet

    assert statuses == (200, 200)
    assert called == 200
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "5"
    assert refused.json()["error"] == "too_many_requests"
    assert "2 streams of yours are open" in refused.json()["error_description"]


async def open_and_leave_stream(server: TeamServer, token: str) -> int:
    async with (
        httpx.AsyncClient(timeout=20, trust_env=False) as client,
        client.stream("GET", f"{server.origin}/sse", headers=bearer(token)) as stream,
    ):
        return stream.status_code


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_subscriptions_are_counted_as_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "MAX_STREAMS", 0)
    async with team_server(tmp_path, variables=FAST) as server:
        token = server.add("one")
        refused = await server.post(token, Mcp_Method="subscriptions/listen")

    assert refused.status_code == 429


async def test_a_request_whose_response_ends_is_no_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "MAX_STREAMS", 0)
    async with team_server(tmp_path, variables=FAST) as server:
        token = server.add("one")
        metrics = await server.get("/metrics", **bearer(token))
        stream = await server.get("/sse", **bearer(token))

    assert metrics.status_code == 403  # they are the operator's
    assert stream.status_code == 429


async def test_requests_at_once_beyond_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "MAX_REQUESTS", 1)
    begun = (
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nExpect: 100-continue\r\n"
    )
    async with team_server(tmp_path, variables=FAST) as server:
        one, other = server.add("one"), server.add("other")
        async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
            await stream.send(f"{begun}Authorization: Bearer {one}\r\n\r\n".encode())
            with anyio.fail_after(20):
                assert b"100 Continue" in await stream.receive()  # it is being answered
            refused = await server.post(one)
            served = await server.status_of(other)
        with anyio.fail_after(20):
            while await server.status_of(one) == 429:
                pass  # that the client has left has not been read yet

    assert (refused.status_code, served) == (429, 200)
    assert "1 requests of yours are being answered" in refused.json()["error"]["message"]


async def test_sessions_that_were_never_used_make_room_for_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_table, "MAX_SESSIONS_OF_ONE", 3)
    monkeypatch.setattr(session_table, "ABANDONED_SECONDS", 0)
    async with team_server(tmp_path, variables=FAST) as server:
        token = server.add("one")
        used = await open_session(server, token)
        for _ in range(2):
            await send(server, token, PING, used)
        opened = [await open_session(server, token) for _ in range(5)]
        statuses = [(await send(server, token, PING, each)).status_code for each in opened]
        still = await send(server, token, PING, used)

    assert statuses == [404, 404, 404, 200, 200]
    assert still.status_code == 200


async def test_sessions_of_one_do_not_keep_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_table, "MAX_SESSIONS_OF_ONE", 3)
    async with team_server(tmp_path, variables=FAST) as server:
        one, other = server.add("one"), server.add("other")
        opened = [await open_session(server, one) for _ in range(3)]
        refused = await send(server, one, HELLO)
        await open_session(server, other)
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            ended = await client.delete(
                f"{server.origin}/mcp", headers={**bearer(one), "Mcp-Session-Id": opened[0]}
            )
        assert ended.status_code == 200
        await open_session(server, one)

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "5"
    assert "3 sessions of yours are open" in refused.json()["error"]["message"]


async def test_when_all_sessions_are_taken_the_one_with_most_loses_an_idle_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_table, "MAX_SESSIONS", 4)
    monkeypatch.setattr(session_table, "ABANDONED_SECONDS", 0)
    async with team_server(tmp_path, variables=FAST) as server:
        tokens = [server.add(f"tenant-{number}") for number in range(3)]
        many = [await open_session(server, tokens[0]) for _ in range(3)]
        few = [await open_session(server, each) for each in tokens[1:]]
        lost = await send(server, tokens[0], PING, many[0])
        kept = [
            (await send(server, token, PING, session)).status_code
            for token, session in zip(tokens, [many[1], *few], strict=True)
        ]

    assert lost.status_code == 404
    assert kept == [200, 200, 200]


async def test_when_all_sessions_are_in_use_a_new_client_is_told_when_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_table, "MAX_SESSIONS", 2)
    async with team_server(tmp_path, variables=FAST) as server:
        one, other = server.add("one"), server.add("other")
        for _ in range(2):
            await open_session(server, one)
        refused = await send(server, other, HELLO)

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "5"


async def test_a_client_that_does_not_read_its_stream_is_answered_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_streams, "MAX_UNREAD", 3)
    listing = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
    async with team_server(tmp_path, variables=FAST, send_buffer_bytes=8192) as server:
        token = server.add("one")
        async with (
            await connect_with_small_buffer(server.port) as stream,
            httpx.AsyncClient(timeout=20, trust_env=False, headers=bearer(token)) as client,
        ):
            head = f"GET /sse HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            await stream.send(head.encode())
            received = b""
            while not (found := re.search(rb"/messages/\?session_id=\w{32}", received)):
                received += await stream.receive()
            url = server.origin + found[0].decode()
            await client.post(url, json=HELLO)
            with anyio.fail_after(40):
                while (refused := await client.post(url, json=listing)).status_code == 202:
                    pass
                while (later := await client.post(url, json=listing)).status_code == 429:
                    await stream.receive()

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "5"
    assert "3 messages wait for you to read" in refused.json()["error"]["message"]
    assert later.status_code == 202


async def connect_with_small_buffer(port: int) -> SocketStream:
    """A connection whose client soon has to read before the server can go on."""
    with socket.socket() as connecting:
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connecting.setblocking(False)  # noqa: FBT003 - its only argument
        await asyncio.get_running_loop().sock_connect(connecting, ("127.0.0.1", port))
        return await SocketStream.from_socket(connecting.dup())


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def test_principals_that_have_left_are_forgotten() -> None:
    now = 0.0
    statuses: list[int] = []
    app = LimitRequests(answer_nothing, max_calls_per_minute=600, clock=lambda: now)

    async def receive() -> Message:
        raise AssertionError

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def visit(tenant: str) -> None:
        user = AuthenticatedUser(own_access(tenant, client_id=tenant, auth=None))
        scope: Scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "user": user}
        await app(scope, receive, note)

    for number in range(2_000):
        await visit(f"tenant-{number}")
    tracemalloc.start()
    for number in range(2_000, 12_000):
        now += 0.1
        await visit(f"tenant-{number}")
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert set(statuses) == {204}
    assert grown < 1_500_000


async def test_a_session_that_its_client_ends_at_once_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its opening is still being cleared away by then."""
    monkeypatch.setattr(session_table, "MAX_SESSIONS_OF_ONE", 1)
    cleared_away = anyio.Event()
    answered = anyio.Event()
    statuses: list[int] = []

    async def open_or_end(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        headers = [(b"mcp-session-id", b"one")] if scope["method"] == "POST" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})
        if scope["method"] == "POST":
            await cleared_away.wait()

    async def receive() -> Message:
        raise AssertionError

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        else:
            answered.set()

    app = LimitRequests(open_or_end, max_calls_per_minute=600)
    user = AuthenticatedUser(own_access("one", client_id="one", auth=None))
    scope: Scope = {"type": "http", "path": "/mcp", "headers": [], "user": user}
    async with anyio.create_task_group() as group:
        group.start_soon(app, {**scope, "method": "POST"}, receive, note)
        await answered.wait()
        end = {**scope, "method": "DELETE", "headers": [(b"mcp-session-id", b"one")]}
        await app(end, receive, note)
        cleared_away.set()
    await app({**scope, "method": "POST"}, receive, note)

    assert statuses == [200] * 3
