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
_META: Final = "io.modelcontextprotocol/"
_ACCEPT: Final = {"Accept": "application/json, text/event-stream"}


@dataclass
class Speaker:
    """Says what it is told to, with the id that it is told to, and returns the response's text."""

    http: httpx.AsyncClient
    kind: Kind
    capabilities: Json
    url: str = "/mcp"
    session: str | None = None
    coming: AsyncIterator[str] | None = None

    async def ask(self, method: str, params: Json | None = None, *, request_id: int = 7) -> str:
        """The text of the response, as it came."""
        message = self._message(method, params or {}, request_id)
        with anyio.fail_after(60):
            if self.coming is not None:
                (await self.http.post(self.url, json=message)).raise_for_status()
                return await self._response(self.coming, request_id)
            async with self.stream(message) as response:
                if response.headers["Content-Type"].startswith("application/json"):
                    return (await response.aread()).decode()
                return await self._response(events(response), request_id)

    async def call(self, tool: str, *, request_id: int = 7, **arguments: Any) -> Json:  # noqa: ANN401 - JSON
        """The result of a tool."""
        params = {"name": tool, "arguments": arguments}
        return json.loads(await self.ask("tools/call", params, request_id=request_id))["result"]

    async def begin(self) -> None:
        """The handshake, where there is one."""
        if self.kind == "modern":
            return
        hello = {
            "protocolVersion": OLDER,
            "capabilities": self.capabilities,
            "clientInfo": {"name": "raw", "version": "1"},
        }
        message = self._message("initialize", hello, 0)
        if self.coming is not None:
            await self.http.post(self.url, json=message)
            await self._response(self.coming, 0)
        else:
            async with self.stream(message) as response:
                self.session = response.headers.get("Mcp-Session-Id")
                await response.aread()
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def post(self, message: Json, **headers: str) -> httpx.Response:
        """The HTTP response to one message."""
        given = {**self._headers(message), **headers}
        return await self.http.post(self.url, json=message, headers=given)

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
            yield events(response)

    def _message(self, method: str, params: Json, request_id: int) -> Json:
        if self.kind == "modern":
            meta = {
                f"{_META}protocolVersion": MODERN,
                f"{_META}clientCapabilities": self.capabilities,
                f"{_META}clientInfo": {"name": "raw", "version": "1"},
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
        if self.session:
            return {**_ACCEPT, "MCP-Protocol-Version": OLDER, "Mcp-Session-Id": self.session}
        return dict(_ACCEPT)

    async def _response(self, coming: AsyncIterator[str], request_id: int) -> str:
        async for text in coming:
            said: Json = json.loads(text)
            if said.get("id") == request_id and "method" not in said:
                return text
        raise AssertionError(request_id)


async def events(response: httpx.Response) -> AsyncGenerator[str]:
    async for row in response.aiter_lines():
        if row.startswith("data:") and (text := row.removeprefix("data:").strip()):
            yield text


@asynccontextmanager
async def speaker(
    origin: str, kind: Kind, headers: Mapping[str, str], *, capabilities: Json | None = None
) -> AsyncGenerator[Speaker]:
    """A client after its handshake."""
    async with httpx.AsyncClient(
        base_url=origin, headers=headers, timeout=60, trust_env=False
    ) as http:
        said = Speaker(http, kind, capabilities or {})
        if kind != "sse":
            await said.begin()
            yield said
            return
        async with http.stream("GET", "/sse") as response:
            said.coming = events(response)
            said.url = await anext(said.coming)
            await said.begin()
            yield said
