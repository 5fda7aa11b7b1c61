"""Every revision of MCP on every transport where it exists, byte by byte: no SDK's client.

A client is made once for each pair and serves every test of this file.
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

from support.process import SERVE, StdioServer, http_server, new_server, token_header
from support.provider import HELD_PREFIX, Provider, running_provider
from support.raw_http import META, MODERN, Json, read_events
from support.sampling import sample

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


class Transport(Protocol):
    """Carries messages to a server and back."""

    other_messages: list[Json]
    """What came that belongs to no exchange under way."""

    def exchange(self, message: Json) -> AsyncGenerator[Json]: ...
    async def send(self, message: Json) -> None: ...


@dataclass
class RawClient:
    """A client in one revision; a request is what that revision makes of it."""

    transport: Transport
    revision: str
    last_id: int = 0
    progress: list[Json] = field(default_factory=list[Json])

    async def initialize(self) -> None:
        """The handshake, for the revisions that have one."""
        if self.revision == MODERN:
            return
        client = {"name": "raw", "version": "1"}
        params = {"protocolVersion": self.revision, "capabilities": {}, "clientInfo": client}
        result = await self.request("initialize", params)
        assert result["protocolVersion"] == self.revision
        await self.transport.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def request(self, method: str, params: Json | None = None) -> Json:
        """The result."""
        return (await self.send_request(method, params))["result"]

    async def call(self, tool: str, **arguments: Any) -> Json:  # noqa: ANN401 - JSON
        return await self.request("tools/call", {"name": tool, "arguments": arguments})

    async def send_request(self, method: str, params: Json | None = None) -> Json:
        """The whole response; the progress on the way is kept."""
        self.progress.clear()
        message: Json = {}
        with anyio.fail_after(40):
            async for message in self.transport.exchange(self.message(method, params)):
                if message.get("method") == "notifications/progress":
                    self.progress.append(message["params"])
        return message

    async def cancel(self, method: str, params: Json) -> int:
        """Send a request and cancel it at its first progress; returns its id."""
        message = self.message(method, params)
        with anyio.fail_after(40):
            async with aclosing(self.transport.exchange(message)) as messages:
                assert "progress" in (await anext(messages))["method"]
                if isinstance(self.transport, HttpTransport) and self.revision == MODERN:
                    return message["id"]  # to leave the stream is to cancel
                cancelled = {"requestId": message["id"], "reason": "the user left"}
                await self.transport.send(
                    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}
                )
                if isinstance(self.transport, HttpTransport):
                    self.transport.other_messages += [each async for each in messages]
        return message["id"]

    def message(self, method: str, params: Json | None) -> Json:
        self.last_id += 1
        meta: Json = {"progressToken": f"t{self.last_id}"} if method == "tools/call" else {}
        if self.revision == MODERN:
            meta |= {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}}
            meta |= {f"{META}clientInfo": {"name": "raw", "version": "1"}}
        params = {**(params or {}), "_meta": meta} if meta else params or {}
        return {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}


@dataclass
class StdioTransport:
    """A process and its two pipes."""

    server: StdioServer
    other_messages: list[Json] = field(default_factory=list[Json])

    async def exchange(self, message: Json) -> AsyncGenerator[Json]:
        await self.send(message)
        received: Json = {}
        while received.get("id") != message["id"]:
            received = await self.server.receive()
            if belongs(received, message):
                yield received
            else:
                self.other_messages.append(received)

    async def send(self, message: Json) -> None:
        await self.server.send(json.dumps(message).encode())


@dataclass
class SseTransport:
    """One stream that everything comes by, and an address to post to."""

    http: httpx.AsyncClient
    events: AsyncIterator[str]
    address: str
    other_messages: list[Json] = field(default_factory=list[Json])

    async def exchange(self, message: Json) -> AsyncGenerator[Json]:
        await self.send(message)
        received: Json = {}
        while received.get("id") != message["id"]:
            received = json.loads(await anext(self.events))
            if belongs(received, message):
                yield received
            else:
                self.other_messages.append(received)

    async def send(self, message: Json) -> None:
        (await self.http.post(self.address, json=message)).raise_for_status()


@dataclass
class HttpTransport:
    """Streamable HTTP: every request is a POST with a stream of its own."""

    http: httpx.AsyncClient
    revision: str
    session: str | None = None
    other_messages: list[Json] = field(default_factory=list[Json])

    async def exchange(self, message: Json) -> AsyncGenerator[Json]:
        headers = self.headers(message)
        async with self.http.stream("POST", "/mcp", json=message, headers=headers) as response:
            self.session = response.headers.get("Mcp-Session-Id", self.session)
            if response.headers["Content-Type"].startswith("application/json"):
                yield json.loads(await response.aread())
                return
            async for text in read_events(response):
                yield json.loads(text)

    async def send(self, message: Json) -> None:
        response = await self.http.post("/mcp", json=message, headers=self.headers(message))
        assert response.status_code == 202

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


def belongs(received: Json, message: Json) -> bool:
    """Whether *received* is the response to *message*, or progress on the way to it."""
    token = message["params"].get("_meta", {}).get("progressToken")
    if "progressToken" in (about := received.get("params", {})):
        return about["progressToken"] == token
    return received.get("id") == message["id"]


@dataclass
class Servers:
    """The servers of this file, and their clients."""

    folder: Path
    service: Provider
    http: httpx.AsyncClient
    stack: AsyncExitStack
    clients: dict[tuple[str, str], RawClient] = field(
        default_factory=dict[tuple[str, str], RawClient]
    )

    async def get_client(self, revision: str, kind: str) -> RawClient:
        if (revision, kind) not in self.clients:
            client = RawClient(await getattr(self, f"_{kind}")(revision), revision)
            await client.initialize()
            self.clients[revision, kind] = client
        return self.clients[revision, kind]

    async def _stdio(self, revision: str) -> Transport:
        folder = self.folder / revision
        folder.mkdir()
        return StdioTransport(
            await self.stack.enter_async_context(new_server(folder, **self.service.settings))
        )

    async def _sse(self, _: str) -> Transport:
        response = await self.stack.enter_async_context(self.http.stream("GET", "/sse"))
        events = read_events(response)
        return SseTransport(self.http, events, address=await anext(events))

    async def _http(self, revision: str) -> Transport:
        return HttpTransport(self.http, revision)


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    async with (
        running_provider() as service,
        http_server(folder, *SERVE, **service.settings) as origin,
        httpx.AsyncClient(base_url=origin, timeout=40, headers=token_header(folder)) as http,
        AsyncExitStack() as stack,
    ):
        yield Servers(folder, service, http, stack)


@pytest.fixture(params=sample([(pair,) for pair in MATRIX], every=8), ids=" over ".join)
async def client(servers: Servers, request: pytest.FixtureRequest) -> RawClient:
    return await servers.get_client(*request.param)


async def test_the_tools_are_listed_with_their_schemas(client: RawClient) -> None:
    listed = await client.request("tools/list")

    assert {tool["name"] for tool in listed["tools"]} == TOOLS
    assert all(tool["inputSchema"]["type"] == "object" for tool in listed["tools"])
    assert ("ttlMs" in listed) == (client.revision == MODERN)


async def test_a_call_is_answered_in_words_and_in_fields(client: RawClient) -> None:
    made = await client.call("generate_video", prompt="a fox")
    look = {"task_id": made["structuredContent"]["task_id"], "wait_seconds": 0}
    found = await client.call("get_video_task", **look)

    assert not made.get("isError")
    assert made["content"][0]["type"] == "text"
    assert made["structuredContent"]["task_id"][:8] in made["content"][0]["text"]
    assert found["structuredContent"]["model"] == made["structuredContent"]["model"]


@pytest.mark.exhaustive
async def test_a_wait_reports_progress_that_grows_and_ends_with_a_file(client: RawClient) -> None:
    # The same prompt would be the task of another client.
    prompt = f"a fox in {client.revision} over {type(client.transport).__name__}"
    made = await client.call("generate_video", prompt=prompt)
    task_id = made["structuredContent"]["task_id"]
    done = await client.call("get_video_task", task_id=task_id, wait_seconds=45, view="none")

    marks = [progress["progress"] for progress in client.progress]
    assert marks == sorted(set(marks))
    assert len({progress["progressToken"] for progress in client.progress}) == 1
    assert all(progress["message"] for progress in client.progress)
    assert done["structuredContent"]["task_status"] == "succeed"
    assert Path(done["structuredContent"]["file"]).exists()


@pytest.mark.exhaustive
async def test_to_cancel_a_wait_stops_the_wait_alone(servers: Servers, client: RawClient) -> None:
    """An uncancelled wait would be answered with the one that follows it, and before it."""
    prompt = f"{HELD_PREFIX} {client.revision} {type(client.transport).__name__}"
    made = await client.call("generate_video", prompt=prompt)
    wait = {"task_id": made["structuredContent"]["task_id"], "wait_seconds": 45, "view": "none"}
    stopped = await client.cancel("tools/call", {"name": "get_video_task", "arguments": wait})
    servers.service.released.add(prompt)
    done = await client.call("get_video_task", **wait)
    await client.request("tools/list")

    assert done["structuredContent"]["task_status"] == "succeed"
    responses = [each for each in client.transport.other_messages if each.get("id") == stopped]
    assert not [each for each in responses if "result" in each]


async def test_a_mistake_is_reported_in_a_sentence_that_helps(client: RawClient) -> None:
    argument = await client.call("generate_video", promt="a fox")
    task = await client.call("get_video_task", task_id="nobodys")

    assert argument["isError"]
    assert "promt" in argument["content"][0]["text"]
    assert "Nothing was charged." in argument["content"][0]["text"]
    assert task["isError"]
    assert "nobodys" in task["content"][0]["text"]


@pytest.mark.exhaustive
async def test_a_task_is_a_resource_by_its_template(client: RawClient) -> None:
    made = await client.call("generate_video", prompt="a fox", variation=3)
    task_id = made["structuredContent"]["task_id"]
    templates = (await client.request("resources/templates/list"))["resourceTemplates"]
    read = await client.request("resources/read", {"uri": f"video://tasks/{task_id}"})
    missing = await client.send_request("resources/read", {"uri": "video://tasks/nobodys"})

    assert "video://tasks/{task_id}" in {template["uriTemplate"] for template in templates}
    assert json.loads(read["contents"][0]["text"])["task_id"] == task_id
    assert missing["error"]["code"] in {-32602, -32002}


async def test_a_prompt_is_listed_and_filled_in(client: RawClient) -> None:
    listed = await client.request("prompts/list")
    arguments = {"name": "storyboard", "arguments": {"topic": "a fox finds a lantern"}}
    filled = await client.request("prompts/get", arguments)

    assert {"storyboard", "animate_image"} <= {prompt["name"] for prompt in listed["prompts"]}
    assert "a fox finds a lantern" in filled["messages"][0]["content"]["text"]


@pytest.mark.exhaustive
async def test_an_id_and_a_model_are_completed(client: RawClient) -> None:
    made = await client.call("generate_video", prompt="a fox", variation=4)
    task_id = made["structuredContent"]["task_id"]
    template = {"type": "ref/resource", "uri": "video://tasks/{task_id}"}
    prompt = {"type": "ref/prompt", "name": "storyboard"}
    typed = {"name": "task_id", "value": task_id[:6]}
    ids = await client.request("completion/complete", {"ref": template, "argument": typed})
    typed = {"name": "model", "value": "cogvideox"}
    models = await client.request("completion/complete", {"ref": prompt, "argument": typed})

    assert task_id in ids["completion"]["values"]
    assert "cogvideox-flash" in models["completion"]["values"]


async def test_an_unknown_method_is_an_error_of_the_protocol(client: RawClient) -> None:
    response = await client.send_request("videos/make")

    assert response["error"]["code"] == -32601
