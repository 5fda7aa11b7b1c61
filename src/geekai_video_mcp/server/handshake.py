"""The server of a process that a host has just started: its handshake, and its list of tools.

A host waits for the response to `initialize` before it sends anything else, and then asks for the
tools; it waits a short time only (`late_app` says how short). Neither needs what handles a call,
so that is imported and built with the first other request.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from mcp.server.lowlevel import Server
from mcp_types import ListToolsResult

from geekai_video_mcp import __version__
from geekai_video_mcp.server import APPS_EXTENSION, INSTRUCTIONS, NAME, TASKS_EXTENSION, TITLE
from geekai_video_mcp.server.cache_hints import CACHE_HINTS

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.server.lowlevel.server import HandlerEntry

    from geekai_video_mcp.app import App
    from geekai_video_mcp.domain.media import Media

HANDSHAKE: Final = frozenset({"initialize", "ping", "server/discover"})
ANSWERED_HERE: Final = HANDSHAKE | {"tools/list"}
"""What is answered without the whole server."""


class HandshakeServer(Server[Any]):
    """Begins a connection; the server that *build* returns goes on with it.

    *default_models* are those that the tools describe as taken when a call names none.
    """

    def __init__(
        self, build: "Callable[[], Server[App]]", *, default_models: "Mapping[Media, str]"
    ) -> None:
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
            on_list_tools=self._list_tools,
            on_read_resource=_unbuilt,
            on_subscriptions_listen=_unbuilt,
        )
        self.extensions |= {TASKS_EXTENSION: {}, APPS_EXTENSION: {}}
        self._build = build
        self._default_models = default_models
        self._built: Server[App] | None = None
        self.past_handshake = False
        """Whether anything else has been asked for."""
        self._first_middleware = len(self.middleware)
        self.middleware.append(self._build_when_needed)

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
        is_request = ctx.request_id is not None
        self.past_handshake |= is_request and ctx.method not in HANDSHAKE
        if not is_request or ctx.method in ANSWERED_HERE:
            return await call_next(ctx)
        self.build()
        for middleware in reversed(self.middleware[self._first_middleware :]):
            call_next = partial(middleware, call_next=call_next)
        return await call_next(ctx)

    async def _list_tools(
        self, ctx: "ServerRequestContext[Any, Any]", _: object
    ) -> ListToolsResult:
        from geekai_video_mcp.server.card import (
            CARD_LIST_SCOPE,
            CARD_TOOLS,
            supports_card,
            with_card,
        )
        from geekai_video_mcp.server.offer import TOOLS

        tools = [spec.publish(self._default_models) for spec in TOOLS]
        if not supports_card(ctx.session.client_capabilities):
            return ListToolsResult(tools=tools)
        for tool in tools:
            if tool.name in CARD_TOOLS:
                tool.meta = with_card(tool.meta)
        return ListToolsResult(tools=tools, cache_scope=CARD_LIST_SCOPE)


async def _unbuilt(*_: object) -> NoReturn:
    msg = "only the server that is built handles this, and it is built before the request is"
    raise RuntimeError(msg)
