"""A light client of Streamable HTTP and SSE: asyncio streams, and no more parsing than is needed.

The SDK's client takes more of the machine than the server does; a hundred of them would measure
themselves.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

REVISION: Final = "2025-11-25"
INITIALIZE: Final = {
    "protocolVersion": REVISION,
    "capabilities": {},
    "clientInfo": {"name": "load", "version": "1"},
}
MAX_LINE: Final = 8_000_000


@dataclass(frozen=True)
class Response:
    """One response: its status, its headers in lower case, and its JSON, whatever the form."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def message(self) -> dict[str, Any]:
        """The JSON-RPC message; the last of an event stream."""
        text = self.body
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            text = [line[5:] for line in text.splitlines() if line.startswith(b"data:")][-1]
        return json.loads(text) if text.strip() else {}


@dataclass
class RawClient:
    """One keep-alive connection, and the session that was opened over it."""

    host: str
    port: int
    token: str | None = None
    path: str = "/mcp"
    session_id: str | None = None
    """None before the handshake, and with a server that keeps no sessions."""
    revision: str | None = None
    next_id: int = 0
    _reader: asyncio.StreamReader | None = field(default=None, repr=False)
    _writer: asyncio.StreamWriter | None = field(default=None, repr=False)

    async def initialize(self) -> Response:
        """Open a session; returns the response to `initialize`."""
        response = await self.request("initialize", INITIALIZE)
        self.session_id = response.headers.get("mcp-session-id")
        self.revision = REVISION
        if self.session_id:
            await self.notify("notifications/initialized")
        return response

    async def call(self, tool: str, **arguments: object) -> Response:
        return await self.request("tools/call", {"name": tool, "arguments": arguments})

    async def request(self, method: str, params: Mapping[str, Any]) -> Response:
        self.next_id += 1
        return await self._post({"id": self.next_id, "method": method, "params": params})

    async def notify(self, method: str) -> Response:
        return await self._post({"method": method})

    async def get(self) -> Response:
        await self._send("GET", self.path, b"")
        return await self._read()

    async def delete(self) -> Response:
        """End the session."""
        await self._send("DELETE", self.path, b"")
        return await self._read()

    async def open_stream(self, path: str | None = None) -> Response:
        """Begin a GET whose response is an event stream; what comes is left unread."""
        await self._send("GET", path or self.path, b"")
        return await self._read(until_end=False)

    async def read_line(self) -> bytes:
        assert self._reader is not None
        return await self._reader.readline()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _post(self, members: Mapping[str, Any]) -> Response:
        body = json.dumps({"jsonrpc": "2.0", **members}).encode()
        for attempt in (1, 2):
            try:
                await self._send("POST", self.path, body)
                return await self._read()
            except (ConnectionError, asyncio.IncompleteReadError):
                # The server may close a connection that was idle, before it reads the request.
                reused = self.next_id > 1 and attempt == 1
                self.close()
                if not reused:
                    raise
        raise AssertionError

    async def _send(self, method: str, path: str, body: bytes) -> None:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                self.host, self.port, limit=MAX_LINE
            )
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            "Accept: application/json, text/event-stream",
        ]
        if self.token:
            head.append(f"Authorization: Bearer {self.token}")
        if self.session_id:
            head.append(f"Mcp-Session-Id: {self.session_id}")
        if self.revision:
            head.append(f"MCP-Protocol-Version: {self.revision}")
        if method == "POST":
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        self._writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await self._writer.drain()

    async def _read(self, *, until_end: bool = True) -> Response:
        assert self._reader is not None
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in head[1:] if line]
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        status, body = int(head[0].split()[1]), b""
        if until_end and "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        elif until_end and headers.get("transfer-encoding") == "chunked":
            body = await self._read_chunks()
        if headers.get("connection") == "close" and until_end:
            self.close()
        return Response(status, headers, body)

    async def _read_chunks(self) -> bytes:
        assert self._reader is not None
        body = bytearray()
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return bytes(body)
