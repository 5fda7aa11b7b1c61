"""A server of two tenants that is killed: what they have paid for is finished by the next one."""

import json
import os
import re
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import pytest
from anyio.abc import Process

from geekai_video_mcp.config.write_tokens import add_token
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import Task
from support.clips import make_clip
from support.ledgers import open_ledger
from support.process import MODULE, SERVE, environment
from support.provider import HELD_PREFIX, running_provider
from support.raw_http import raw_http_client
from support.team import bearer
from support.team_server import team_settings

CLIENT_KEY: Final = "sk-the-key-of-a-client-alone"


@dataclass
class Running:
    origin: str
    process: Process

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def running(folder: Path, log: Path, **settings: str) -> AsyncGenerator[Running]:
    with log.open("wb") as stderr:
        async with await anyio.open_process(
            [*MODULE, *SERVE], env=environment(folder, **settings), stderr=stderr
        ) as process:
            try:
                yield Running(await find_origin(log), process)
            finally:
                if process.returncode is None:
                    process.kill()


async def find_origin(log: Path) -> str:
    """The address that the server prints."""
    with anyio.fail_after(30):
        while not (found := re.search(r"http://[^/\s]+", log.read_text("utf-8"))):  # noqa: ASYNC110 - a file
            await anyio.sleep(0.05)
    return found[0]


async def read_tasks(folder: Path, tenant: str) -> list[Task]:
    async with open_ledger(folder / "state") as ledger:
        return await ledger.of_tenant(tenant).list_tasks(limit=10)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_a_killed_servers_tenants_get_their_videos_without_a_call(tmp_path: Path) -> None:
    """Those whose key is known; the others wait for their client, and the log says so."""
    async with running_provider() as service:
        service.file, service.hides_from_others = make_clip(), True
        settings = {**service.settings, "GEEKAI_CLIENT_KEYS": "allow"}
        own = team_settings(tmp_path, **settings)
        tokens = {
            "alice": add_token(own, "alice", "alice", {}).token,
            "bob": add_token(own, "bob", "bob", {"api_key": "sk-bobs-own-key-0123"}).token,
            "carol": add_token(own, "carol", "carol", {}).token,
        }
        key = {"X-GeekAI-Key": CLIENT_KEY}
        async with running(tmp_path, tmp_path / "first.log", **settings) as first:
            for name, token in tokens.items():
                headers = bearer(token, **(key if name == "carol" else {}))
                async with raw_http_client(first.origin, "modern", headers) as client:
                    await client.call("generate_video", prompt=f"{HELD_PREFIX} {name}")
            await first.kill()
        service.released |= {f"{HELD_PREFIX} {name}" for name in tokens}
        log = tmp_path / "second.log"
        async with running(tmp_path, log, **settings) as second:
            with anyio.fail_after(60):
                for name in ("alice", "bob"):
                    while not await is_stored(tmp_path, name):  # noqa: ASYNC110 - another process
                        await anyio.sleep(0.2)
            (waiting,) = await read_tasks(tmp_path, "carol")
            asked = [each for each in service.keys if each[1] == CLIENT_KEY]
            async with raw_http_client(second.origin, "modern", bearer(tokens["carol"])) as client:
                (listed,) = (await client.call("get_video_task", task_id=waiting.id))["content"][:1]
            async with raw_http_client(
                second.origin, "modern", bearer(tokens["carol"], **key)
            ) as client:
                done = await client.call("get_video_task", task_id=waiting.id, wait_seconds=45)
        logged = log.read_text("utf-8")

    assert len(service.prompts) == 3
    assert not waiting.settled
    assert asked[0][0] == f"{HELD_PREFIX} carol"
    assert "tasks of tenant carol belong to a GeekAI key that this server does not know" in logged
    assert "X-GeekAI-Key" in listed["text"]
    assert done["structuredContent"]["file"]
    assert CLIENT_KEY not in logged + json.dumps(done)


async def is_stored(folder: Path, tenant: str) -> bool:
    (task,) = await read_tasks(folder, tenant)
    return task.file_status is FileStatus.STORED
