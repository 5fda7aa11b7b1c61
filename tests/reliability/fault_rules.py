"""What can go wrong between a request and its answer, told to a socket.

The one place that knows the names of faults; `faults` says what must come of each.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

CHUNK: Final = 32 * 1024
"""Bytes read at a time."""


class Gone(Exception):
    """This connection is over, by our own doing."""


@dataclass
class Request:
    """One request, and the way back to whoever sent it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader

    async def reply(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, announced: int = 0
    ) -> None:
        """Answer; *announced* is the length to claim where it is not the body's own."""
        all_headers = {
            "Content-Type": "application/json",
            "Content-Length": str(announced or len(body)),
            **(headers or {}),
        }
        await self.head(status, all_headers)
        await self.send(body)

    async def head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Said", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode())

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hang(self) -> None:
        """Say nothing more until the other side has had enough."""
        while await self.reader.read(CHUNK):
            pass
        raise Gone


def to_json(**fields: object) -> bytes:
    """A body as the service writes it."""
    return json.dumps(fields).encode()


async def spoil(request: Request, fault: str, *, partial: bytes) -> bool:
    """Let it go wrong; True if the honest answer is to follow."""
    name, _, detail = fault.partition(":")
    if name == "late":
        await asyncio.sleep(float(detail))
    if name in {"late", "then_close"}:
        return True
    await FAULTS[name](request, detail, partial)
    return False


async def _rst(request: Request, _detail: str, _partial: bytes) -> None:
    _reset(request.writer)


async def _fin(request: Request, _detail: str, _partial: bytes) -> None:
    del request
    raise Gone


async def _silence(request: Request, _detail: str, _partial: bytes) -> None:
    await request.hang()


async def _half(request: Request, _detail: str, _partial: bytes) -> None:
    await request.head(200, {"Content-Type": "application/json", "Content-Length": "100"})
    await request.hang()


async def _short(request: Request, _detail: str, partial: bytes) -> None:
    await request.reply(200, partial[: len(partial) // 2], announced=len(partial))
    raise Gone


async def _garbage(request: Request, _detail: str, _partial: bytes) -> None:
    await request.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n" * 4)
    raise Gone


async def _huge_header(request: Request, _detail: str, _partial: bytes) -> None:
    await request.head(200, {"X-Huge": "x" * 2_000_000, "Content-Length": "0"})
    raise Gone


async def _status(request: Request, detail: str, _partial: bytes) -> None:
    said = to_json(error={"code": f"c{detail}", "message": "as the test asked"})
    await request.reply(int(detail), said)


async def _limited(request: Request, detail: str, _partial: bytes) -> None:
    said = to_json(error={"code": "rate_limited", "message": "slower"})
    await request.reply(429, said, {"Retry-After": detail})


async def _redirect(request: Request, detail: str, _partial: bytes) -> None:
    await request.reply(int(detail), b"", {"Location": request.path})


async def _not_json(request: Request, _detail: str, _partial: bytes) -> None:
    await request.reply(200, b"<html>welcome to this network</html>")


async def _nameless(request: Request, _detail: str, _partial: bytes) -> None:
    await request.reply(200, b'{"model": "m"}')


FAULTS: Final[dict[str, Callable[[Request, str, bytes], Awaitable[None]]]] = {
    "rst": _rst,
    "fin": _fin,
    "silence": _silence,
    "half": _half,
    "short": _short,
    "garbage": _garbage,
    "huge_header": _huge_header,
    "status": _status,
    "limited": _limited,
    "redirect": _redirect,
    "not_json": _not_json,
    "nameless": _nameless,
}
"""What can go wrong with an answer, once the request was read and paid for."""


async def _fin_on_accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _rst_on_accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _reset(writer)


async def _rst_half_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(16)
    _reset(writer)


async def _fin_half_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(16)
    writer.close()


async def _never_reads(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    await asyncio.sleep(3600)


ON_ACCEPT: Final[
    dict[str, Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]]
] = {
    "fin_on_accept": _fin_on_accept,
    "rst_on_accept": _rst_on_accept,
    "rst_half_way": _rst_half_way,
    "fin_half_way": _fin_half_way,
    "never_reads": _never_reads,
}
"""What can go wrong with a connection before its request was read: nothing is charged."""


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection by RST: what was sent and not read is thrown away."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise Gone
