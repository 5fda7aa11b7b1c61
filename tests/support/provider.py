"""A small fake GeekAI on loopback: jobs finish at the first poll or when a test releases them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geekai_video_mcp.server.http import bind_loopback
from support.fake_geekai import VIDEO
from support.serving import serving

HELD_PREFIX: Final = "held:"
"""Prefix of a prompt whose task only finishes once it is released."""


@dataclass
class Provider:
    """The prompts that were submitted, and those that may finish."""

    base: str
    file: bytes = VIDEO
    """What every task makes."""
    links_have_ended: bool = False
    files_read: int = 0
    hides_from_others: bool = False
    """Whether a task is known to the key alone with which it was made."""
    prompts: list[str] = field(default_factory=list[str])
    answers_posts: anyio.Event | None = None
    """Once it is set, requests for videos are answered; None: at once."""
    answer: tuple[int, str] | None = None
    """The HTTP status and the text that requests get in place of a task."""
    released: set[str] = field(default_factory=set[str])
    keys: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The prompt or the id of each request, and the key that it came with."""
    models: list[str] = field(default_factory=list[str])
    """The ids of the video models that it lists; without one it has no list."""
    asked: anyio.Event = field(default_factory=anyio.Event)
    """Set at the next request; whoever waits for one replaces it before."""

    @property
    def settings(self) -> dict[str, str]:
        """Settings of a server that uses this provider."""
        return {"GEEKAI_BASE_URL": self.base, "GEEKAI_API_KEY": "sk-any"}

    async def wait_for_request(self) -> None:
        """Return at the next request that comes."""
        self.asked = anyio.Event()
        await self.asked.wait()

    async def create(self, request: Request) -> Response:
        self.prompts.append((await request.json())["prompt"])
        self._record_key(self.prompts[-1], request)
        job = f"job{len(self.prompts)}"
        if self.answers_posts is not None:
            await self.answers_posts.wait()
        if self.answer is not None:
            status, text = self.answer
            return Response(text, status, media_type="application/json")
        return JSONResponse({"task_id": job, "task_status": "pending", "estimated_seconds": 0})

    async def get_task(self, request: Request) -> Response:
        job: str = request.path_params["job"]
        self._record_key(job, request)
        if not job.startswith("job") or not self._may_see(job, request):
            return JSONResponse({"error": {"message": "no such task"}}, 404)
        prompt = self.prompts[int(job.removeprefix("job")) - 1]
        if prompt.startswith(HELD_PREFIX) and prompt not in self.released:
            answer = {"task_id": job, "task_status": "running", "estimated_seconds": 0}
            return JSONResponse(answer)
        result = [{"url": f"{self.base}/files/{job}"}]
        return JSONResponse({"task_id": job, "task_status": "succeed", "video_result": result})

    def _may_see(self, job: str, request: Request) -> bool:
        if not self.hides_from_others:
            return True
        prompt = self.prompts[int(job.removeprefix("job")) - 1]
        return (prompt, request.headers["Authorization"].removeprefix("Bearer ")) in self.keys

    def _record_key(self, what: str, request: Request) -> None:
        self.asked.set()
        self.keys.append((what, request.headers["Authorization"].removeprefix("Bearer ")))

    async def list_models(self, _: Request) -> Response:
        if not self.models:
            return JSONResponse({"error": {"message": "no such page"}}, 404)
        entries = [{"id": name, "type": "video"} for name in self.models]
        return JSONResponse({"data": entries, "total": len(entries), "page": 1})

    async def get_file(self, _: Request) -> Response:
        if self.links_have_ended:
            return Response(status_code=404)
        self.files_read += 1
        return Response(self.file, media_type="video/mp4")


@asynccontextmanager
async def running_provider() -> AsyncGenerator[Provider]:
    """Serve on a free port while the block lasts."""
    listener = bind_loopback("127.0.0.1", 0)
    service = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1")
    routes = [
        Route("/api/v1/videos/generations", service.create, methods=["POST"]),
        Route("/api/v1/videos/{job}", service.get_task),
        Route("/api/v1/files/{job}", service.get_file),
        Route("/api/v1/models", service.list_models),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False)
    async with serving(config, listener):
        yield service
