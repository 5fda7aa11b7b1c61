"""MCP over stdio for a host that asks first and shakes hands after all.

Such a host sends `server/discover`, hears that this server speaks 2026-07-28, and sends the
old `initialize` to the same process: Claude Code 2.1.280 (its issue 96183, 2026-09-22). The
SDK 2.3 takes the question for the choice of an era, refuses the handshake, and the host shows
no tools. Here each probe is answered by a loop of the SDK's own, which ends with it, and what
comes after decides. When `tests/processes/test_probing.py` says that the SDK no longer needs
this, delete the module and run the SDK's server over `lines`.
"""

import inspect
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse

from geekai_video_mcp.cli.lines import message_streams

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.server.mcpserver import MCPServer
    from mcp.shared._stream_protocols import ReadStream, WriteStream

    from geekai_video_mcp.app import App

    Loop = Callable[[ReadStream[Any], WriteStream[Any]], Coroutine[Any, Any, None]]

logger = logging.getLogger(__name__)

PROBE: Final = "server/discover"
MAX_EARLY_MESSAGES: Final = 8
"""Messages kept that come before the first request, as many as the SDK keeps itself."""


async def serve_stdio(server: "MCPServer[App]") -> None:
    """Serve MCP over stdin and stdout until the input ends."""
    parts = _sdk_internals(server)
    if parts is None:
        logger.warning("the SDK is not as expected: a probe before initialize is not forgiven")
        await server.run_stdio_async()
        return
    lowlevel_server, run = parts
    async with (
        message_streams() as (read, write),
        lowlevel_server.lifespan(lowlevel_server) as opened,
    ):
        loop = partial(
            run,
            lowlevel_server,
            lifespan_state=opened,
            init_options=lowlevel_server.create_initialization_options(),
        )
        early = await answer_probes(read, write, loop)
        again, messages = anyio.create_memory_object_stream[Any]()
        async with anyio.create_task_group() as reading:
            reading.start_soon(_replay, early, read, again)
            await loop(messages, write)
            reading.cancel_scope.cancel()


def _sdk_internals(
    server: "MCPServer[App]",
) -> "tuple[Server[App], Callable[..., Coroutine[Any, Any, None]]] | None":
    """What of the SDK is used beyond its documents; None if it is not there any more."""
    try:
        from mcp.server.runner import serve_dual_era_loop

        inside = server._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the only way to its loop
        inspect.signature(serve_dual_era_loop).bind(
            inside, None, None, lifespan_state=None, init_options=None
        )
    except (ImportError, AttributeError, TypeError):
        return None
    return inside, serve_dual_era_loop


async def answer_probes(
    read: "ReadStream[Any]", write: "WriteStream[Any]", loop: "Loop"
) -> list[Any]:
    """Answer every probe that comes first; give back what was read beyond them."""
    early: list[Any] = []
    async for item in read:
        message = item.message if isinstance(item, SessionMessage) else None
        if not isinstance(message, JSONRPCRequest):
            early = [*early, item][:MAX_EARLY_MESSAGES]
        elif message.method != PROBE:
            return [*early, item]
        else:
            await _answer_probe(item, write, loop)
    return early


async def _answer_probe(probe: SessionMessage, write: "WriteStream[Any]", loop: "Loop") -> None:
    """Let *loop* answer one probe, as it would the first message of a connection."""
    asking, asked = anyio.create_memory_object_stream[Any](1)
    answering, answers = anyio.create_memory_object_stream[Any]()
    await asking.send(probe)
    async with asking, answers, anyio.create_task_group() as talk:
        talk.start_soon(loop, asked, answering)
        async for said in answers:
            await write.send(said)
            if isinstance(said.message, JSONRPCResponse | JSONRPCError):
                break
        talk.cancel_scope.cancel()


async def _replay(
    early: list[Any], rest: "ReadStream[Any]", to: MemoryObjectSendStream[Any]
) -> None:
    """Hand on what was read already, and then the rest, to its end."""
    async with to:
        for item in early:
            await to.send(item)
        async for item in rest:
            await to.send(item)
