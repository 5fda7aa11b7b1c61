"""The server as a real process: with the SDK's client over stdio, or line by line."""

import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.session import ListRootsFnT
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support.world import Era

MODULE = [sys.executable, "-m", "geekai_video_mcp"]
SERVE: Final = ("serve", "--transport", "http", "--port", "0")
"""The command of a server over HTTP, on a free port."""
SMALL: Final = {"size": "320x180", "duration": 1, "fps": 12}
"""Arguments of a video that the sandbox renders in a moment."""


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """A server's environment: no key, its folders in *folder*, no inherited settings of ours.

    Nor the width of a terminal, which pytest's workers have in their environment.
    """
    ours = ("GEEKAI_", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
        "GEEKAI_STATE_DIR": str(folder / "state"),
        "GEEKAI_SETTINGS_FILE": os.devnull,  # never the file of whoever runs the tests
        **settings,
    }


@asynccontextmanager
async def stdio(
    folder: Path,
    *,
    era: Era | Literal["2026-07-28"] = "auto",
    settings: Mapping[str, str] | None = None,
    list_roots: ListRootsFnT | None = None,
) -> AsyncGenerator[Client]:
    """The SDK's client of a new server process."""
    parameters = StdioServerParameters(
        command=MODULE[0], args=MODULE[1:], env=environment(folder, **(settings or {}))
    )
    async with Client(stdio_client(parameters), mode=era, list_roots_callback=list_roots) as client:
        yield client


@dataclass
class StdioServer:
    """A server process that a test exchanges single lines with, valid or not."""

    process: Process
    reader: BufferedByteReceiveStream
    next_id: int = 0
    other_messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def request(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Send a request; returns its response and keeps other messages in `other_messages`."""
        self.next_id += 1
        await self.send_message(id=self.next_id, method=method, params=params)
        while (answer := await self.receive()).get("id") != self.next_id:
            self.other_messages.append(answer)
        return answer

    async def initialize(self, capabilities: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make the older handshake; returns its response."""
        answer = await self.request(
            "initialize",
            protocolVersion="2025-11-25",
            capabilities=dict(capabilities or {}),
            clientInfo={"name": "line", "version": "1"},
        )
        await self.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return answer

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """The result of a tool call."""
        answer = await self.request("tools/call", name=tool, arguments=arguments)
        return answer["result"]

    async def send_message(self, **members: Any) -> None:  # noqa: ANN401 - JSON
        """Send a request, a response or a notification without waiting for anything."""
        await self.send(json.dumps({"jsonrpc": "2.0", **members}).encode())

    async def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(line + b"\n")

    async def receive(self) -> dict[str, Any]:
        with anyio.fail_after(60):
            return json.loads(await self.reader.receive_until(b"\n", 10_000_000))

    async def close(self) -> int:
        """Close stdin, as when the host exits; returns the exit status."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        with anyio.fail_after(20):
            return await self.process.wait()

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def running_server(
    folder: Path, *options: str, **settings: str
) -> AsyncGenerator[StdioServer]:
    """Run a new server process, after the handshake."""
    async with new_server(folder, *options, **settings) as server:
        await server.initialize()
        yield server


@asynccontextmanager
async def new_server(
    folder: Path, *options: str, program: str | None = None, **settings: str
) -> AsyncGenerator[StdioServer]:
    """Run a new server process without a handshake; *program* is code that starts it instead."""
    env = environment(folder, **settings)
    start = ["-c", program] if program else MODULE[1:]
    command = [MODULE[0], *options, *start]
    with (folder / "stderr.log").open("ab") as stderr:
        async with await anyio.open_process(command, env=env, stderr=stderr) as process:
            assert process.stdout is not None
            try:
                yield StdioServer(process, BufferedByteReceiveStream(process.stdout))
            finally:
                if process.returncode is None:
                    process.kill()


@asynccontextmanager
async def http_server(folder: Path, *command: str, **settings: str) -> AsyncGenerator[str]:
    """Run a command that serves HTTP; yields the origin that it prints.

    Its later stderr is in stderr.log once it has ended.
    """
    async with http_process(folder, *command, **settings) as (origin, process):
        try:
            yield origin
        finally:
            process.terminate()


@asynccontextmanager
async def http_process(
    folder: Path, *command: str, **settings: str
) -> AsyncGenerator[tuple[str, Process]]:
    """The same with the process, which the test has to end."""
    env = environment(folder, **settings)
    async with await anyio.open_process([*MODULE, *command], env=env) as process:
        assert process.stderr is not None
        reader = BufferedByteReceiveStream(process.stderr)
        try:
            with anyio.fail_after(30):
                first_line = (await reader.receive_until(b"\n", 10_000)).decode()
            match = re.search(r"http://[^/\s]+", first_line)
            assert match, first_line
            yield match[0], process
            with anyio.fail_after(20):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            rest = [chunk async for chunk in reader]
            (folder / "stderr.log").write_bytes(b"".join(rest))


def token_header(folder: Path) -> dict[str, str]:
    """What a client has to send to a server with a key whose folders are in *folder*.

    Empty without a token: a server without a key asks for none.
    """
    path = folder / "state" / "http-token"
    return {"Authorization": f"Bearer {path.read_text('utf-8').strip()}"} if path.exists() else {}


@asynccontextmanager
async def http_client(
    url: str,
    *,
    headers: Mapping[str, str],
    era: Era | Literal["2026-07-28"] = "auto",
    list_roots: ListRootsFnT | None = None,
) -> AsyncGenerator[Client]:
    """The SDK's client of a running server: over SSE if the path is /sse."""
    if url.endswith("/sse"):
        async with Client(
            sse_client(url, headers=dict(headers)), mode=era, list_roots_callback=list_roots
        ) as client:
            yield client
        return
    async with (
        create_mcp_http_client(headers=dict(headers)) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=era,
            list_roots_callback=list_roots,
        ) as client,
    ):
        yield client


async def run_cli(folder: Path, *command: str, **settings: str) -> tuple[int, str, str]:
    """Run a command to its end; returns (exit status, stdout, stderr)."""
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [*MODULE, *command], env=environment(folder, **settings), check=False
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def descendants_naming(text: str) -> list[str]:
    """Command lines of live processes that contain *text*; empty without /proc."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words and path.parent.name != str(os.getpid()):
            found.append(words)
    return found


def children_running(module: str, *, of: int | None = None) -> list[Path]:
    """The /proc folders of the children that run *module*, of this process or of another one.

    Empty without /proc.
    """
    found, wanted = list[Path](), os.getpid() if of is None else of
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            parent = int((path / "stat").read_text("utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
        if module.encode() in words and parent == wanted:
            found.append(path)
    return found
