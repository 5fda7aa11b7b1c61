"""A server for a team in this process, on a real port, and who it takes a caller for."""

import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp.server.mcpserver import Context, MCPServer

from geekai_video_mcp.cli.http import prepare_http
from geekai_video_mcp.cli.serve import build_parser
from geekai_video_mcp.config import Settings
from geekai_video_mcp.config.write_tokens import add_token
from geekai_video_mcp.server.build import OpenSource
from geekai_video_mcp.server.http.listener import server_config
from geekai_video_mcp.server.http.principals import principal_of
from geekai_video_mcp.server.http.public_url import PUBLIC_URL
from geekai_video_mcp.server.late_app import AppSource
from support.handshake import HELLO
from support.process import http_client
from support.serving import serving

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@dataclass
class TeamServer:
    """A running server."""

    settings: Settings
    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, name: str, tenant: str | None = None, **members: str | int | float) -> str:
        """A new token of the running server."""
        return add_token(self.settings, name, tenant or name, members).token

    async def post(
        self, token: str | None = None, *, path: str = "/mcp", **headers: str
    ) -> httpx.Response:
        """The response to the first request of a client with this token."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            return await client.post(self.origin + path, json=HELLO, headers=given)

    async def exchange_headers(self, *headers: tuple[str, str]) -> int:
        """The status of a request with these headers, which may repeat a name."""
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            answer = await client.post(f"{self.origin}/mcp", json=HELLO, headers=list(headers))
        return answer.status_code

    async def get(self, path: str, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            return await client.get(self.origin + path, headers=given)

    async def status_of(self, token: str | None = None, **headers: str) -> int:
        return (await self.post(token, **headers)).status_code

    async def who_is(
        self, token: str | None = None, *, path: str = "/mcp", **headers: str
    ) -> dict[str, str]:
        """Who the server takes this caller for, as the handler of a tool sees it."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        async with http_client(self.origin + path, headers=given) as client:
            result = await client.call_tool("who_am_i", {})
        content: Any = result.content[0]
        return json.loads(content.text)


@asynccontextmanager
async def team_server(
    folder: Path,
    *options: str,
    variables: Mapping[str, str] | None = None,
    build: Callable[..., MCPServer[Any]] | None = None,
    send_buffer_bytes: int | None = None,
) -> AsyncGenerator[TeamServer]:
    """Run `serve` with these options and variables on a free port while the block lasts.

    Without *build*, what is served is one tool alone, which names its caller. The system's buffer
    for what is sent on a connection grows to megabytes without *send_buffer_bytes*.
    """
    often = {"GEEKAI_MAX_CALLS_PER_MINUTE": "99999"}
    settings = team_settings(folder, **{**often, **(variables or {})})
    arguments = build_parser("serve").parse_args(["--transport", "http", "--port", "0", *options])
    app, listener, _ = prepare_http(arguments, settings, build=build or _probe)
    if send_buffer_bytes is not None:  # which connections take over from their listener
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    async with serving(server_config(app), listener):
        yield TeamServer(settings, listener.getsockname()[1])


def team_settings(folder: Path, **variables: str) -> Settings:
    """The settings of a server with its folders in *folder*."""
    return Settings.from_env(
        {
            "GEEKAI_STATE_DIR": f"{folder}/state",
            "GEEKAI_OUTPUT_DIR": f"{folder}/videos",
            **variables,
        }
    )


def _probe(open_source: OpenSource, **_: object) -> MCPServer[AppSource]:
    """A server with one tool, which says who calls it."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[AppSource]) -> AsyncGenerator[AppSource]:
        async with open_source() as source:
            assert isinstance(source, AppSource)
            yield source

    async def who_am_i(ctx: Context[AppSource]) -> str:
        request: Any = ctx.request_context.request
        principal = principal_of(request)
        key = principal.key.get_secret_value() if principal.key else ""
        seen = {"tenant": principal.tenant, "key": key, "url": PUBLIC_URL.get("")}
        return json.dumps(seen)

    server = MCPServer("probe", lifespan=lifespan, log_level="WARNING")
    server.add_tool(who_am_i, structured_output=False)
    return server
