"""The server of a process that has answered no request yet: it knows its handshake alone.

What the handshake says needs none of the tools, resources and prompts, so they are imported and
built with the first request that does. A host waits for the response to `initialize` before it
sends anything else, and a short time only (`late_app` says how short).
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from mcp.server.lowlevel import Server

from geekai_video_mcp import __version__
from geekai_video_mcp.server import CACHE_HINTS, INSTRUCTIONS, NAME, TASKS_EXTENSION, TITLE

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.server.lowlevel.server import HandlerEntry

    from geekai_video_mcp.app import App

HANDSHAKE: Final = frozenset({"initialize", "ping", "server/discover"})
"""What this server answers by itself."""


class HandshakeServer(Server[Any]):
    """Answers the handshake; anything else is answered by the server that *build* returns."""

    def __init__(self, build: "Callable[[], Server[App]]") -> None:
        # The SDK derives the capabilities from what is handled. `build` brings the handlers.
        super().__init__(
            NAME,
            title=TITLE,
            version=__version__,
            instructions=INSTRUCTIONS,
            cache_hints=CACHE_HINTS,
            on_call_tool=_unbuilt,
            on_completion=_unbuilt,
            on_get_prompt=_unbuilt,
            on_list_prompts=_unbuilt,
            on_list_resource_templates=_unbuilt,
            on_list_resources=_unbuilt,
            on_list_tools=_unbuilt,
            on_read_resource=_unbuilt,
            on_subscriptions_listen=_unbuilt,
        )
        self.extensions[TASKS_EXTENSION] = {}
        self._build = build
        self._built: Server[App] | None = None
        self._first_middleware = len(self.middleware)
        self.middleware.append(self._build_when_needed)

    @property
    def is_built(self) -> bool:
        """Whether anything but the handshake has been asked for."""
        return self._built is not None

    def build(self) -> None:
        """Have the whole server from now on."""
        if self._built is None:
            self._built = self._build()
            # It begins with the middleware that every server of the SDK has.
            self.middleware[:] = self._built.middleware

    def get_request_handler(self, method: str) -> "HandlerEntry[App] | None":
        return (super() if self._built is None else self._built).get_request_handler(method)

    def get_notification_handler(self, method: str) -> "HandlerEntry[App] | None":
        return (super() if self._built is None else self._built).get_notification_handler(method)

    async def _build_when_needed(
        self, ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
    ) -> "HandlerResult":
        # Nothing here handles a notification.
        if ctx.request_id is None or ctx.method in HANDSHAKE:
            return await call_next(ctx)
        self.build()
        for middleware in reversed(self.middleware[self._first_middleware :]):
            call_next = partial(middleware, call_next=call_next)
        return await call_next(ctx)


async def _unbuilt(*_: object) -> NoReturn:
    raise NotImplementedError
