"""Servers as real processes that are attacked or loaded: over stdio, and over HTTP.

A request is bytes, so that it may be anything. What a server writes to stderr is kept, and its
memory, descriptors and threads are read from /proc.
"""

import json
import os
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from support.process import MODULE, environment

MAX_LINE: Final = 64_000_000
"""Bytes of one line that is read from a server."""
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
REVISION: Final = "2025-11-25"
INITIALIZE: Final[Mapping[str, Any]] = {
    "protocolVersion": REVISION,
    "capabilities": {},
    "clientInfo": {"name": "reliability", "version": "1"},
}
FREE_AT_ONCE: Final = {"MALLOC_MMAP_THRESHOLD_": "1000000"}
"""Setting of a server whose memory is compared: glibc returns large blocks when they are freed,
and does not keep a hundred megabytes after a few messages of 24 MB."""
Message = dict[str, Any]
OnMessage = Callable[[str], None]


@dataclass(frozen=True)
class Usage:
    """What a process uses now."""

    rss_mb: float
    peak_mb: float
    descriptors: int
    threads: int


def usage_of(pid: int) -> Usage:
    """Read from /proc; zeros where there is none."""
    folder = Path("/proc") / str(pid)
    try:
        lines = (folder / "status").read_text("utf-8").splitlines()
        descriptors = len(os.listdir(folder / "fd"))  # noqa: PTH208 - Path.iterdir opens each name
    except OSError:
        return Usage(0.0, 0.0, 0, 0)
    found = {
        name: text.split()[0]
        for name, _, text in (line.partition(":") for line in lines)
        if text.strip()
    }
    return Usage(
        rss_mb=int(found.get("VmRSS", "0")) / 1024,
        peak_mb=int(found.get("VmHWM", "0")) / 1024,
        descriptors=descriptors,
        threads=int(found.get("Threads", "0")),
    )


class NoResponse(Exception):
    """A request had no response within its time, or the server is gone."""


@dataclass
class Target(ABC):
    """One server process, and how a message is exchanged with it."""

    name: str
    process: Process
    stderr: Path
    on_message: OnMessage
    """Gets every message of the server, as text."""
    next_id: int = 0

    @property
    def usage(self) -> Usage:
        return usage_of(self.process.pid)

    @abstractmethod
    async def exchange(
        self, content: bytes, answer_to: int | str | None, *, max_seconds: float
    ) -> Message | None:
        """Send *content*; returns the response to the id *answer_to*, if that is not None.

        Raises:
            NoResponse: it did not come in time.
        """

    async def request(self, method: str, params: object, *, max_seconds: float = 60.0) -> Message:
        """Send a request; returns its response, or the error."""
        self.next_id += 1
        id_ = f"{self.name}-{self.next_id}"
        message = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        answer = await self.exchange(json.dumps(message).encode(), id_, max_seconds=max_seconds)
        return answer or {}

    async def call(
        self, tool: str, arguments: Mapping[str, Any], *, max_seconds: float = 60.0
    ) -> Message:
        """The result of a tool call, or the response if it has none."""
        params = {"name": tool, "arguments": arguments}
        answer = await self.request("tools/call", params, max_seconds=max_seconds)
        return answer.get("result", answer)


@dataclass
class StdioTarget(Target):
    """A server that is spoken to line by line."""

    waiting: dict[int | str, tuple[anyio.Event, list[Message]]] = field(
        default_factory=dict[int | str, tuple[anyio.Event, list[Message]]]
    )
    _sending: anyio.Lock = field(default_factory=anyio.Lock)

    async def exchange(
        self, content: bytes, answer_to: int | str | None, *, max_seconds: float
    ) -> Message | None:
        arrived, found = anyio.Event(), list[Message]()
        if answer_to is not None:
            self.waiting[answer_to] = (arrived, found)
        try:
            with anyio.fail_after(max_seconds):
                async with self._sending:
                    assert self.process.stdin is not None
                    await self.process.stdin.send(content + b"\n")
                if answer_to is None:
                    return None
                await arrived.wait()
        except (TimeoutError, anyio.BrokenResourceError, anyio.ClosedResourceError) as exc:
            raise NoResponse(type(exc).__name__) from exc
        finally:
            if answer_to is not None:
                self.waiting.pop(answer_to, None)
        return found[0]

    async def read(self) -> None:
        """Read its messages until it ends."""
        assert self.process.stdout is not None
        reader = BufferedByteReceiveStream(self.process.stdout)
        while True:
            try:
                line = await reader.receive_until(b"\n", MAX_LINE)
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound):
                return  # ended, or a line longer than any response: requests time out
            text = line.decode("utf-8", "backslashreplace")
            self.on_message(text)
            message = json.loads(text)
            id_ = message.get("id")
            if isinstance(id_, int | str) and id_ in self.waiting and "method" not in message:
                arrived, found = self.waiting[id_]
                found.append(message)
                arrived.set()


@dataclass
class HttpTarget(Target):
    """A server that is spoken to by POST."""

    client: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def exchange(
        self, content: bytes, answer_to: int | str | None, *, max_seconds: float
    ) -> Message | None:
        try:
            with anyio.fail_after(max_seconds):
                response = await self.client.post(
                    f"{self.url}/mcp", content=content, headers=self.headers, timeout=max_seconds
                )
        except (TimeoutError, httpx.HTTPError) as exc:
            raise NoResponse(type(exc).__name__) from exc
        if session := response.headers.get("Mcp-Session-Id"):
            self.headers["Mcp-Session-Id"] = session
        text = response.text
        self.on_message(text)
        if answer_to is None:
            return None
        lines = [line.removeprefix("data:") for line in text.splitlines() if line[:5] == "data:"]
        for part in lines or [text]:
            if part.strip().startswith("{"):
                message = json.loads(part)
                if message.get("id") == answer_to and "method" not in message:
                    return message
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return {}  # answered before the id was read
        msg = f"HTTP {response.status_code} without the response"
        raise NoResponse(msg)


@asynccontextmanager
async def stdio_target(
    folder: Path, on_message: OnMessage, *, name: str = "stdio", **settings: str
) -> AsyncGenerator[StdioTarget]:
    """A server process over stdio, after the handshake."""
    async with _started(folder, name, [], settings) as (process, stderr):
        target = StdioTarget(name, process, stderr, on_message)
        async with anyio.create_task_group() as reading:
            reading.start_soon(target.read)
            await handshake(target)
            yield target
            reading.cancel_scope.cancel()


@asynccontextmanager
async def http_target(
    folder: Path, on_message: OnMessage, *, name: str = "http", **settings: str
) -> AsyncGenerator[HttpTarget]:
    """A server process over HTTP, after the handshake."""
    options = ["serve", "--transport", "http", "--port", "0"]
    settings = {"GEEKAI_MAX_CALLS_PER_MINUTE": "1000000", **settings}
    async with _started(folder, name, options, settings) as (process, stderr):
        url = await _wait_for_url(stderr)
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            **token_header(folder / "state"),
        }
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(trust_env=False, limits=limits) as client:
            target = HttpTarget(name, process, stderr, on_message, 0, client, url, headers)
            await handshake(target)
            yield target


async def handshake(target: Target) -> None:
    """Make the handshake of 2025-11-25."""
    await target.request("initialize", INITIALIZE)
    if isinstance(target, HttpTarget):
        target.headers["MCP-Protocol-Version"] = REVISION
    ready = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    await target.exchange(ready, None, max_seconds=START_SECONDS)


def read_token(state: Path) -> str | None:
    """The token that a server over HTTP asks for; None if it asks for none."""
    path = state / "http-token"
    return path.read_text("utf-8").strip() if path.exists() else None


def token_header(state: Path) -> dict[str, str]:
    token = read_token(state)
    return {"Authorization": f"Bearer {token}"} if token else {}


async def stop(target: Target) -> int | None:
    """End the server as its host would; its exit status, or None if it had to be killed."""
    if target.process.returncode is not None:
        pass
    elif isinstance(target, StdioTarget):
        assert target.process.stdin is not None
        await target.process.stdin.aclose()
    else:
        target.process.terminate()
    with anyio.move_on_after(STOP_SECONDS):
        return await target.process.wait()
    target.process.kill()
    return None


@asynccontextmanager
async def _started(
    folder: Path, name: str, options: list[str], settings: Mapping[str, str]
) -> AsyncGenerator[tuple[Process, Path]]:
    stderr = folder / f"{name}.stderr"
    env = environment(folder, **settings)
    with stderr.open("ab") as log:
        async with await anyio.open_process(
            [*MODULE, *options], env=env, stderr=log, stdin=-1, stdout=-1
        ) as process:
            try:
                yield process, stderr
            finally:
                if process.returncode is None:
                    process.kill()


async def _wait_for_url(stderr: Path) -> str:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if found := re.search(r"http://[^/\s]+", stderr.read_text("utf-8", "replace")):
            return found[0]
        await anyio.sleep(0.05)
    msg = f"no address: {stderr.read_text('utf-8', 'replace')}"
    raise NoResponse(msg)


Work = Callable[[int], Awaitable[None]]


async def run_numbered(numbers: range, work: Work, *, in_flight: int) -> None:
    """Do *work* for each number, *in_flight* at a time."""
    remaining = iter(numbers)

    async def work_on() -> None:
        for number in remaining:
            await work(number)

    async with anyio.create_task_group() as workers:
        for _ in range(in_flight):
            workers.start_soon(work_on)


def write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
