"""Everything that the server offers, in tables, and the server from them.

Importing this module opens nothing.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import ToolAnnotations

from geekai_video_mcp import __version__
from geekai_video_mcp.app import App, AppFactory
from geekai_video_mcp.config import FREE_MODELS
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.server import (
    CACHE_HINTS,
    INSTRUCTIONS,
    MAX_WAIT_SECONDS,
    NAME,
    TITLE,
    prompts,
    resources,
    tools,
    views,
)
from geekai_video_mcp.server.arguments import (
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
        title=TITLE,
        version=__version__,
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        log_level="WARNING",
        cache_hints=CACHE_HINTS,
        subscriptions=bus,
        extensions=[TasksExtension()],
        middleware=[
            provide_app,
            OutsideNames(lambda: server.list_tools()),  # noqa: PLW0108 - made below
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
