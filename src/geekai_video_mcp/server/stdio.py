"""MCP over stdio for a host that sends `server/discover` and then `initialize`.

Claude Code 2.1.280 does so (its issue 96183, 2026-09-22): it sends `server/discover`, receives
the response that this server supports 2026-07-28, and sends the old `initialize` to the same
process. The SDK 2.3 lets the first request select the protocol era, so it refuses the
handshake, and the host shows no tools. Here a message loop of the SDK that ends after it serves
each probe, and the next request selects the era. When the SDK needs no more than its own server
over `stdio_filter.message_streams` to pass `tests/processes/test_discover_then_initialize.py`,
delete the rest of this module.
"""

import inspect
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse

from geekai_video_mcp.server.handshake import HandshakeServer
from geekai_video_mcp.server.late_app import LateApp
from geekai_video_mcp.server.stdio_filter import WrappedStream, message_streams

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.shared._stream_protocols import ReadStream, WriteStream

    from geekai_video_mcp.app import App, AppFactory
    from geekai_video_mcp.domain.media import Media

    Loop = Callable[[ReadStream[Any], WriteStream[Any]], Coroutine[Any, Any, None]]

logger = logging.getLogger(__name__)

PROBE: Final = "server/discover"
MAX_EARLY_MESSAGES: Final = 8
"""Messages kept that arrive before the first request, as many as the SDK keeps itself."""


async def serve_stdio(open_app: "AppFactory", *, default_models: "Mapping[Media, str]") -> None:
    """Serve MCP over stdin and stdout until the input ends; the `App` is opened late."""
    build = partial(_build_server, open_app, default_models)
    run = _sdk_loop()
    if run is None:
        logger.warning(
            "the MCP SDK has changed: server/discover before initialize is not supported with it"
        )
        await build().run_stdio_async()
        return
    server = HandshakeServer(lambda: _lowlevel_server(build()), default_models=default_models)
    late_app = LateApp(_build_and_open(server, open_app))

    def count_response() -> None:
        # The next request follows the handshake at once, and is not to wait for the `App`.
        if server.past_handshake:
            late_app.open_soon()

    async with message_streams(count_response) as (read, write), late_app.running():
        loop = partial(
            run,
            server,
            lifespan_state=late_app,
            init_options=server.create_initialization_options(),
        )
        early = await serve_probes(read, write, loop)
        await loop(_Replayed(early, read), write)


def _build_server(
    open_app: "AppFactory", default_models: "Mapping[Media, str]"
) -> "MCPServer[App]":
    from geekai_video_mcp.server.build import build_server

    return build_server(open_app, default_models=default_models)


@asynccontextmanager
async def _build_and_open(server: HandshakeServer, open_app: "AppFactory") -> "AsyncGenerator[App]":
    """Open the `App`, after what the host may ask for next."""
    server.build()
    async with open_app() as app:
        yield app


def _sdk_loop() -> "Callable[..., Coroutine[Any, Any, None]] | None":
    """The SDK's message loop; None if an undocumented part that is used here no longer exists."""
    try:
        from mcp.server.runner import serve_dual_era_loop

        inspect.signature(serve_dual_era_loop).bind(
            None, None, None, lifespan_state=None, init_options=None
        )
    except (ImportError, TypeError):
        return None
    # Known without building one, which takes as long as everything else before the handshake.
    known = "_lowlevel_server" in MCPServer.__init__.__code__.co_names
    return serve_dual_era_loop if known else None


def _lowlevel_server(server: "MCPServer[App]") -> "Server[App]":
    return server._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the only way to its handlers


async def serve_probes(
    read: "ReadStream[Any]", write: "WriteStream[Any]", loop: "Loop"
) -> list[Any]:
    """Serve all probes before the first other request; return what else was read."""
    early: list[Any] = []
    async for item in read:
        message = item.message if isinstance(item, SessionMessage) else None
        if not isinstance(message, JSONRPCRequest):
            early = [*early, item][:MAX_EARLY_MESSAGES]
        elif message.method != PROBE:
            return [*early, item]
        else:
            await _serve_probe(item, write, loop)
    return early


async def _serve_probe(probe: SessionMessage, write: "WriteStream[Any]", loop: "Loop") -> None:
    """Serve one probe by running *loop* as if it were the first message of a connection."""
    send_probe, probes = anyio.create_memory_object_stream[Any](1)
    send_response, responses = anyio.create_memory_object_stream[Any]()
    await send_probe.send(probe)
    async with send_probe, responses, anyio.create_task_group() as task_group:
        task_group.start_soon(loop, probes, send_response)
        async for response in responses:
            await write.send(response)
            if isinstance(response.message, JSONRPCResponse | JSONRPCError):
                break
        task_group.cancel_scope.cancel()


class _Replayed(WrappedStream["ReadStream[Any]"]):
    """The SDK's read stream, beginning with what was read from it already."""

    def __init__(self, early: list[Any], rest: "ReadStream[Any]") -> None:
        super().__init__(rest)
        self._early = deque(early)

    async def receive(self) -> Any:  # noqa: ANN401 - as the SDK's own stream
        return self._early.popleft() if self._early else await self._stream.receive()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - as the SDK's own stream
        return self._early.popleft() if self._early else await anext(self._stream)
