"""Several server processes on one PostgreSQL, the service behind them, and clients of any."""

import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from anyio.abc import Process

from support.clips import make_clip
from support.nginx import nginx_before
from support.postgres import VARIABLE, create_database, drop_database
from support.process import http_process, run_cli
from support.provider import Provider, running_provider
from support.raw_http import Kind, RawHttpClient, raw_http_client

SERVE: Final = ("serve", "--transport", "http", "--port", "0")
COMMON: Final = {
    "GEEKAI_SECRET": "0123456789abcdef0123456789abcdef",
    "GEEKAI_TRUSTED_PROXIES": "127.0.0.1",
    "GEEKAI_ALLOWED_HOSTS": "video.example.com",
    "GEEKAI_MAX_CALLS_PER_MINUTE": "100000",
}
Shared = Literal["folders", "nothing"]
"""What replicas have in common beside the database: the state and output folders, or nothing but
the content of the tokens file."""


@dataclass
class Replica:
    """One server process."""

    origin: str
    process: Process
    folder: Path

    async def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """End it with SIGTERM; returns its exit status."""
        self.process.terminate()
        return await self.process.wait()


@dataclass
class Replicas:
    """Servers that any request may reach, and the token of a tenant whom all of them know."""

    all: list[Replica]
    service: Provider
    token: str
    database_url: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @asynccontextmanager
    async def raw_client(
        self, number: int, kind: Kind = "modern", capabilities: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[RawHttpClient]:
        """A client of one of them."""
        async with raw_http_client(
            self.all[number].origin, kind, self.headers, capabilities=dict(capabilities or {})
        ) as client:
            yield client


@asynccontextmanager
async def running_replicas(
    folder: Path, *options: str, count: int = 2, shared: Shared = "folders", **settings: str
) -> AsyncGenerator[Replicas]:
    """Run so many servers for the tenant `alice` on a new database while the block lasts."""
    async with AsyncExitStack() as stack:
        url = await create_database(os.environ[VARIABLE])
        stack.push_async_callback(drop_database, url)
        service = await stack.enter_async_context(running_provider())
        service.file = make_clip()
        given = {**service.settings, "GEEKAI_DATABASE_URL": url, **COMMON, **settings}
        _, token, _ = await run_cli(folder, "tokens", "add", "alice", "--raw")
        tokens = (folder / "state" / "tokens.json").read_bytes()
        replicas = list[Replica]()
        for number in range(count):
            own = folder / f"replica-{number}"
            own.mkdir()
            state = (own if shared == "nothing" else folder) / "state"
            output = (own if shared == "nothing" else folder) / "videos"
            if shared == "nothing":
                state.mkdir(mode=0o700)
                (state / "tokens.json").touch(mode=0o600)
                (state / "tokens.json").write_bytes(tokens)
            folders = {"GEEKAI_STATE_DIR": str(state), "GEEKAI_OUTPUT_DIR": str(output)}
            origin, process = await stack.enter_async_context(
                http_process(own, *(options or SERVE), **given, **folders)
            )
            stack.callback(_terminate, process)
            replicas.append(Replica(origin, process, own))
        yield Replicas(replicas, service, token.strip(), url)


@asynccontextmanager
async def behind_nginx(replicas: Replicas, folder: Path) -> AsyncGenerator[tuple[str, Path]]:
    """Run nginx before all of them; yields its URL and its certificate."""
    origins = [each.origin for each in replicas.all]
    with nginx_before(origins, folder / "nginx", at_root=False) as found:
        yield found


def requests_of(folder: Path) -> dict[str, int]:
    """How many requests nginx has passed on to each server."""
    counts = dict[str, int]()
    for line in (folder / "nginx" / "access.log").read_text("utf-8").splitlines():
        server = line.rpartition(" ")[2]
        counts[server] = counts.get(server, 0) + 1
    return counts


def trusting(certificate: Path) -> httpx.AsyncClient:
    """A client of nginx."""
    return httpx.AsyncClient(verify=ssl.create_default_context(cafile=certificate), timeout=60)


def _terminate(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
