"""Starts what a host is configured to start, greets it, and ends it. Calls no tool."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp.client.stdio import get_default_environment

from geekai_video_mcp import __version__
from geekai_video_mcp.cli.hosts import Launch
from geekai_video_mcp.errors import describe_os_error
from geekai_video_mcp.quoting import quote, sanitize
from geekai_video_mcp.server import NAME

START_SECONDS: Final = 10.0
"""Seconds to the answer; Codex waits ten before it goes on without a server."""
STOP_SECONDS: Final = 2.0
MAX_LINE_BYTES: Final = 1024 * 1024
MAX_LINES: Final = 20
"""Messages before the response to `initialize`."""
_INITIALIZE: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "geekai-video-mcp doctor", "version": __version__},
    },
}


@dataclass(frozen=True)
class Started:
    """What the configured command has answered."""

    version: str | None = None
    """The version of this server that it says it is."""
    problem: str | None = None
    """Why it is not this server, as the rest of a sentence that begins with the command."""


async def start_launch(launch: Launch) -> Started:
    """Start the command as a host does, and ask who it is.

    It has the variables that a host passes on, those of its entry, and a state folder of its own:
    a server goes on with unfinished tasks when it starts, which is no part of a check.
    """
    try:
        with (
            tempfile.TemporaryDirectory(prefix="geekai-", ignore_cleanup_errors=True) as folder,
            (Path(folder) / "stderr.log").open("w+b") as errors,
        ):
            env = {**get_default_environment(), **launch.env, "GEEKAI_STATE_DIR": folder}
            return await _start(launch, env, errors)
    except OSError as exc:
        reason = describe_os_error(exc)
        return Started(problem=f"was not started, for want of a temporary folder: {reason}")


async def _start(launch: Launch, env: dict[str, str], errors: IO[bytes]) -> Started:
    try:
        async with _open(launch, env, errors) as process:
            return await _greet(process, errors)
    except OSError as exc:
        return Started(problem=f"cannot be started: {describe_os_error(exc)}")
    except ValueError:  # a NUL character
        return Started(problem="cannot be started: it is not a valid command")


@asynccontextmanager
async def _open(launch: Launch, env: dict[str, str], errors: IO[bytes]) -> AsyncGenerator[Process]:
    process = await anyio.open_process(
        [launch.command, *launch.args],
        stderr=errors,
        env=env,
        # A group of its own, so that what it starts ends with it, and Ctrl-C is ours.
        start_new_session=sys.platform != "win32",
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _greet(process: Process, errors: IO[bytes]) -> Started:
    with anyio.move_on_after(START_SECONDS):
        try:
            assert process.stdin is not None  # noqa: S101 - opened with a pipe
            await process.stdin.send(json.dumps(_INITIALIZE).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass  # it has ended: what it said is read below
        return await _read_answer(process, errors)
    said = _last_words(errors)
    return Started(problem=f"did not answer within {START_SECONDS:.0f} s{said}")


async def _read_answer(process: Process, errors: IO[bytes]) -> Started:
    assert process.stdout is not None  # noqa: S101 - opened with a pipe
    lines = BufferedByteReceiveStream(process.stdout)
    for _ in range(MAX_LINES):
        try:
            line = await lines.receive_until(b"\n", MAX_LINE_BYTES)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            status = await process.wait()
            return Started(problem=f"ended with status {status}{_last_words(errors)}")
        except anyio.DelimiterNotFound:
            break
        message = _parse(line)
        if message is None:
            text = quote(line.decode(errors="replace"), limit=80)
            return Started(problem=f"writes what is not MCP to its output: {text}")
        if message.get("id") == 1:
            return _judge(message)
    return Started(problem="does not answer as an MCP server")


def _judge(message: dict[str, Any]) -> Started:
    result = message.get("result")
    info = cast("dict[str, Any]", result).get("serverInfo") if isinstance(result, dict) else None
    if not isinstance(info, dict):
        return Started(problem="refuses to initialize")
    name, version = (str(cast("dict[str, Any]", info).get(key, "")) for key in ("name", "version"))
    if name != NAME:
        return Started(problem=f"starts another server, {quote(name, limit=64)}")
    return Started(version=sanitize(version, limit=40))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        message: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or "jsonrpc" not in message:
        return None
    return cast("dict[str, Any]", message)


def _last_words(errors: IO[bytes]) -> str:
    """What it wrote to stderr at the end, as the rest of a sentence."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 4000))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return f" and said {quote(lines[-1])}" if lines else " and said nothing"


async def _end(process: Process) -> None:
    """End the process and what it has started."""
    _signal_group(process, kill=False)
    with anyio.move_on_after(STOP_SECONDS):
        await process.wait()
    _signal_group(process, kill=True)
    await process.aclose()


def _signal_group(process: Process, *, kill: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            if process.returncode is None:
                subprocess.run(  # noqa: S603 - a number
                    ["taskkill", "/F", "/T", "/PID", str(process.pid)],  # noqa: S607
                    capture_output=True,
                    check=False,
                )
        else:
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
