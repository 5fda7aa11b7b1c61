"""GeekAI's reads on loopback, for the keys that a test names. A POST is counted and refused."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geekai_video_mcp.server.http import bind_loopback
from support.serving import serving


@dataclass
class KeyService:
    base: str
    keys: set[str]
    shows_models_to_all: bool = False
    requests: list[str] = field(default_factory=list[str])

    async def list_models(self, request: Request) -> Response:
        self.requests.append(f"{request.method} models")
        if not self.shows_models_to_all and not self._knows(request):
            return _refused()
        return JSONResponse({"data": [], "total": 0, "page": 1, "page_size": 100})

    async def get_task(self, request: Request) -> Response:
        self.requests.append(f"{request.method} task")
        if not self._knows(request):
            return _refused()
        error = {"code": "not_found", "message": "no such task"}
        return JSONResponse({"error": error}, 404)

    def _knows(self, request: Request) -> bool:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") in self.keys


def _refused() -> Response:
    return JSONResponse({"error": {"code": "unauthorized", "message": "wrong key"}}, 401)


@asynccontextmanager
async def running_key_service(*keys: str, shows_models: bool = False) -> AsyncGenerator[KeyService]:
    """Serve on a free port while the block lasts."""
    listener = bind_loopback("127.0.0.1", 0)
    base = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
    service = KeyService(base, set(keys), shows_models)
    methods = ["GET", "POST"]
    routes = [
        Route("/api/v1/models", service.list_models, methods=methods),
        Route("/api/v1/videos/{rest:path}", service.get_task, methods=methods),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False)
    async with serving(config, listener):
        yield service
