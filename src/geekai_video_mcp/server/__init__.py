"""The MCP server: everything that it offers, in tables. Importing this module opens nothing.

Everything that knows MCP is in this package. HTTP to GeekAI, SQL and codecs may not enter: the
handlers call the engine, and show what it returns.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import ToolAnnotations

from geekai_video_mcp import __version__
from geekai_video_mcp.app import App, AppFactory
from geekai_video_mcp.config import FREE_MODELS
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.server import prompts, resources, tools, views
from geekai_video_mcp.server.arguments import (
    MAX_WAIT_SECONDS,
    GenerateImage,
    GenerateVideo,
    GetVideoTask,
    JoinVideos,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.server.arguments.view_video import ViewVideo
from geekai_video_mcp.server.late_app import provide_app
from geekai_video_mcp.server.outside_names import OutsideNames
from geekai_video_mcp.server.tasks_extension import TasksExtension, task_notifications
from geekai_video_mcp.server.tool import DEFAULT_MODEL, ToolSpec
from geekai_video_mcp.server.view_video import view_video
from geekai_video_mcp.server.views import model_list

NAME: Final = "geekai-video-mcp"
INSTRUCTIONS: Final = (
    # The first paragraph stands alone: one host shows a model no more than its beginning.
    "Makes videos with GeekAI. Call generate_video with a prompt, then get_video_task with its"
    f" task_id and wait_seconds {MAX_WAIT_SECONDS} until it gives a file or fails. A wait that runs"
    " out is normal: wait again. Look at the contact sheet; give the user the file.\n\n"
    "To choose a model or to know a price: list_video_models, or dry_run true. If it is not"
    " known to be free, and the user chose neither the model nor a budget, tell the price and ask"
    " before sending. A request that was"
    " sent cannot be cancelled. After a timeout or an unknown outcome never send generate_video or"
    " generate_image again: find the task with get_video_task or list_video_tasks. A task that"
    " failed may be sent again, changed as its message says. To continue a shot, give the next one"
    ' image "task:ID". To make one film of several shots, trim one, or add music: join_videos.'
    " Results with sandbox true are previews, not made by GeekAI: tell the user"
    " so, and that a GeekAI key (GEEKAI_API_KEY) makes real videos."
)
_PAID: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
_READ_REMOTE: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_MAKE_LOCAL: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_READ_LOCAL: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
TOOLS: Final[tuple[ToolSpec[Any], ...]] = (
    ToolSpec(
        name="generate_video",
        title="Generate video",
        description="Generate a video from a text prompt, optionally starting from a picture"
        " (image) and ending on one (image_tail). Returns a task_id; then call get_video_task to"
        " wait for the file. May cost the user money, and cannot be cancelled."
        f" {DEFAULT_MODEL} For others see list_video_models.",
        handler=tools.generate,
        arguments=GenerateVideo,
        result=views.Generation,
        annotations=_PAID,
        media=Media.VIDEO,
        always_load=True,
    ),
    ToolSpec(
        name="get_video_task",
        title="Get video task",
        description="Get the status of a video, picture or film, waiting up to wait_seconds for it"
        " to finish. Free. A finished one comes with its file and a contact sheet.",
        handler=tools.get_video_task,
        arguments=GetVideoTask,
        result=views.VideoTask,
        annotations=_READ_REMOTE,
        always_load=True,
    ),
    ToolSpec(
        name="generate_image",
        title="Generate image",
        description="Generate a picture, such as the first frame of a video: show it to the user,"
        ' then generate_video with image "task:ID". Waits up to'
        f" {MAX_WAIT_SECONDS} s; if it returns only a task_id, call"
        f" get_video_task. May cost the user money. {DEFAULT_MODEL}",
        handler=tools.generate,
        arguments=GenerateImage,
        result=views.Generation,
        annotations=_PAID,
        media=Media.IMAGE,
    ),
    ToolSpec(
        name="view_video",
        title="View video",
        description="Look at a finished video, film or picture: a contact sheet with its first and"
        " last frame, its cover, or frames at given seconds; several tasks side by side. Free.",
        handler=view_video,
        arguments=ViewVideo,
        result=None,
        annotations=_READ_LOCAL,
    ),
    ToolSpec(
        name="join_videos",
        title="Join videos",
        description="Join finished videos into one film, trim (cut) one, or put music under it."
        " Local and free. Returns an MP4 with its own task_id. Parts are fitted to the first"
        " one's size.",
        handler=tools.join_videos,
        arguments=JoinVideos,
        result=views.Film,
        annotations=_MAKE_LOCAL,
    ),
    ToolSpec(
        name="list_video_tasks",
        title="List video tasks",
        description="List this machine's videos, pictures and films, newest first, with settings,"
        " price, status and file. Free. Use it to find earlier work.",
        handler=tools.list_video_tasks,
        arguments=ListVideoTasks,
        result=views.TaskList,
        annotations=_READ_LOCAL,
    ),
    ToolSpec(
        name="list_video_models",
        title="List video models",
        description="List GeekAI's video models: what each takes, its lengths, sound, camera"
        " control and price. Free. Use it before choosing one.",
        handler=tools.list_video_models,
        arguments=ListVideoModels,
        result=model_list.ModelList,
        annotations=_READ_REMOTE,
    ),
)
LIST_TTL_MS: Final = 3_600_000
"""Milliseconds for which a client may cache a list that only changes with the program."""
_STATIC_LIST: Final = CacheHint(ttl_ms=LIST_TTL_MS, scope="public")


def build_server(
    open_app: AppFactory, *, default_models: Mapping[Media, str] = FREE_MODELS
) -> MCPServer[App]:
    """A server that opens its `App` when it starts and closes it when it ends.

    *default_models* are those that its tools describe as taken when a call names none.
    """

    @asynccontextmanager
    async def lifespan(_: MCPServer[App]) -> AsyncGenerator[App]:
        async with open_app() as app:
            yield app

    bus = InMemorySubscriptionBus()
    server = MCPServer(
        NAME,
        title="GeekAI video",
        version=__version__,
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        log_level="WARNING",
        cache_hints={
            "tools/list": _STATIC_LIST,
            "prompts/list": _STATIC_LIST,
            "resources/templates/list": _STATIC_LIST,
        },
        subscriptions=bus,
        extensions=[TasksExtension()],
        middleware=[
            provide_app,
            OutsideNames([spec.name for spec in TOOLS]),
            resources.fill_dynamic_content,
            resources.SubscriptionMiddleware(bus),
            task_notifications,
            prompts.prepare_prompt_request,
        ],
        tools=[spec.build(default_models) for spec in TOOLS],
    )
    server.completion()(resources.completion_stub)
    resources.register_templates(server)
    prompts.register_prompts(server)
    return server
