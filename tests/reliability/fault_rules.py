"""The faults that the provider can produce on a socket, between a request and its answer.

The names of the faults are defined here; `faults` has the expected outcome of each.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from reliability.odd_answers import ODD_ANSWERS

CHUNK: Final = 32 * 1024
"""Bytes read at a time."""


class ConnectionEnded(Exception):
    """This process has ended the connection on purpose."""


@dataclass
class Request:
    """One request, and the connection for its answer."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader

    async def reply(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, announced: int = 0
    ) -> None:
        """Send a response; *announced* is a Content-Length other than that of the body."""
        all_headers = {
            "Content-Type": "application/json",
            "Content-Length": str(announced or len(body)),
            **(headers or {}),
        }
        await self.send_head(status, all_headers)
        await self.send(body)

    async def send_head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Said", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode())

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hang(self) -> None:
        """Send nothing more until the client closes the connection."""
        while await self.reader.read(CHUNK):
            pass
        raise ConnectionEnded


def to_json(**fields: object) -> bytes:
    """A JSON body as the service writes it."""
    return json.dumps(fields).encode()


async def apply_fault(request: Request, fault: str, *, partial: bytes) -> bool:
    """Produce *fault*; True if the correct answer is to follow."""
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
    raise ConnectionEnded


async def _silence(request: Request, _detail: str, _partial: bytes) -> None:
    await request.hang()


async def _half(request: Request, _detail: str, _partial: bytes) -> None:
    await request.send_head(200, {"Content-Type": "application/json", "Content-Length": "100"})
    await request.hang()


async def _short(request: Request, _detail: str, partial: bytes) -> None:
    await request.reply(200, partial[: len(partial) // 2], announced=len(partial))
    raise ConnectionEnded


async def _garbage(request: Request, _detail: str, _partial: bytes) -> None:
    await request.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n" * 4)
    raise ConnectionEnded


async def _huge_header(request: Request, _detail: str, _partial: bytes) -> None:
    await request.send_head(200, {"X-Huge": "x" * 2_000_000, "Content-Length": "0"})
    raise ConnectionEnded


async def _status(request: Request, detail: str, _partial: bytes) -> None:
    body = to_json(error={"code": f"c{detail}", "message": "as the test asked"})
    await request.reply(int(detail), body)


async def _limited(request: Request, detail: str, _partial: bytes) -> None:
    body = to_json(error={"code": "rate_limited", "message": "slower"})
    await request.reply(429, body, {"Retry-After": detail})


async def _redirect(request: Request, detail: str, _partial: bytes) -> None:
    await request.reply(int(detail), b"", {"Location": request.path})


async def _not_json(request: Request, _detail: str, _partial: bytes) -> None:
    await request.reply(200, b"welcome to this network")


async def _nameless(request: Request, _detail: str, _partial: bytes) -> None:
    await request.reply(200, b'{"model": "m"}')


async def _odd(request: Request, detail: str, partial: bytes) -> None:
    task_id = json.loads(partial)["task_id"]
    answer = ODD_ANSWERS[detail](task_id, f"http://{request.headers['host']}/files/{task_id}.mp4")
    if answer.chunked:
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        await request.send_head(answer.status, headers)
        await request.send(b"%x\r\n%s\r\n" % (len(answer.body), answer.body))
        raise ConnectionEnded
    announced = len(answer.body) + answer.missing
    await request.reply(answer.status, answer.body, answer.headers, announced=announced)
    if answer.missing:
        raise ConnectionEnded


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
    "odd": _odd,
}
"""Faults of an answer, once the request was read and charged."""


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
"""Faults of a connection before its request was read; nothing is charged."""


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST; data that was sent and not read is discarded."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise ConnectionEnded
