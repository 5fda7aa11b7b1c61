"""The sandbox as an ASGI application: routes, authentication, and the steps of a POST.

It implements GeekAI's documentation and knows nothing about the server that calls it.
It fails on purpose only where its constructor asks for it.

GeekAI has no seed, so each POST makes another video or image there, equal ones too, and so it does
here: the request and the number of earlier equal ones in the folder are the seed of a task, which
its text names from the second on ("take 2"). A fresh folder therefore repeats every result.
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

from .answers import Json, error_body, task_body
from .errors import ApiError, validation_error
from .estimates import seconds_until_done
from .faults import Fault, FaultQueue, raise_before_charge, respond_after_charge
from .files import run_in_thread
from .models import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, model_detail, models_page
from .requests import ParsedRequest, parse_image_request, parse_video_request
from .store import RESULT_TYPES, Charge, Media, Shape, Store, Task, unix_time
from .worker import RenderWorker

# -P: the child must not import a file named av.py from the user's working folder.
RENDERER: Final = (sys.executable, "-P", "-m", "geekai_sandbox.render")

MAX_BODY_BYTES: Final = 48 * 1024 * 1024
"""Room for two input images of the maximum size in base64, and a prompt."""
MAX_WAITING: Final = 16
KEEP_FINISHED: Final = 200
KEEP_ALIVE_SECONDS: Final = 2.0
SYNC_TIMEOUT_SECONDS: Final = 300.0
"""GeekAI closes a synchronous response after five minutes (rate limits page, read 2026-11-22)."""
POLL_SECONDS: Final = 0.25
"""Interval between polls of a task that another process may be rendering."""
RENDER_STALL_TIMEOUT: Final = 120.0
"""Seconds without output after which a render child is considered stuck. It reports progress
five times a second; a 4K frame takes a quarter of a second."""

FILE_PATH: Final = re.compile(r"/files/([0-9a-f-]{36})/([a-z0-9.-]{1,20})")


class Sandbox:
    """A mock of GeekAI's video and image service on this machine, without a key or charges.

    `app` responds as soon as an event loop runs. Results are rendered while the object is
    entered, on asyncio or trio; tasks that an earlier process left unfinished are resumed.

    Args:
        folder: where tasks are stored; any number of sandboxes may share it at once.
        base_url: the URL of *app*, for links and for the path of its routes.
        api_key: the only bearer token that is accepted; None accepts any request.
        balance: how many requests *folder* may charge for in total; None for no limit.
        shape: of `video_result`; "both" alternates, starting with an object.
        renderer: the command that renders a task; the task's folder is appended to it.
        faults: the fault that each POST in turn fails with, for testing clients.
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
        sync_timeout_seconds: float = SYNC_TIMEOUT_SECONDS,
        stall_timeout_seconds: float = RENDER_STALL_TIMEOUT,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._balance = balance
        self._shape: Final = shape
        self._max_waiting = max_waiting
        self._keep_alive_seconds = keep_alive_seconds
        self._sync_timeout_seconds = sync_timeout_seconds
        self._store = Store(folder, keep_finished=keep_finished)
        self._worker = RenderWorker(
            self._store, renderer=renderer, stall_timeout_seconds=stall_timeout_seconds
        )
        self._faults = FaultQueue(faults)
        self._stack = AsyncExitStack()
        self.app: Final = Starlette(
            routes=self._build_routes(),
            exception_handlers={
                ApiError: _handle_api_error,
                HTTPException: _handle_http_error,
                OSError: _handle_os_error,
            },
        )

    async def __aenter__(self) -> Self:
        group = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(group.cancel_scope.cancel)
        group.start_soon(self._worker.run, name="sandbox worker")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, traceback)

    def charges(self) -> list[Charge]:
        """Return every charge ever made in this folder, oldest first. Blocks."""
        return self._store.charges()

    def _build_routes(self) -> list[Route]:
        base = urlsplit(self._base_url).path
        return [
            Route(f"{base}/videos/generations", self._generate_video, methods=["POST"]),
            Route(f"{base}/videos/{{task_id}}", self._get_video),
            Route(f"{base}/video/{{task_id}}/result", self._get_video),
            Route(f"{base}/images/generations", self._generate_images, methods=["POST"]),
            Route(f"{base}/images/{{task_id}}", self._get_images),
            Route(f"{base}/models", self._list_models),
            Route(f"{base}/models/{{model:path}}", self._get_model),
            Route(f"{base}/files/{{task_id}}/{{name}}", self._get_file),
            Route("/health", self._get_health),
        ]

    async def _generate_video(self, request: Request) -> Response:
        def parse(body: bytes) -> ParsedRequest:
            return parse_video_request(body, find=self._local_file, choose_shape=self._choose_shape)

        return await self._generate(request, parse)

    async def _generate_images(self, request: Request) -> Response:
        def parse(body: bytes) -> ParsedRequest:
            return parse_image_request(body, find=self._local_file)

        return await self._generate(request, parse)

    async def _generate(
        self, request: Request, parse: Callable[[bytes], ParsedRequest]
    ) -> Response:
        self._check_key(request)
        body = await _read_body(request)
        fault = self._faults.take_next()
        raise_before_charge(fault)
        try:
            task, wait = await run_in_thread(self._accept, parse, body)
        finally:
            # Even if the caller has disconnected: a task that was charged must be rendered.
            self._worker.wake()
        if wait and fault is None:
            return StreamingResponse(self._stream_result(task), media_type="application/json")
        response = JSONResponse(await run_in_thread(self._task_body, task))
        return response if fault is None else respond_after_charge(fault, response)

    def _accept(self, parse: Callable[[bytes], ParsedRequest], body: bytes) -> tuple[Task, bool]:
        """Parse a POST and charge for it; if anything fails, nothing is charged. Blocks."""
        parsed = parse(body)
        return self._store.create_task(parsed.new_task, self._check_limits), parsed.wait

    def _check_limits(self, charged: int, unfinished: list[Task]) -> None:
        if self._balance is not None and charged >= self._balance:
            raise ApiError(
                402,
                "insufficient_balance",
                "The sandbox's balance is used up; the request was not accepted.",
            )
        if sum(task.status == "pending" for task in unfinished) >= self._max_waiting:
            # There is room again when the first of them is finished.
            seconds = seconds_until_done("", unfinished[:1], now=unix_time())
            raise ApiError(
                429,
                "rate_limit_exceeded",
                f"{self._max_waiting} tasks are already waiting; retry later.",
                retry_after_seconds=max(1, math.ceil(seconds)),
            )

    def _choose_shape(self, number: int) -> Shape:
        if self._shape == "both":
            return "array" if number % 2 else "object"
        return self._shape

    def _local_file(self, url: str) -> bytes | None:
        """Return the file behind a URL of this sandbox; None for other URLs and missing files."""
        if not url.startswith(self._base_url):
            return None
        match = FILE_PATH.fullmatch(unquote(url.removeprefix(self._base_url)))
        path = self._store.result_path(match[1], match[2]) if match else None
        return path.read_bytes() if path else None

    def _task_body(self, task: Task) -> Json:
        files = _ResultFiles(f"{self._base_url}/files/{task.id}", self._store.task_folder(task.id))
        seconds_left = 0.0
        if not task.finished:
            seconds_left = seconds_until_done(
                task.id, self._store.list_unfinished(), now=unix_time()
            )
        return task_body(task, files, seconds_left=seconds_left)

    async def _stream_result(self, task: Task) -> AsyncGenerator[bytes]:
        """Yield blank lines until the result, or until GeekAI would have closed the connection."""
        deadline = anyio.current_time() + self._sync_timeout_seconds
        try:
            while anyio.current_time() < deadline:
                yield b"\n"
                next_line_at = min(deadline, anyio.current_time() + self._keep_alive_seconds)
                if finished := await self._wait_until_finished(task, deadline=next_line_at):
                    yield json.dumps(await run_in_thread(self._task_body, finished)).encode()
                    return
        except OSError:
            # The status 200 was already sent, so the error is reported in the body.
            yield json.dumps(error_body(_disk_error())).encode()

    async def _wait_until_finished(self, task: Task, *, deadline: float) -> Task | None:
        """Return the task once it is finished; None at *deadline*, a time of the loop's clock."""
        while (seconds_left := deadline - anyio.current_time()) > 0:
            await self._worker.wait_for_change(at_most=min(seconds_left, POLL_SECONDS))
            latest = await run_in_thread(self._store.load_task, task.id)
            if latest is None or latest.finished:
                return latest or task
        return None

    async def _get_video(self, request: Request) -> Response:
        return await self._get_task(request, "video")

    async def _get_images(self, request: Request) -> Response:
        return await self._get_task(request, "image")

    async def _get_task(self, request: Request, media: Media) -> Response:
        self._check_key(request)
        task_id = request.path_params["task_id"]
        task = await run_in_thread(self._store.load_task, task_id)
        if task is None or task.media != media:
            raise ApiError(404, "not_found", "No task with this id exists in the sandbox.")
        if not task.finished:
            # The process that was rendering it may have died; this one can take over.
            self._worker.wake()
        return JSONResponse(await run_in_thread(self._task_body, task))

    async def _list_models(self, request: Request) -> Response:
        self._check_key(request)
        await checkpoint()
        page = _read_int_param(request, "page", default=1, most=1_000_000)
        page_size = _read_int_param(
            request, "page_size", default=DEFAULT_PAGE_SIZE, most=MAX_PAGE_SIZE
        )
        return JSONResponse(models_page(page, page_size))

    async def _get_model(self, request: Request) -> Response:
        self._check_key(request)
        await checkpoint()
        detail = model_detail(request.path_params["model"])
        if detail is None:
            raise ApiError(404, "not_found", "No model with this id is in the sandbox's list.")
        return JSONResponse(detail)

    async def _get_file(self, request: Request) -> Response:
        """Return a result file. No key is required, as for GeekAI's own result links."""
        task_id, name = request.path_params["task_id"], request.path_params["name"]
        path = await run_in_thread(self._store.result_path, task_id, name)
        if path is None:
            raise ApiError(404, "not_found", "No such result file exists in the sandbox.")
        file_stat = await run_in_thread(path.stat)
        return FileResponse(path, media_type=RESULT_TYPES[name], stat_result=file_stat)

    async def _get_health(self, _request: Request) -> Response:
        unfinished = await run_in_thread(self._store.list_unfinished)
        return JSONResponse({"status": "ok", "unfinished": len(unfinished)})

    def _check_key(self, request: Request) -> None:
        if self._api_key is None:
            return
        sent = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(sent, f"Bearer {self._api_key}".encode()):
            raise ApiError(401, "unauthorized", "The API key is missing or invalid.")


class _ResultFiles(NamedTuple):
    """The result files of one task, below *url* and in *folder*."""

    url: str
    folder: Path

    def url_of(self, name: str) -> str:
        return f"{self.url}/{name}"

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


async def _read_body(request: Request) -> bytes:
    too_large = ApiError(413, "invalid_request", "The request body is over 48 MiB.")
    declared_length = request.headers.get("content-length", "0")
    if declared_length.isdigit() and int(declared_length) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    # Closed explicitly: trio leaves a half-read generator to the garbage collector.
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise too_large
    return bytes(body)


def _read_int_param(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= most:
        raise validation_error(message=f"{name} must be a whole number from 1 to {most}.")
    return int(text)


async def _handle_api_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):  # pragma: no cover - Starlette's type is wider
        raise error
    after = error.retry_after_seconds
    return JSONResponse(
        error_body(error),
        status_code=error.status_code,
        headers=None if after is None else {"retry-after": str(after)},
    )


async def _handle_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # pragma: no cover - Starlette's type is wider
        raise error
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    message = "Unknown path, or a method that the path does not support."
    return await _handle_api_error(request, ApiError(error.status_code, code, message))


async def _handle_os_error(request: Request, _exc: Exception) -> Response:
    return await _handle_api_error(request, _disk_error())


def _disk_error() -> ApiError:
    message = "The sandbox could not use its folder; check free disk space and permissions."
    return ApiError(500, "internal_error", message)
