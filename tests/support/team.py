"""A real server for a team in this process, the service behind it, and a client of each tenant."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from geekai_video_mcp.server.build import build_server
from support.clips import make_clip
from support.provider import Provider, running_provider
from support.raw_http import Json, Kind, RawHttpClient, raw_http_client
from support.team_server import TeamServer, team_server

TASKS: Final[Json] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


@dataclass
class Team:
    """A server, the service behind it, and a client of each tenant."""

    server: TeamServer
    service: Provider
    clients: dict[str, RawHttpClient]
    tokens: dict[str, str]


@asynccontextmanager
async def running_team(
    folder: Path, kind: Kind, *, capabilities: Json = TASKS, **variables: str
) -> AsyncGenerator[Team]:
    """A server with one key for all, and the tenants alice and bob."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running_provider())
        service.file = make_clip()
        server = await stack.enter_async_context(
            team_server(folder, variables={**service.settings, **variables}, build=build_server)
        )
        tokens = {name: server.add(name) for name in ("alice", "bob")}
        clients = {
            name: await stack.enter_async_context(
                raw_http_client(server.origin, kind, bearer(token), capabilities=capabilities)
            )
            for name, token in tokens.items()
        }
        yield Team(server, service, clients, tokens)


def bearer(token: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **headers}


async def make_video(client: RawHttpClient, prompt: str) -> str:
    """The id of a finished task."""
    made = await client.call("generate_video", prompt=prompt)
    task_id = made.get("taskId") or made["structuredContent"]["task_id"]
    done = await client.call("get_video_task", task_id=task_id, wait_seconds=30)
    assert done["structuredContent"]["file"], done
    return task_id
