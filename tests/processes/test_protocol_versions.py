"""Every revision of MCP on every transport where it exists, byte by byte: no SDK's client.

A conversation is opened once for each pair and serves every test of this file.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import httpx
import pytest

from support.process import StdioServer, http_server, new_server, token_header
from support.provider import HELD_PREFIX, Provider, running_provider
from support.sampling import sample

Json = dict[str, Any]
MODERN: Final = "2026-07-28"
MATRIX: Final = [
    ("2024-11-05", "stdio"),
    ("2024-11-05", "sse"),
    ("2025-03-26", "stdio"),
    ("2025-03-26", "sse"),
    ("2025-03-26", "http"),
    ("2025-06-18", "stdio"),
    ("2025-06-18", "sse"),
    ("2025-06-18", "http"),
    ("2025-11-25", "stdio"),
    ("2025-11-25", "sse"),
    ("2025-11-25", "http"),
    (MODERN, "stdio"),
    (MODERN, "http"),
]
"""Streamable HTTP came with 2025-03-26, and SSE is gone from 2026-07-28."""
TOOLS: Final = {
    path.stem for path in (Path(__file__).parent.parent / "snapshots" / "tools").glob("*.json")
}
META: Final = "io.modelcontextprotocol/"


class Wire(Protocol):
    """How messages travel."""

    others: list[Json]
    """What came that belongs to no exchange under way."""

    def exchange(self, message: Json) -> AsyncGenerator[Json]: ...
    async def tell(self, message: Json) -> None: ...


@dataclass
class Conversation:
    """A conversation in one revision; a request is what that revision makes of it."""

    wire: Wire
    revision: str
    asked: int = 0
    progress: list[Json] = field(default_factory=list[Json])

    async def begin(self) -> None:
        """The handshake, for the revisions that have one."""
        if self.revision == MODERN:
            return
        client = {"name": "raw", "version": "1"}
        hello = {"protocolVersion": self.revision, "capabilities": {}, "clientInfo": client}
        result = await self.ask("initialize", hello)
        assert result["protocolVersion"] == self.revision
        await self.wire.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def ask(self, method: str, params: Json | None = None) -> Json:
        """The result."""
        return (await self.answer(method, params))["result"]

    async def call(self, tool: str, **arguments: Any) -> Json:  # noqa: ANN401 - JSON
        return await self.ask("tools/call", {"name": tool, "arguments": arguments})

    async def answer(self, method: str, params: Json | None = None) -> Json:
        """The whole response; the progress on the way is kept."""
        self.progress.clear()
        message: Json = {}
        with anyio.fail_after(40):
            async for message in self.wire.exchange(self.message(method, params)):
                if message.get("method") == "notifications/progress":
                    self.progress.append(message["params"])
        return message

    async def stop(self, method: str, params: Json) -> int:
        """Ask, and cancel when the first progress comes; returns the id of the request."""
        message = self.message(method, params)
        with anyio.fail_after(40):
            async with aclosing(self.wire.exchange(message)) as saying:
                assert "progress" in (await anext(saying))["method"]
                if isinstance(self.wire, Posts) and self.revision == MODERN:
                    return message["id"]  # to leave the stream is to cancel
                cancelled = {"requestId": message["id"], "reason": "the user left"}
                await self.wire.tell(
                    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}
                )
                if isinstance(self.wire, Posts):
                    self.wire.others += [said async for said in saying]
        return message["id"]

    def message(self, method: str, params: Json | None) -> Json:
        self.asked += 1
        meta: Json = {"progressToken": f"t{self.asked}"} if method == "tools/call" else {}
        if self.revision == MODERN:
            meta |= {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}}
            meta |= {f"{META}clientInfo": {"name": "raw", "version": "1"}}
        params = {**(params or {}), "_meta": meta} if meta else params or {}
        return {"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}


@dataclass
class Pipe:
    """A process and its two pipes."""

    server: StdioServer
    others: list[Json] = field(default_factory=list[Json])

    async def exchange(self, message: Json) -> AsyncGenerator[Json]:
        await self.tell(message)
        said: Json = {}
        while said.get("id") != message["id"]:
            said = await self.server.receive()
            if belongs(said, message):
                yield said
            else:
                self.others.append(said)

    async def tell(self, message: Json) -> None:
        await self.server.send(json.dumps(message).encode())


@dataclass
class Events:
    """One stream that everything comes by, and an address to post to."""

    browser: httpx.AsyncClient
    coming: AsyncIterator[Json]
    address: str
    others: list[Json] = field(default_factory=list[Json])

    async def exchange(self, message: Json) -> AsyncGenerator[Json]:
        await self.tell(message)
        said: Json = {}
        while said.get("id") != message["id"]:
            said = await anext(self.coming)
            if belongs(said, message):
                yield said
            else:
                self.others.append(said)

    async def tell(self, message: Json) -> None:
        (await self.browser.post(self.address, json=message)).raise_for_status()


@dataclass
class Posts:
    """Streamable HTTP: every request is a POST with a stream of its own."""

    browser: httpx.AsyncClient
    revision: str
    session: str | None = None
    others: list[Json] = field(default_factory=list[Json])

    async def exchange(self, message: Json) -> AsyncGenerator[Json]:
        headers = self.headers(message)
        async with self.browser.stream("POST", "/mcp", json=message, headers=headers) as answer:
            self.session = answer.headers.get("Mcp-Session-Id", self.session)
            if answer.headers["Content-Type"].startswith("application/json"):
                yield json.loads(await answer.aread())
                return
            async for said in data(answer):
                yield said

    async def tell(self, message: Json) -> None:
        answer = await self.browser.post("/mcp", json=message, headers=self.headers(message))
        assert answer.status_code == 202

    def headers(self, message: Json) -> dict[str, str]:
        headers = {"Accept": "application/json, text/event-stream"}
        if self.revision == MODERN:
            params = message["params"]
            name: str | None = params.get("name") or params.get("uri")
            headers |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"]}
            return headers | ({"Mcp-Name": name} if name else {})
        if self.session:
            headers |= {"MCP-Protocol-Version": self.revision, "Mcp-Session-Id": self.session}
        return headers


def belongs(said: Json, message: Json) -> bool:
    """Whether *said* is the response to *message*, or progress on the way to it."""
    token = message["params"].get("_meta", {}).get("progressToken")
    if "progressToken" in (about := said.get("params", {})):
        return about["progressToken"] == token
    return said.get("id") == message["id"]


async def data(answer: httpx.Response) -> AsyncGenerator[Json]:
    """The messages in a stream of events."""
    async for row in answer.aiter_lines():
        if row.startswith("data:") and (words := row.removeprefix("data:").strip()):
            yield json.loads(words)


@dataclass
class Servers:
    """The servers of this file, and the conversations with them."""

    folder: Path
    service: Provider
    browser: httpx.AsyncClient
    stack: AsyncExitStack
    talks: dict[tuple[str, str], Conversation] = field(
        default_factory=dict[tuple[str, str], Conversation]
    )

    async def talk(self, revision: str, transport: str) -> Conversation:
        if (revision, transport) not in self.talks:
            wire = await getattr(self, f"_{transport}")(revision)
            talk = self.talks[revision, transport] = Conversation(wire, revision)
            await talk.begin()
        return self.talks[revision, transport]

    async def _stdio(self, revision: str) -> Wire:
        folder = self.folder / revision
        folder.mkdir()
        return Pipe(
            await self.stack.enter_async_context(new_server(folder, **self.service.settings))
        )

    async def _sse(self, _: str) -> Wire:
        answer = await self.stack.enter_async_context(self.browser.stream("GET", "/sse"))
        rows = answer.aiter_lines()
        async for row in rows:
            if row.startswith("data:"):
                return Events(self.browser, _said(rows), row.removeprefix("data:").strip())
        raise AssertionError(answer)

    async def _http(self, revision: str) -> Wire:
        return Posts(self.browser, revision)


async def _said(rows: AsyncIterator[str]) -> AsyncGenerator[Json]:
    async for row in rows:
        if row.startswith("data:"):
            yield json.loads(row.removeprefix("data:"))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Servers]:
    folder = tmp_path_factory.mktemp("house")
    async with (
        running_provider() as service,
        http_server(
            folder, "serve", "--transport", "http", "--port", "0", **service.settings
        ) as origin,
        httpx.AsyncClient(base_url=origin, timeout=40, headers=token_header(folder)) as browser,
        AsyncExitStack() as stack,
    ):
        yield Servers(folder, service, browser, stack)


@pytest.fixture(params=sample([(pair,) for pair in MATRIX], every=8), ids=" over ".join)
async def talk(house: Servers, request: pytest.FixtureRequest) -> Conversation:
    return await house.talk(*request.param)


async def test_the_tools_are_listed_with_their_schemas(talk: Conversation) -> None:
    listed = await talk.ask("tools/list")

    assert {tool["name"] for tool in listed["tools"]} == TOOLS
    assert all(tool["inputSchema"]["type"] == "object" for tool in listed["tools"])
    assert ("ttlMs" in listed) == (talk.revision == MODERN)


async def test_a_call_is_answered_in_words_and_in_fields(talk: Conversation) -> None:
    made = await talk.call("generate_video", prompt="a fox")
    look = {"task_id": made["structuredContent"]["task_id"], "wait_seconds": 0}
    found = await talk.call("get_video_task", **look)

    assert not made.get("isError")
    assert made["content"][0]["type"] == "text"
    assert made["structuredContent"]["task_id"][:8] in made["content"][0]["text"]
    assert found["structuredContent"]["model"] == made["structuredContent"]["model"]


@pytest.mark.exhaustive
async def test_a_wait_reports_progress_that_grows_and_ends_with_a_file(talk: Conversation) -> None:
    prompt = f"a fox in {talk.revision} over {type(talk.wire).__name__}"  # not the task of another
    made = await talk.call("generate_video", prompt=prompt)
    task_id = made["structuredContent"]["task_id"]
    done = await talk.call("get_video_task", task_id=task_id, wait_seconds=45, view="none")

    marks = [progress["progress"] for progress in talk.progress]
    assert marks == sorted(set(marks))
    assert len({progress["progressToken"] for progress in talk.progress}) == 1
    assert all(progress["message"] for progress in talk.progress)
    assert done["structuredContent"]["task_status"] == "succeed"
    assert Path(done["structuredContent"]["file"]).exists()


@pytest.mark.exhaustive
async def test_to_cancel_a_wait_stops_the_wait_alone(house: Servers, talk: Conversation) -> None:
    """An uncancelled wait would be answered with the one that follows it, and before it."""
    prompt = f"{HELD_PREFIX} {talk.revision} {type(talk.wire).__name__}"
    made = await talk.call("generate_video", prompt=prompt)
    wait = {"task_id": made["structuredContent"]["task_id"], "wait_seconds": 45, "view": "none"}
    stopped = await talk.stop("tools/call", {"name": "get_video_task", "arguments": wait})
    house.service.released.add(prompt)
    done = await talk.call("get_video_task", **wait)
    await talk.ask("tools/list")

    assert done["structuredContent"]["task_status"] == "succeed"
    answers = [message for message in talk.wire.others if message.get("id") == stopped]
    assert not [message for message in answers if "result" in message]


async def test_a_mistake_is_reported_in_a_sentence_that_helps(talk: Conversation) -> None:
    argument = await talk.call("generate_video", promt="a fox")
    task = await talk.call("get_video_task", task_id="nobodys")

    assert argument["isError"]
    assert "promt" in argument["content"][0]["text"]
    assert "Nothing was charged." in argument["content"][0]["text"]
    assert task["isError"]
    assert "nobodys" in task["content"][0]["text"]


@pytest.mark.exhaustive
async def test_a_task_is_a_resource_by_its_template(talk: Conversation) -> None:
    made = await talk.call("generate_video", prompt="a fox", variation=3)
    task_id = made["structuredContent"]["task_id"]
    templates = (await talk.ask("resources/templates/list"))["resourceTemplates"]
    read = await talk.ask("resources/read", {"uri": f"video://tasks/{task_id}"})
    missing = await talk.answer("resources/read", {"uri": "video://tasks/nobodys"})

    assert "video://tasks/{task_id}" in {template["uriTemplate"] for template in templates}
    assert json.loads(read["contents"][0]["text"])["task_id"] == task_id
    assert missing["error"]["code"] in {-32602, -32002}


async def test_a_prompt_is_listed_and_filled_in(talk: Conversation) -> None:
    listed = await talk.ask("prompts/list")
    arguments = {"name": "storyboard", "arguments": {"topic": "a fox finds a lantern"}}
    filled = await talk.ask("prompts/get", arguments)

    assert {"storyboard", "animate_image"} <= {prompt["name"] for prompt in listed["prompts"]}
    assert "a fox finds a lantern" in filled["messages"][0]["content"]["text"]


@pytest.mark.exhaustive
async def test_an_id_and_a_model_are_completed(talk: Conversation) -> None:
    made = await talk.call("generate_video", prompt="a fox", variation=4)
    task_id = made["structuredContent"]["task_id"]
    template = {"type": "ref/resource", "uri": "video://tasks/{task_id}"}
    prompt = {"type": "ref/prompt", "name": "storyboard"}
    typed = {"name": "task_id", "value": task_id[:6]}
    ids = await talk.ask("completion/complete", {"ref": template, "argument": typed})
    typed = {"name": "model", "value": "cogvideox"}
    models = await talk.ask("completion/complete", {"ref": prompt, "argument": typed})

    assert task_id in ids["completion"]["values"]
    assert "cogvideox-flash" in models["completion"]["values"]


async def test_an_unknown_method_is_an_error_of_the_protocol(talk: Conversation) -> None:
    answer = await talk.answer("videos/make")

    assert answer["error"]["code"] == -32601
