"""The sandbox as an ASGI application: routes, keys, and the order of things in a POST.

It knows GeekAI's documents and nothing of the server that will call it. It misbehaves
only where its constructor says so.
"""

from __future__ import annotations

import hmac
import json
import math
import re
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import anyio
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .answers import Json, error_answer, task_answer
from .estimates import seconds_until_done
from .faults import Fault, Faults, after_charge, before_charge
from .files import aside
from .intake import Order, take_order, take_picture_order
from .models import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, model_detail, models_page
from .refusals import Refused, invalid
from .store import RESULTS, Charge, Media, Shape, Store, Task, now
from .studio import Studio

# -P: a file named av.py in the user's working folder must not be what the child imports.
RENDERER: Final = (sys.executable, "-P", "-m", "geekai_video_mcp.sandbox.render")

MAX_BODY_BYTES: Final = 48 * 1024 * 1024
"""Two stills at their limit, in base64, and a prompt."""
MAX_WAITING: Final = 16
KEEP_FINISHED: Final = 200
KEEP_ALIVE_SECONDS: Final = 2.0
SYNC_CUT_SECONDS: Final = 300.0
"""GeekAI closes a synchronous answer after five minutes (rate limits page, read 2026-11-22)."""
GLANCE_SECONDS: Final = 0.25
"""Between looks at a task that another process may be rendering."""
SILENCE_SECONDS: Final = 120.0
"""A render child reports five times a second; a 4K frame takes a quarter of one."""

FILE_PATH: Final = re.compile(r"/files/([0-9a-f-]{36})/([a-z0-9.-]{1,20})")


class Sandbox:
    """GeekAI's video and image service on this machine, for no key and no money.

    `app` answers as soon as there is a loop; results are rendered while the object
    is entered, on asyncio or trio, and whatever was left waiting is taken up again.

    Args:
        folder: where tasks live; may be shared by any number of sandboxes at once.
        base_url: where *app* will be reached, for links and for the path of its routes.
        api_key: the only bearer token that passes; None lets everyone in.
        balance: how many requests *folder* may ever charge for; None for no end.
        shape: of `video_result`; "both" alternates, the first task has an object.
        renderer: the command that renders a task's folder, which is appended to it.
        faults: what goes wrong with each POST in turn, for tests of clients.
    """

    def __init__(
        self,
        folder: Path,
        *,
        base_url: str,
        api_key: str | None = None,
        balance: int | None = None,
        shape: Literal["object", "array", "both"] = "both",
        renderer: Sequence[str] = RENDERER,
        faults: Iterable[Fault | None] = (),
        max_waiting: int = MAX_WAITING,
        keep_finished: int = KEEP_FINISHED,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
        sync_cut_seconds: float = SYNC_CUT_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._balance = balance
        self._shape: Final = shape
        self._max_waiting = max_waiting
        self._keep_alive_seconds = keep_alive_seconds
        self._sync_cut_seconds = sync_cut_seconds
        self._store = Store(folder, keep_finished=keep_finished)
        self._studio = Studio(self._store, renderer=renderer, silence_seconds=silence_seconds)
        self._faults = Faults(faults)
        self._stack = AsyncExitStack()
        self.app: Final = Starlette(
            routes=self._routes(),
            exception_handlers={
                Refused: _answer_refusal,
                HTTPException: _answer_http,
                OSError: _answer_disk,
            },
        )

    async def __aenter__(self) -> Self:
        group = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(group.cancel_scope.cancel)
        group.start_soon(self._studio.run, name="sandbox studio")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, traceback)

    def charges(self) -> list[Charge]:
        """Everything that was ever charged for in this folder, oldest first. Blocks."""
        return self._store.charges()

    def _routes(self) -> list[Route]:
        base = urlsplit(self._base_url).path
        return [
            Route(f"{base}/videos/generations", self._generate_video, methods=["POST"]),
            Route(f"{base}/videos/{{task_id}}", self._video),
            Route(f"{base}/video/{{task_id}}/result", self._video),
            Route(f"{base}/images/generations", self._generate_pictures, methods=["POST"]),
            Route(f"{base}/images/{{task_id}}", self._pictures),
            Route(f"{base}/models", self._models),
            Route(f"{base}/models/{{model:path}}", self._model),
            Route(f"{base}/files/{{task_id}}/{{name}}", self._file),
            Route("/health", self._health),
        ]

    async def _generate_video(self, request: Request) -> Response:
        def take(body: bytes) -> Order:
            return take_order(body, find=self._own_file, shape_of=self._shape_of)

        return await self._generate(request, take)

    async def _generate_pictures(self, request: Request) -> Response:
        def take(body: bytes) -> Order:
            return take_picture_order(body, find=self._own_file)

        return await self._generate(request, take)

    async def _generate(self, request: Request, take: Callable[[bytes], Order]) -> Response:
        self._check_key(request)
        body = await _read_body(request)
        fault = self._faults.draw()
        before_charge(fault)
        try:
            task, wait = await aside(self._take_in, take, body)
        finally:
            # Also for a caller who is gone: what was charged is rendered.
            self._studio.ring()
        if wait and fault is None:
            return StreamingResponse(self._answer_when_done(task), media_type="application/json")
        answer = JSONResponse(await aside(self._describe, task))
        return answer if fault is None else after_charge(fault, answer)

    def _take_in(self, take: Callable[[bytes], Order], body: bytes) -> tuple[Task, bool]:
        """Understand a POST and charge for it: all of it, or nothing. Blocks."""
        order = take(body)
        return self._store.admit(order.draft, self._check_room), order.wait

    def _check_room(self, charged: int, unfinished: list[Task]) -> None:
        if self._balance is not None and charged >= self._balance:
            raise Refused(
                402, "insufficient_balance", "The balance is used up; nothing was rendered."
            )
        if sum(task.status == "pending" for task in unfinished) >= self._max_waiting:
            # A place is free when the first of them is done.
            seconds = seconds_until_done("", unfinished[:1], now=now())
            raise Refused(
                429,
                "rate_limit_exceeded",
                f"{self._max_waiting} tasks are waiting already; try again in a moment.",
                retry_after_seconds=max(1, math.ceil(seconds)),
            )

    def _shape_of(self, number: int) -> Shape:
        if self._shape == "both":
            return "array" if number % 2 else "object"
        return self._shape

    def _own_file(self, url: str) -> bytes | None:
        """The picture behind a link that this sandbox made, while it is still there."""
        if not url.startswith(self._base_url):
            return None
        found = FILE_PATH.fullmatch(unquote(url.removeprefix(self._base_url)))
        path = self._store.result(found[1], found[2]) if found else None
        return path.read_bytes() if path else None

    def _describe(self, task: Task) -> Json:
        results = _Results(f"{self._base_url}/files/{task.id}", self._store.folder_of(task.id))
        left = 0.0
        if not task.finished:
            left = seconds_until_done(task.id, self._store.unfinished(), now=now())
        return task_answer(task, results, seconds_left=left)

    async def _answer_when_done(self, task: Task) -> AsyncGenerator[bytes]:
        """Blank lines until the result, or until GeekAI would have hung up."""
        deadline = anyio.current_time() + self._sync_cut_seconds
        try:
            while anyio.current_time() < deadline:
                yield b"\n"
                line_due = min(deadline, anyio.current_time() + self._keep_alive_seconds)
                if done := await self._finished(task, until=line_due):
                    yield json.dumps(await aside(self._describe, done)).encode()
                    return
        except OSError:
            # The 200 is out already; what can still be said is said in the body.
            yield json.dumps(error_answer(_disk_trouble())).encode()

    async def _finished(self, task: Task, *, until: float) -> Task | None:
        """The task once it is finished; None if it is not *until* then (the loop's clock)."""
        while (left := until - anyio.current_time()) > 0:
            await self._studio.news(at_most=min(left, GLANCE_SECONDS))
            seen = await aside(self._store.load, task.id)
            if seen is None or seen.finished:
                return seen or task
        return None

    async def _video(self, request: Request) -> Response:
        return await self._task(request, "video")

    async def _pictures(self, request: Request) -> Response:
        return await self._task(request, "image")

    async def _task(self, request: Request, media: Media) -> Response:
        self._check_key(request)
        task_id = request.path_params["task_id"]
        task = await aside(self._store.load, task_id)
        if task is None or task.media != media:
            raise Refused(404, "not_found", "There is no such task here.")
        if not task.finished:
            # Whoever was rendering it may be gone; this process can.
            self._studio.ring()
        return JSONResponse(await aside(self._describe, task))

    async def _models(self, request: Request) -> Response:
        self._check_key(request)
        await checkpoint()
        page = _count(request, "page", default=1, most=1_000_000)
        page_size = _count(request, "page_size", default=DEFAULT_PAGE_SIZE, most=MAX_PAGE_SIZE)
        return JSONResponse(models_page(page, page_size))

    async def _model(self, request: Request) -> Response:
        self._check_key(request)
        await checkpoint()
        detail = model_detail(request.path_params["model"])
        if detail is None:
            raise Refused(404, "not_found", "The list of models has no such name.")
        return JSONResponse(detail)

    async def _file(self, request: Request) -> Response:
        """A result, without a key: GeekAI's links need none either, only their id."""
        task_id, name = request.path_params["task_id"], request.path_params["name"]
        path = await aside(self._store.result, task_id, name)
        if path is None:
            raise Refused(404, "not_found", "There is no such file here.")
        found = await aside(path.stat)
        return FileResponse(path, media_type=RESULTS[name], stat_result=found)

    async def _health(self, _request: Request) -> Response:
        waiting = await aside(self._store.unfinished)
        return JSONResponse({"status": "ok", "unfinished": len(waiting)})

    def _check_key(self, request: Request) -> None:
        if self._api_key is None:
            return
        sent = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(sent, f"Bearer {self._api_key}".encode()):
            raise Refused(401, "unauthorized", "The API key is missing or not this sandbox's.")


class _Results(NamedTuple):
    """A task's files, for its answer."""

    url: str
    folder: Path

    def url_of(self, name: str) -> str:
        return f"{self.url}/{name}"

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


async def _read_body(request: Request) -> bytes:
    too_large = Refused(413, "invalid_request", "The request body is over 48 MiB.")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    # Closed by hand: trio leaves a half-read generator to the garbage collector.
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise too_large
    return bytes(body)


def _count(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= most:
        raise invalid(message=f"{name} must be a whole number from 1 to {most}.")
    return int(text)


async def _answer_refusal(_request: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):  # pragma: no cover - Starlette's type is wider
        raise refused
    after = refused.retry_after_seconds
    return JSONResponse(
        error_answer(refused),
        status_code=refused.status_code,
        headers=None if after is None else {"retry-after": str(after)},
    )


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # pragma: no cover - Starlette's type is wider
        raise error
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    message = "There is nothing at this address, or not for this method."
    return await _answer_refusal(request, Refused(error.status_code, code, message))


async def _answer_disk(request: Request, _error: Exception) -> Response:
    return await _answer_refusal(request, _disk_trouble())


def _disk_trouble() -> Refused:
    message = "The sandbox could not use its folder; look at the disk's space and rights."
    return Refused(500, "internal_error", message)
