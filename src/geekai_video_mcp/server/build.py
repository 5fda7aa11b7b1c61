"""The server with everything that it offers, and the functions that handle it.

Importing this module opens nothing.
"""

import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import ModuleType
from typing import Any, Final, cast

from mcp.server.mcpserver import MCPServer
from mcp.server.request_state import RequestStateSecurity

from geekai_video_mcp import __version__
from geekai_video_mcp.app import App
from geekai_video_mcp.config import FREE_MODELS
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.server import (
    INSTRUCTIONS,
    NAME,
    TITLE,
    prompts,
    resources,
    tools,
)
from geekai_video_mcp.server.cache_hints import CACHE_HINTS
from geekai_video_mcp.server.call_limit import limit_calls
from geekai_video_mcp.server.call_tracking import track_call
from geekai_video_mcp.server.card.resource import (
    bind_card,
    card_extension,
    declare_media_origin,
    list_card_for_apps,
)
from geekai_video_mcp.server.jsonrpc import LISTEN
from geekai_video_mcp.server.late_app import AppSource, provide_app
from geekai_video_mcp.server.method_middleware import MethodMiddleware
from geekai_video_mcp.server.offer import TOOLS
from geekai_video_mcp.server.outside_names import OutsideNames
from geekai_video_mcp.server.tasks_extension import TasksExtension, task_notifications
from geekai_video_mcp.server.tool import Handler, build_tool
from geekai_video_mcp.server.view_video import view_video

HANDLERS: Final[Mapping[str, Handler[Any]]] = {
    "generate_video": tools.generate,
    "get_video_task": tools.get_video_task,
    "generate_image": tools.generate,
    "view_video": view_video,
    "join_videos": tools.join_videos,
    "list_video_tasks": tools.list_video_tasks,
    "list_video_models": tools.list_video_models,
}
"""The function that handles the calls of each tool."""


OpenSource = Callable[[], AbstractAsyncContextManager[App | AppSource]]
"""Opens the `App` of all requests, or where that of each is from."""


def build_server(
    open_source: OpenSource,
    *,
    default_models: Mapping[Media, str] = FREE_MODELS,
    request_state: RequestStateSecurity | None = None,
) -> MCPServer[App]:
    """A server that opens its `App` when it starts and closes it when it ends.

    *default_models* are those that its tools describe as taken when a call names none. With
    *request_state* the state of a question is sealed; without, by a key of this process.
    """

    @asynccontextmanager
    async def lifespan(_: MCPServer[App]) -> AsyncGenerator[App]:
        async with open_source() as source:
            # `provide_app` replaces a source before anything looks at it.
            yield cast("App", source)

    with _keeping_rich_out():
        server = MCPServer(
            NAME,
            title=TITLE,
            version=__version__,
            instructions=INSTRUCTIONS,
            lifespan=lifespan,
            log_level="WARNING",
            cache_hints=CACHE_HINTS,
            subscriptions=resources.CallersBus(),
            request_state_security=request_state,
            extensions=[TasksExtension(), card_extension()],
            middleware=[
                limit_calls,
                provide_app,
                track_call,
                OutsideNames([spec.name for spec in TOOLS]),
                MethodMiddleware(
                    {
                        **dict.fromkeys(resources.FILLED, (resources.fill_dynamic_content,)),
                        "tools/list": [bind_card],
                        "resources/list": [list_card_for_apps, resources.fill_dynamic_content],
                        "resources/read": [
                            declare_media_origin,
                            resources.fill_dynamic_content,
                        ],
                        LISTEN: [
                            resources.SubscriptionMiddleware(),
                            task_notifications,
                        ],
                        "prompts/get": [prompts.prepare_prompt_request],
                    }
                ),
            ],
            tools=[build_tool(spec, HANDLERS[spec.name], default_models) for spec in TOOLS],
        )
    server.completion()(resources.completion_stub)
    resources.register_templates(server)
    prompts.register_prompts(server)
    return server


@contextmanager
def _keeping_rich_out() -> Generator[None]:
    """Have the SDK make its log handler without `rich`, which the command line alone needs.

    It would load that, a tenth of a second, for a handler that is never used: ours is there before.
    """
    absent = [name for name in ("rich.console", "rich.logging") if name not in sys.modules]
    for name in absent:
        sys.modules[name] = cast("ModuleType", None)  # importing it is an ImportError
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
