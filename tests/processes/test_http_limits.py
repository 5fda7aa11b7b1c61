"""Bounds of time, size and number over HTTP, with shorter times than people get."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
import uvicorn
from anyio.abc import SocketStream
from mcp import MCPError
from mcp_types import INTERNAL_ERROR

from geekai_video_mcp.app import open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.server import call_limit
from geekai_video_mcp.server.http import (
    LocalTokenVerifier,
    bind_loopback,
    body_guard,
    build_http,
    listener,
)
from geekai_video_mcp.server.jsonrpc import MAX_MESSAGE_BYTES
from support.process import SERVE, http_client, http_server, token_header
from support.world import call, structured

TOKEN = "a-token-of-forty-three-characters-as-is-made"
START = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
LENGTH = f"POST /mcp HTTP/1.1\r\n{START}Content-Length: %d\r\n\r\n"
CHUNKED = f"POST /mcp HTTP/1.1\r\n{START}Transfer-Encoding: chunked\r\n\r\n".encode()
KEY = {"GEEKAI_API_KEY": "sk-any", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[int]:
    """The real application on a real socket in this process; yields its port."""
    settings = Settings.from_env(
        {"GEEKAI_STATE_DIR": f"{folder}/state", "GEEKAI_OUTPUT_DIR": f"{folder}/videos"}
    )
    app = build_http(
        partial(open_app, settings), transport="http", verifier=LocalTokenVerifier(TOKEN)
    )
    server = uvicorn.Server(listener.server_config(app))
    with bind_loopback("127.0.0.1", 0) as bound:
        # Connections inherit it; the kernel's own choice takes thousands of answers to fill.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [bound])
            yield bound.getsockname()[1]
            server.should_exit = True


async def read_to_end(stream: SocketStream) -> bytes:
    """What comes until the server closes the connection."""
    received = b""
    with anyio.fail_after(20):
        try:
            async for chunk in stream:
                received += chunk
        except anyio.BrokenResourceError:  # closed before it had read everything
            pass
    return received


async def send_until_closed(stream: SocketStream, chunk: bytes, *, every_seconds: float = 0) -> int:
    """Send until the server closes the connection; returns how often."""
    sent = 0
    with anyio.fail_after(30):
        try:
            while True:
                await stream.send(chunk)
                sent += 1
                await anyio.sleep(every_seconds)
        except anyio.BrokenResourceError:
            return sent


async def send_for_ever(stream: socket.socket, data: bytes) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(stream, data)


async def read_response(stream: SocketStream) -> bytes:
    """One response with a Content-Length."""
    received = b""
    with anyio.fail_after(20):
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head)
        assert found, head
        while len(body) < int(found[1]):
            body += await stream.receive()
    return head


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ", id="half a head"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he", id="a second half"),
    ],
)
async def test_a_connection_whose_headers_do_not_come_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(listener, "HEADER_SECONDS", 0.3)
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        if sent:
            await stream.send(sent)
        answer = await read_to_end(stream)

    assert answer.count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


async def test_headers_that_trickle_are_no_reason_to_wait_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEADER_SECONDS", 0.5)
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await send_until_closed(stream, b"x", every_seconds=0.05)


async def test_a_body_that_trickles_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_guard, "BODY_SECONDS", 0.3)
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send((LENGTH % 1000).encode() + b'{"jsonrpc"')
        answer = await read_to_end(stream)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within" in answer


async def test_a_body_that_is_announced_too_long_is_refused_before_it_comes(tmp_path: Path) -> None:
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send((LENGTH % (MAX_MESSAGE_BYTES + 1)).encode())
        head = await read_response(stream)

    assert head.startswith(b"HTTP/1.1 413 ")


async def test_a_body_without_end_is_refused_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the sender, who may go on, is listened to only for the time that headers have."""
    monkeypatch.setattr(listener, "HEADER_SECONDS", 0.5)
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(CHUNKED)
        chunks = await send_until_closed(stream, chunk)

    assert chunks * 0x100000 > MAX_MESSAGE_BYTES


@pytest.mark.exhaustive
async def test_large_bodies_wait_for_their_turn_and_small_ones_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_guard, "BODY_SECONDS", 2)
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    ready = body_guard.MAX_HELD_BYTES // MAX_MESSAGE_BYTES
    async with serving(tmp_path) as port:
        holders = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(ready)]
        for holder in holders:
            await holder.send((LENGTH % MAX_MESSAGE_BYTES).encode())
        async with (
            await anyio.connect_tcp("127.0.0.1", port) as small,
            await anyio.connect_tcp("127.0.0.1", port) as large,
        ):
            await large.send((LENGTH % MAX_MESSAGE_BYTES).encode())
            await small.send((LENGTH % len(ping)).encode() + ping)
            answered = await read_response(small)
            late = [await read_response(holder) for holder in holders]
            refused = await read_response(large)
        for holder in holders:
            await holder.aclose()

    assert answered.startswith(b"HTTP/1.1 4")  # no session, but it was read
    assert {answer[:13] for answer in late} == {b"HTTP/1.1 408 "}
    assert refused[:13] in {b"HTTP/1.1 503 ", b"HTTP/1.1 408 "}


async def test_a_large_body_whose_turn_does_not_come_is_refused_as_any_request_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_guard, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(body_guard, "MAX_HELD_BYTES", MAX_MESSAGE_BYTES - 1)
    monkeypatch.setattr(listener, "HEADER_SECONDS", 0.5)  # after the response, for the body
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send((LENGTH % MAX_MESSAGE_BYTES).encode())
        refused = await read_to_end(stream)

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 5\r\n" in refused
    error = json.loads(refused.partition(b"\r\n\r\n")[2])["error"]
    assert error == {
        "code": INTERNAL_ERROR,
        "message": "Too many large requests are being read at the same time. This request was not"
        " begun: send it again in 5 seconds.",
    }


@pytest.mark.exhaustive
async def test_a_client_that_takes_no_response_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "TAKE_SECONDS", 0.3)
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000
    with socket.socket() as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with serving(tmp_path) as port:
            stream.setblocking(False)  # noqa: FBT003 - its only argument
            await asyncio.get_running_loop().sock_connect(stream, ("127.0.0.1", port))
            with anyio.fail_after(30), pytest.raises(ConnectionError):
                await send_for_ever(stream, one)


async def test_connections_beyond_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "connection_limit", 3)
    monkeypatch.setattr(listener, "HEADER_SECONDS", 3600.0)  # which would close them as well
    async with serving(tmp_path) as port:
        held = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(3)]
        async with await anyio.connect_tcp("127.0.0.1", port) as one_more:
            await one_more.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            refused = await read_to_end(one_more)
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in refused
        assert "refused a connection: 3 others are open" in caplog.text
        assert await is_served(held[0])
        await held.pop().aclose()
        with anyio.fail_after(20):  # the server may accept the next one before it has seen that
            while not await serves_another(port):
                await anyio.lowlevel.checkpoint()
        for stream in held:
            assert await is_served(stream)
            await stream.aclose()


async def test_a_flood_of_connections_beyond_the_limit_holds_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "connection_limit", 1)
    monkeypatch.setattr(listener, "MAX_REFUSING", 2)
    monkeypatch.setattr(listener, "REFUSING_SECONDS", 3600.0)
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as held:
        assert await is_served(held)
        refused = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(2)]
        async with await anyio.connect_tcp("127.0.0.1", port) as one_more:
            assert await read_to_end(one_more) == b""
        for stream in refused:
            assert (await read_response(stream)).startswith(b"HTTP/1.1 503 ")
            await stream.aclose()
        assert await is_served(held)


@pytest.mark.parametrize("path", ["/sse", "/mcp"])
async def test_calls_that_wait_are_limited_whatever_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(call_limit, "MAX_CALLS", 1)
    refused: list[str] = []
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        serving(tmp_path) as port,
        http_client(f"http://127.0.0.1:{port}{path}", headers=headers) as client,
    ):
        made = structured(await call(client, "generate_video", prompt="a fox", duration=5))

        async def wait() -> None:
            try:
                await call(client, "get_video_task", task_id=made["task_id"], wait_seconds=20)
            except MCPError as exc:
                refused.append(str(exc))

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(wait)
        done = structured(await call(client, "get_video_task", task_id=made["task_id"]))

    assert len(refused) == 3
    assert refused[0] == (
        "1 requests of yours are being answered, the most at once. This request was not begun:"
        " send it again in 5 seconds."
    )
    assert done["task_status"] in {"pending", "running", "succeed"}


async def serves_another(port: int) -> bool:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        return await is_served(stream)


async def is_served(stream: SocketStream) -> bool:
    try:
        await stream.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return (await read_response(stream)).startswith(b"HTTP/1.1 200 ")
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        return False


async def test_accepted_connections_send_without_delay() -> None:
    """Asyncio sets TCP_NODELAY only on sockets whose protocol is given; else answers take 44 ms."""
    accepted = asyncio.get_running_loop().create_future()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket")
        accepted.set_result(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with bind_loopback("127.0.0.1", 0) as bound:
        async with (
            await asyncio.start_server(accept, sock=bound),
            await anyio.connect_tcp(*bound.getsockname()),
        ):
            no_delay = await accepted

    assert no_delay


def running_children() -> list[int]:
    """The servers that this process has started."""
    children = Path("/proc/self/task").glob("*/children")
    found = {int(each) for path in children for each in path.read_text("utf-8").split()}
    return [
        pid for pid in found if b"geekai_video_mcp" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def resident_mb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise AssertionError(pid)


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("header", ["Host: evil.test", "Host: localhost"])
async def test_sixty_strangers_with_large_bodies_hold_no_memory(
    tmp_path: Path, header: str
) -> None:
    """Each announces 24 MB and sends 4 MB, which used to be kept.

    Some have a foreign Host, the others no token.
    """
    head = f"POST /mcp HTTP/1.1\r\n{header}\r\nContent-Length: {MAX_MESSAGE_BYTES}\r\n\r\n"
    answers: list[bytes] = []

    async def flood(port: int) -> None:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(head.encode())
            await stream.send(b"x" * 4_000_000)
            answers.append((await read_response(stream))[:13])

    command = SERVE
    async with http_server(tmp_path, *command, **KEY) as origin:
        assert token_header(tmp_path)
        (pid,) = running_children()
        before = resident_mb(pid)
        async with anyio.create_task_group() as tasks:
            for _ in range(60):
                tasks.start_soon(flood, int(origin.rpartition(":")[2]))
        grown = resident_mb(pid) - before

    assert len(answers) == 60
    assert set(answers) <= {b"HTTP/1.1 421 ", b"HTTP/1.1 401 "}
    assert grown < 40


async def test_a_body_in_a_great_many_small_chunks_is_refused_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(CHUNKED + b"1\r\nx\r\n" * (listener.MAX_SMALL_PIECES + 1))

        answer = await read_to_end(stream)

    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_body_that_means_nothing_is_not_waited_for(tmp_path: Path, method: str) -> None:
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        head = LENGTH.replace("POST", method) % 9_000_000
        await stream.send(head.encode())

        answer = await read_response(stream)

    assert answer.startswith(b"HTTP/1.1 40")  # there is no such session


async def test_a_body_that_goes_on_invalid_after_the_response_is_no_error_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        await stream.send(b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await read_response(stream)
        await stream.send(b"no size\r\n")
        await read_to_end(stream)

    assert [one.getMessage() for one in caplog.records if one.exc_info] == []
