"""The `App` of a request, where a server does not have one for all of them from the start.

Over stdio it is opened behind the first response after the handshake: hosts do not wait long.

Codex begins its turn without a server that needs more than about a second, and Cline skips one
that needs three (read 2026-11-26). Opening the `App` reads and writes files, which may take as
long on a busy machine or while another process holds the task database. So a stdio server
answers what needs no `App` at once, and opens it as soon as the host has what it asks for next,
its tools; the sweeps begin then. What prevents the opening ends the server, as it always did.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, CallToolResult, TextContent

from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    NOT_CHARGED,
    GeekAIVideoError,
    StorageUnavailable,
)
from geekai_video_mcp.server import TASK_TOOLS

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from geekai_video_mcp.app import App

NEEDS_NO_APP: Final = frozenset(
    {
        "initialize",
        "ping",
        "prompts/list",
        "resources/templates/list",
        "server/discover",
        "tools/list",
    }
)
"""What is the same whatever the `App` is; `initialize` must not wait, because nothing more is
read before its response."""
SILENCE: Final = 1.0
"""Seconds without a request, after which the `App` is opened all the same: what another process
left behind must not wait for a host that says nothing."""
WRITING_TIME: Final = 0.05
"""Seconds in which the first response reaches the host; imports hold up the thread that writes."""
OPENING_TIMEOUT: Final = 10.0
"""Seconds that a request waits for the `App`: the call itself needs what is left of its 20."""

RECEIVED_AT: Final[ContextVar[float]] = ContextVar("RECEIVED_AT")
"""When the request that is being handled was received, on anyio's clock."""


class AppSource(ABC):
    """Where the `App` of a request is from, in a server that does not have one for all."""

    @abstractmethod
    def serve(self, request: object) -> "AbstractAsyncContextManager[App]":
        """The `App` for this HTTP request; None over stdio. It stays open while the block lasts.

        Raises:
            GeekAIVideoError: there is none now.
        """


class LateApp(AppSource):
    """Opens an `App` when it is needed, or soon, whichever is first."""

    def __init__(self, lifespan: "AbstractAsyncContextManager[App]") -> None:
        self._lifespan = lifespan
        self._app: App | None = None
        self._answered = anyio.Event()
        self._needed = anyio.Event()
        self._opened = anyio.Event()
        self._finished = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Hold the `App` while the block lasts; it is opened in any case, unless cancelled."""
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(self._open_and_hold)
            yield
            self.open_now()
            self._finished.set()

    def open_soon(self) -> None:
        """Open the `App` in a moment: a response is on its way."""
        self._answered.set()

    def open_now(self) -> None:
        """Open the `App` without delay."""
        self._answered.set()
        self._needed.set()

    async def get(self) -> "App":
        """The `App`, which is opened now if it is not open.

        Raises:
            StorageUnavailable: another process holds the task database.
        """
        if self._app is None:
            self.open_now()
            with anyio.move_on_after(OPENING_TIMEOUT):
                await self._opened.wait()
        if self._app is None:
            raise StorageUnavailable(DATABASE, BUSY, access="opened")
        return self._app

    @asynccontextmanager
    async def serve(self, request: object) -> "AsyncGenerator[App]":  # noqa: ARG002 - one for all
        yield await self.get()

    async def _open_and_hold(self) -> None:
        with anyio.move_on_after(SILENCE):
            await self._answered.wait()
        with anyio.move_on_after(WRITING_TIME):
            await self._needed.wait()
        async with self._lifespan as self._app:
            self._opened.set()
            await self._finished.wait()


async def provide_app(
    ctx: "ServerRequestContext[Any, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """Middleware that gives a request its `App`, in a server that does not have one for all."""
    RECEIVED_AT.set(anyio.current_time())
    source: object = ctx.lifespan_context
    # Nor does a notification: nothing here handles one, and no caller would receive an error.
    if not isinstance(source, AppSource) or ctx.request_id is None or ctx.method in NEEDS_NO_APP:
        return await call_next(ctx)
    async with AsyncExitStack() as stack:
        try:
            app = await stack.enter_async_context(source.serve(ctx.request))
        except GeekAIVideoError as exc:
            if ctx.method != "tools/call":
                raise MCPError(INTERNAL_ERROR, exc.message) from exc
            paid = str((ctx.params or {}).get("name")) in TASK_TOOLS
            exc.money = NOT_CHARGED if paid else None  # several calls may get this one error
            return CallToolResult(content=[TextContent(text=exc.message)], is_error=True)
        ctx.lifespan_context = app  # the context is this request's own
        return await call_next(ctx)
