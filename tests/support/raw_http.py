"""JSON-RPC over HTTP without the SDK's client: what is answered, character by character."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio
import httpx

Json = dict[str, Any]
Kind = Literal["modern", "session", "sse"]
"""Streamable HTTP in the newest revision, or in one with sessions, or SSE."""
KINDS: Final[tuple[Kind, ...]] = ("modern", "session", "sse")
MODERN: Final = "2026-07-28"
OLDER: Final = "2025-11-25"
META: Final = "io.modelcontextprotocol/"
_ACCEPT: Final = {"Accept": "application/json, text/event-stream"}


@dataclass
class RawHttpClient:
    """Sends each message with the id that it is given, and returns the text of the response."""

    http: httpx.AsyncClient
    kind: Kind
    capabilities: Json
    url: str = "/mcp"
    session_id: str | None = None
    events: AsyncIterator[str] | None = None
    """Of SSE: the one stream that everything comes by."""

    async def request(self, method: str, params: Json | None = None, *, request_id: int = 7) -> str:
        """The text of the response, as it came."""
        message = self._message(method, params or {}, request_id)
        with anyio.fail_after(60):
            if self.events is not None:
                (await self.http.post(self.url, json=message)).raise_for_status()
                return await self._read_response(self.events, request_id)
            async with self.stream(message) as response:
                if response.headers["Content-Type"].startswith("application/json"):
                    return (await response.aread()).decode()
                return await self._read_response(read_events(response), request_id)

    async def call(self, tool: str, *, request_id: int = 7, **arguments: Any) -> Json:  # noqa: ANN401 - JSON
        """The result of a tool."""
        params = {"name": tool, "arguments": arguments}
        return json.loads(await self.request("tools/call", params, request_id=request_id))["result"]

    async def initialize(self) -> None:
        """The handshake, where there is one."""
        if self.kind == "modern":
            return
        params = {
            "protocolVersion": OLDER,
            "capabilities": self.capabilities,
            "clientInfo": {"name": "raw", "version": "1"},
        }
        message = self._message("initialize", params, 0)
        if self.events is not None:
            await self.http.post(self.url, json=message)
            await self._read_response(self.events, 0)
        else:
            async with self.stream(message) as response:
                self.session_id = response.headers.get("Mcp-Session-Id")
                await response.aread()
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def post(self, message: Json, **headers: str) -> httpx.Response:
        """The HTTP response to one message."""
        headers = {**self._headers(message), **headers}
        return await self.http.post(self.url, json=message, headers=headers)

    @asynccontextmanager
    async def stream(self, message: Json) -> AsyncGenerator[httpx.Response]:
        headers = self._headers(message)
        async with self.http.stream("POST", self.url, json=message, headers=headers) as response:
            yield response

    @asynccontextmanager
    async def listen(self, **notifications: object) -> AsyncGenerator[AsyncIterator[str]]:
        """What a subscription brings, in the newest revision."""
        params: Json = {"notifications": notifications}
        async with self.stream(self._message("subscriptions/listen", params, 7)) as response:
            yield read_events(response)

    def _message(self, method: str, params: Json, request_id: int) -> Json:
        if self.kind == "modern":
            meta = {
                f"{META}protocolVersion": MODERN,
                f"{META}clientCapabilities": self.capabilities,
                f"{META}clientInfo": {"name": "raw", "version": "1"},
            }
            params = {**params, "_meta": meta}
        return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}

    def _headers(self, message: Json) -> dict[str, str]:
        if self.kind == "modern":
            params: Json = message["params"]
            named = params.get("taskId") or params.get("name") or params.get("uri")
            return {
                **_ACCEPT,
                "MCP-Protocol-Version": MODERN,
                "Mcp-Method": message["method"],
                **({"Mcp-Name": named} if named else {}),
            }
        if self.session_id:
            return {**_ACCEPT, "MCP-Protocol-Version": OLDER, "Mcp-Session-Id": self.session_id}
        return dict(_ACCEPT)

    async def _read_response(self, events: AsyncIterator[str], request_id: int) -> str:
        async for text in events:
            message: Json = json.loads(text)
            if message.get("id") == request_id and "method" not in message:
                return text
        raise AssertionError(request_id)


async def read_events(response: httpx.Response) -> AsyncGenerator[str]:
    """The data of each event of the stream, without the empty ones that keep it open."""
    async for line in response.aiter_lines():
        if line.startswith("data:") and (text := line.removeprefix("data:").strip()):
            yield text


@asynccontextmanager
async def raw_http_client(
    origin: str, kind: Kind, headers: Mapping[str, str], *, capabilities: Json | None = None
) -> AsyncGenerator[RawHttpClient]:
    """A client after its handshake."""
    async with httpx.AsyncClient(
        base_url=origin, headers=headers, timeout=60, trust_env=False
    ) as http:
        client = RawHttpClient(http, kind, capabilities or {})
        if kind != "sse":
            await client.initialize()
            yield client
            return
        async with http.stream("GET", "/sse") as response:
            client.events = read_events(response)
            client.url = await anext(client.events)
            await client.initialize()
            yield client
