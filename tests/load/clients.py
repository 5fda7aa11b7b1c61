"""Clients as teams have them: each opens a session, makes a video, looks at it, and leaves."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from load.figures import Timings
from load.raw_client import RawClient, Response
from load.server import LoadedServer

MODEL: Final = "cogvideox-3"
MAX_SECONDS: Final = 60.0


@dataclass
class Clients:
    """As many clients as are started, against one server."""

    server: LoadedServer
    pause: float = 1.0
    """Seconds between two calls of one client."""
    timings: Timings = field(default_factory=Timings)
    generated: dict[str, str] = field(default_factory=dict[str, str])
    """The task of each request that was answered with one, by its number."""
    stopping: bool = False
    stateless: bool = False
    """Whether the server keeps no sessions, because any of several serves any request."""
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    """Of the requests for videos: each has another one."""

    async def run(self, count: int, seconds: float) -> None:
        """Run *count* clients for *seconds*."""
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self._run_client(number, seconds, count))
            group.create_task(self.watch_health(seconds))

    async def watch_health(self, seconds: float) -> None:
        """Ask for /health ten times a second: how long the event loop of the server is busy."""
        client = RawClient("127.0.0.1", self.server.port, path="/health")
        end = self.timings.started + seconds
        while asyncio.get_running_loop().time() < end and not self.stopping:
            with self.timings.measure("/health"):
                await client.get()
            await asyncio.sleep(0.1)
        client.close()

    async def _run_client(self, number: int, seconds: float, count: int) -> None:
        tokens = self.server.tokens
        token = tokens[number % len(tokens)]
        await asyncio.sleep(self.pause * number / count)  # people do not all begin at once
        end = self.timings.started + seconds
        loop = asyncio.get_running_loop()
        while loop.time() < end and not self.stopping:
            client = RawClient("127.0.0.1", self.server.port, token=token)
            try:
                await self._run_session(client)
            except (OSError, EOFError, TimeoutError, ValueError) as exc:
                if not self.stopping:
                    self.timings.errors[type(exc).__name__] += 1
                await asyncio.sleep(self.pause)
            finally:
                client.close()

    async def _run_session(self, client: RawClient) -> None:
        """From the handshake to the end of the session."""
        await self._time("initialize", client.initialize)
        if client.session_id is None and not self.stateless:
            return
        await self._time("tools/list", lambda: client.request("tools/list", {}))
        request = next(self.numbers)
        made = await self._call(
            client, "generate_video", prompt=f"A lighthouse, take #{request}#", model=MODEL
        )
        if task_id := made.get("task_id"):
            self.generated[str(request)] = task_id
            await self._call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        await self._call(client, "list_video_tasks", limit=5)
        if client.session_id is not None:
            await self._time("end of the session", client.delete)

    async def _call(self, client: RawClient, tool: str, **arguments: object) -> dict[str, Any]:
        """The structured content of the tool's result; empty if it has none."""
        response = await self._time(tool, lambda: client.call(tool, **arguments))
        if response is None:
            return {}
        message = response.message()
        result = message.get("result", {})
        if "error" in message or result.get("isError"):
            text = json.dumps(message.get("error") or result.get("content"))[:300]
            self.timings.errors[f"{tool}: {text}"] += 1
        return result.get("structuredContent") or {}

    async def _time(self, kind: str, send: Callable[[], Awaitable[Response]]) -> Response | None:
        """Send a request, and again as often as the server says later; then pause."""
        while not self.stopping:
            async with asyncio.timeout(MAX_SECONDS):
                with self.timings.measure(kind):
                    response = await send()
            if response.status != HTTPStatus.TOO_MANY_REQUESTS:
                break
            self.timings.refused[kind] += 1
            self.timings.seconds["429"].append(self.timings.seconds[kind].pop())
            await asyncio.sleep(int(response.headers["retry-after"]))
        else:
            return None
        if response.status not in {200, 202}:
            self.timings.errors[f"{kind}: HTTP {response.status}"] += 1
            return None
        await asyncio.sleep(self.pause)
        return response
