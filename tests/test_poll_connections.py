"""Many polls at once keep their connections: a new one costs more than the poll itself."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.abc
from anyio.abc import SocketAttribute
from pydantic import SecretStr

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.provider.client import GeekAIClient
from support.fake_geekai import KEY

POLLS = 100
_BODY = b'{"task_id": "8d1f", "task_status": "running"}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)


@dataclass
class Service:
    """A service that answers once a number of polls wait for it."""

    url: str = ""
    connections: int = 0
    waiting: int = 0
    all_wait: anyio.Event = field(default_factory=anyio.Event)

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        self.connections += 1
        async with stream:
            async for _ in stream:
                self.waiting += 1
                all_wait = self.all_wait
                if self.waiting == POLLS:
                    self.waiting, self.all_wait = 0, anyio.Event()
                    all_wait.set()
                await all_wait.wait()
                await stream.send(_ANSWER)


@asynccontextmanager
async def running_service() -> AsyncGenerator[Service]:
    service = Service()
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        (port,) = {one.extra(SocketAttribute.local_port) for one in listener.listeners}  # noqa: S610 - of anyio
        service.url = f"http://127.0.0.1:{port}/api/v1"
        group.start_soon(listener.serve, service.serve)
        yield service
        group.cancel_scope.cancel()


async def test_polls_at_once_use_their_connections_again() -> None:
    statuses = list[Status]()
    async with (
        running_service() as service,
        GeekAIClient(base_url=service.url, api_key=SecretStr(KEY), polls_at_once=POLLS) as client,
    ):

        async def poll() -> None:
            statuses.append((await client.get_task(Media.VIDEO, "8d1f")).status)

        for _ in range(3):
            with anyio.fail_after(30):
                async with anyio.create_task_group() as group:
                    for _ in range(POLLS):
                        group.start_soon(poll)
        connections = service.connections

    assert statuses == [Status.RUNNING] * 3 * POLLS
    assert connections == POLLS
