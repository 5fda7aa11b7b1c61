"""A server as a real process, with tokens for as many tenants as a load needs."""

import asyncio
import hashlib
import json
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reliability.targets import FREE_AT_ONCE, Usage, usage_of
from support.process import MODULE, environment

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 60.0


@dataclass
class LoadedServer:
    """One server process, and what its clients need."""

    process: asyncio.subprocess.Process
    port: int
    tokens: tuple[str, ...]
    """One for each tenant; the server has been given their digests."""
    stderr: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def usage(self) -> Usage:
        return usage_of(self.pid)

    def cpu_seconds(self) -> float:
        """What the process has used of processors, its children's included that have ended."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    async def stop(self) -> int:
        """End it by SIGTERM; returns its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def loaded_server(
    folder: Path,
    *,
    tenants: int = 1,
    settings: Mapping[str, str] | None = None,
    tokens: tuple[str, ...] = (),
) -> AsyncGenerator[LoadedServer]:
    """Run a server with a key, whose provider is named in *settings*, and tokens of *tenants*.

    The tokens are those given, if there are any: another server's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens = tokens or tuple(secrets.token_urlsafe(32) for _ in range(tenants))
    write_tokens(folder / "state", tokens)
    env = environment(folder, **FREE_AT_ONCE, **(settings or {}))
    stderr = folder / "stderr.log"
    with stderr.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *MODULE, "serve", "--transport", "http", "--port", "0", env=env, stderr=log
        )
    try:
        server = LoadedServer(process, await _find_port(process, stderr), tokens, stderr)
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()


def write_tokens(state_dir: Path, tokens: Sequence[str]) -> None:
    """Write the tokens file as `geekai-video-mcp tokens add` does; one process for each is slow."""
    made = [
        {
            "name": f"team-{number}",
            "tenant": f"team-{number}",
            "sha256": hashlib.sha256(token.encode()).hexdigest(),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        for number, token in enumerate(tokens)
    ]
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / "tokens.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"version": 1, "tokens": made, "tenants": {}, "oauth": {}}), "utf-8")


async def _find_port(process: asyncio.subprocess.Process, stderr: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.returncode is None:
        if found := re.search(r"http://[^/\s:]+:(\d+)", stderr.read_text("utf-8")):
            return int(found[1])
        await asyncio.sleep(0.05)
    sys.stderr.write(stderr.read_text("utf-8"))
    msg = "the server did not start"
    raise AssertionError(msg)
