"""Whatever a client sends, and however it goes: an error by the specification or a clean end."""

import json
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
import pytest

from support.process import SERVE, SMALL, descendants_naming, http_server, running_server, stdio
from support.sampling import sample
from support.world import call, structured

PROMPT: Final = "a fox called Canary-8815"


def request(to: str, arguments: str = f'{{"prompt":"{PROMPT}"}}') -> bytes:
    """A call that would cost money, with any text where its id stands."""
    params = f'{{"name":"generate_video","arguments":{arguments}}}'
    return f'{{"jsonrpc":"2.0","id":{to},"method":"tools/call","params":{params}}}'.encode()


def nested(levels: int) -> bytes:
    """A call whose arguments are that deep."""
    inner = '{"a":' * levels + "1" + "}" * levels
    return request("7", f'{{"prompt":"{PROMPT}","extra_body":{inner}}}')


BAD: Final[dict[str, tuple[bytes, int | None, int]]] = {
    "cut off": (request("7")[:-1], None, -32700),
    "nested without end": (nested(100_000), 7, -32600),
    "not UTF-8": (request("7").replace(b"fox", b"f\xff\xfex"), None, -32700),
    "not JSON": (b"Content-Length: 40", None, -32700),
    "an id that is no number": (request("NaN"), None, -32600),
    "an id without end": (request("1e999"), None, -32600),
    "an id between two": (request("7.5"), None, -32600),
    "no id at all": (request("null"), None, -32600),
    "a batch": (b"[" + request("7") + b"]", None, -32600),
    "another JSON-RPC": (request("7").replace(b'"2.0"', b'"1.0"'), 7, -32600),
    "no method": (b'{"jsonrpc":"2.0","id":7}', 7, -32600),
    "params in a row": (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', 7, -32600),
    "an unknown method": (b'{"jsonrpc":"2.0","id":7,"method":"videos/make"}', 7, -32601),
    "longer than any message": (request("7", " " * 24_000_000), 7, -32600),
}


def tasks_in(folder: Path) -> list[tuple[str, str]]:
    """Every task of the ledger: its id and status."""
    path = folder / "state" / "ledger.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as ledger:
        return ledger.execute("SELECT id, status FROM task").fetchall()


async def test_every_bad_line_is_answered_and_nothing_comes_of_it(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        for name, (bad, to, code) in BAD.items():
            await server.send(bad)
            answer = await server.receive()
            assert (answer["id"], answer["error"]["code"]) == (to, code), name
            assert len(json.dumps(answer)) < 300, name
        assert len((await server.request("tools/list"))["result"]["tools"]) > 1
        assert await server.close() == 0
        rest = b"".join([chunk async for chunk in server.reader])

    assert rest == b""
    assert server.other_messages == []
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""
    assert tasks_in(tmp_path) == []


async def test_a_line_that_the_end_cuts_off_is_answered_before_the_end(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        assert server.process.stdin is not None
        await server.process.stdin.send(request("7")[:-9])
        status = await server.close()
        answer = await server.receive()

    assert (answer["id"], answer["error"]["code"]) == (None, -32700)
    assert status == 0
    assert tasks_in(tmp_path) == []


async def test_blank_lines_are_passed_over(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        await server.send(b"\r\n \n")
        await server.request("ping")
        await server.close()

    assert server.other_messages == []


async def test_a_line_of_five_megabytes_is_read_and_judged_by_what_it_asks(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        refused = await server.call("generate_video", prompt="x" * 5_000_000)

    assert refused["isError"]
    assert refused["content"][0]["text"].startswith("prompt: must have 1 to 20000 characters")
    assert tasks_in(tmp_path) == []


async def test_two_calls_of_one_id_are_both_answered_and_paid_for_once(tmp_path: Path) -> None:
    arguments = json.dumps({"prompt": "a fox", **SMALL})
    async with running_server(tmp_path) as server:
        await server.send(request("7", arguments) + b"\n" + request("7", arguments))
        answers = [await server.receive(), await server.receive()]

    assert [answer["id"] for answer in answers] == [7, 7]
    ((task_id, _),) = tasks_in(tmp_path)
    assert {answer["result"]["structuredContent"]["task_id"] for answer in answers} == {task_id}


@pytest.mark.exhaustive
@pytest.mark.parametrize("deaf", sample([False, True], every=2), ids=["hangs up", "reads no more"])
async def test_a_host_that_vanishes_in_mid_call_leaves_a_task_for_the_next(
    tmp_path: Path, *, deaf: bool
) -> None:
    arguments = json.dumps({"prompt": PROMPT, "size": "1920x1080", "duration": 10, "async": False})
    async with running_server(tmp_path) as server:
        await server.send(request("7", arguments))
        with anyio.fail_after(20):
            while not any(
                "geekai_sandbox.render" in words for words in descendants_naming(str(tmp_path))
            ):
                await anyio.lowlevel.checkpoint()
        if deaf:
            assert server.process.stdout is not None
            await server.process.stdout.aclose()
            await server.send(b'{"jsonrpc":"2.0","id":8,"method":"tools/list"}')
        status = await server.close()
        with anyio.fail_after(10):
            while descendants_naming(str(tmp_path)):
                await anyio.lowlevel.checkpoint()
    logged = (tmp_path / "stderr.log").read_text("utf-8")

    assert (status, logged) == (0, "")
    ((task_id, _),) = tasks_in(tmp_path)
    async with stdio(tmp_path) as client:
        shown = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=0))
    assert shown["task_status"] in {"pending", "running", "succeed"}


# Over HTTP.

HEADERS: Final = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
}

HELLO: Final[dict[str, Any]] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bad", "version": "1"},
    },
}


@asynccontextmanager
async def served(folder: Path) -> AsyncGenerator[tuple[httpx.AsyncClient, dict[str, str]]]:
    """A browser of a new server, and the headers of its session."""
    async with (
        http_server(folder, *SERVE) as origin,
        httpx.AsyncClient(base_url=origin, headers=HEADERS, timeout=30) as browser,
    ):
        answer = await browser.post("/mcp", json=HELLO)
        yield browser, {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}


@pytest.mark.exhaustive
async def test_every_bad_body_is_answered_and_nothing_comes_of_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (browser, session), browser.stream("GET", "/sse") as events:
        rows = events.aiter_lines()
        address = await first_data(rows)
        for name, (bad, to, code) in BAD.items():
            if code == -32601:
                continue
            for path, headers in (
                ("/mcp", session),
                ("/mcp", {"MCP-Protocol-Version": "2026-07-28"}),
                (address, {}),
            ):
                answer = await browser.post(path, content=bad, headers=headers)
                where = (name, path, headers, answer.text)
                unread = len(bad) > 10_000_000  # refused by its length, before its id is known
                assert answer.status_code == (413 if unread else 400), where
                error = answer.json()
                assert (error["id"], error["error"]["code"]) == (None if unread else to, code), (
                    where
                )
                assert len(answer.content) < 300, where

    assert tasks_in(tmp_path) == []
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""


async def test_a_client_that_hangs_up_within_its_body_is_forgotten(tmp_path: Path) -> None:
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n"
    async with served(tmp_path) as (browser, session):
        stream = await anyio.connect_tcp("127.0.0.1", browser.base_url.port or 0)
        await stream.send(head + request("7"))
        await stream.aclose()
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        alive = await browser.post("/mcp", json=ping, headers=session)

    assert next_data(alive.text)["result"] == {}
    assert tasks_in(tmp_path) == []
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""


async def test_half_a_surrogate_pair_is_named_over_http_too(tmp_path: Path) -> None:
    half = request("7", '{"prompt":"a\\ud800b"}')
    async with served(tmp_path) as (browser, session):
        answer = await browser.post("/mcp", content=half, headers=session)

    assert "unpaired surrogate" in answer.text


@pytest.mark.exhaustive
async def test_a_still_of_many_megabytes_comes_through_http(tmp_path: Path) -> None:
    """Beyond the SDK's own limit of 4 MiB, which is smaller than a still may be."""
    still = "data:image/png;base64," + "A" * 6_000_000
    async with served(tmp_path) as (browser, session):
        arguments = json.dumps({"prompt": "a fox", "image": still})
        answer = await browser.post("/mcp", content=request("7", arguments), headers=session)

    result = next_data(answer.text)["result"]
    assert "image" in result["content"][0]["text"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", sample(["/mcp", "/sse"], every=2))
async def test_a_client_that_drops_the_line_in_mid_call_finds_its_task_again(
    tmp_path: Path, path: str
) -> None:
    arguments = json.dumps({"prompt": "a fox", **SMALL, "duration": 3, "async": False})
    async with served(tmp_path) as (browser, session):
        if path == "/sse":
            async with browser.stream("GET", "/sse") as events:
                rows = events.aiter_lines()
                address = await first_data(rows)
                await browser.post(address, json=HELLO)
                await browser.post(address, content=request("7", arguments))
                await until_a_task(tmp_path)
        else:
            async with browser.stream(
                "POST", "/mcp", content=request("7", arguments), headers=session
            ):
                await until_a_task(tmp_path)
        ((task_id, _),) = tasks_in(tmp_path)
        look = json.dumps({"task_id": task_id, "wait_seconds": 45, "preview": "none"})
        again = request("8", look).replace(b"generate_video", b"get_video_task")
        answer = await browser.post("/mcp", content=again, headers=session, timeout=60)

    done = next_data(answer.text)["result"]["structuredContent"]
    assert done["task_status"] == "succeed"
    assert Path(done["file"]).exists()
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""


async def until_a_task(folder: Path) -> None:
    with anyio.fail_after(30):
        while not tasks_in(folder):
            await anyio.lowlevel.checkpoint()


async def first_data(rows: AsyncIterator[str]) -> str:
    """The address that an SSE connection is told to post to; the rest stays in *rows*."""
    async for row in rows:
        if row.startswith("data:"):
            return row.removeprefix("data:").strip()
    msg = "the stream ended"
    raise AssertionError(msg)


def next_data(events: str) -> dict[str, Any]:
    """The response in a stream of events."""
    rows = [row.removeprefix("data:") for row in events.splitlines() if row.startswith("data:")]
    return next(words for row in rows if "id" in (words := json.loads(row)))
