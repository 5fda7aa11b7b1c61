from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import anyio
import httpx
import pytest

from geekai_sandbox.app import Sandbox
from geekai_sandbox.faults import Fault

FAKE_RENDERER = Path(__file__).with_name("fake_renderer.py")
BASE_URL = "http://sandbox.invalid/api/v1"


Shape = Literal["object", "array", "both"]


class Options(TypedDict, total=False):
    api_key: str
    balance: int
    shape: Shape
    renderer: list[str]
    faults: list[Fault | None]
    max_waiting: int
    keep_finished: int
    keep_alive_seconds: float
    sync_timeout_seconds: float
    stall_timeout_seconds: float


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both: the sandbox has to run on either."""
    return request.param


@dataclass
class World:
    """A sandbox's folder, the journal of the fake renderer, and helpers for both."""

    folder: Path
    journal: Path
    base_url: str = BASE_URL
    renderer: list[str] = field(default_factory=list[str])

    def sandbox(self, **options: Unpack[Options]) -> Sandbox:
        options.setdefault("renderer", self.renderer)
        return Sandbox(self.folder, base_url=self.base_url, **options)

    def client(self, sandbox: Sandbox, *, key: str | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=sandbox.app)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(
            transport=transport, base_url=f"{self.base_url}/", headers=headers, timeout=30
        )

    @asynccontextmanager
    async def running(self, **options: Unpack[Options]) -> AsyncGenerator[httpx.AsyncClient]:
        """A client of a sandbox with a running worker."""
        sandbox = self.sandbox(**options)
        async with sandbox, self.client(sandbox) as client:
            yield client

    async def submit(
        self, client: httpx.AsyncClient, prompt: str = "a fox", **fields: object
    ) -> str:
        body = {"model": "sandbox", "prompt": prompt, "async": True, **fields}
        answer = await client.post("videos/generations", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["task_id"]

    async def submit_images(
        self, client: httpx.AsyncClient, prompt: str = "a fox", **fields: object
    ) -> str:
        """Request images and return the id of their task."""
        body = {"model": "sandbox", "prompt": prompt, "async": True, **fields}
        answer = await client.post("images/generations", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["task_id"]

    async def finish(
        self, client: httpx.AsyncClient, task_id: str, kind: str = "videos"
    ) -> dict[str, Any]:
        """Poll until the task is finished, and return its last answer."""
        answer: dict[str, Any] = {}

        async def finished() -> bool:
            answer.clear()
            answer.update((await client.get(f"{kind}/{task_id}")).json())
            return answer["task_status"] in ("succeed", "failed")

        await wait_until(finished)
        return answer

    def renders(self, event: str) -> list[str]:
        """Return the task ids of every *event* in the journal, in order."""
        try:
            lines = (self.journal / "renders").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [line.split()[1] for line in lines if line.startswith(f"{event} ")]

    def release_renders(self) -> None:
        """Let every render whose prompt starts with `hold` continue."""
        (self.journal / "go").touch()


async def wait_until(true: Callable[[], Awaitable[bool]], *, at_most: float = 15.0) -> None:
    with anyio.fail_after(at_most):
        while not await true():
            await anyio.lowlevel.checkpoint()
            await anyio.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> World:
    journal = tmp_path / "journal"
    journal.mkdir()
    renderer = [sys.executable, str(FAKE_RENDERER), str(journal)]
    return World(folder=tmp_path / "sandbox", journal=journal, renderer=renderer)
