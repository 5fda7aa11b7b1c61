"""The MCP server: everything that it offers, in tables. Importing this module opens nothing.

Everything that knows MCP is in this package. HTTP to GeekAI, SQL and codecs may not enter: the
handlers call the engine, and show what it returns.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import ToolAnnotations

from geekai_video_mcp import __version__
from geekai_video_mcp.app import App, AppFactory
from geekai_video_mcp.server import prompts, resources, tools, views
from geekai_video_mcp.server.arguments import (
    MAX_WAIT_SECONDS,
    GenerateImage,
    GenerateVideo,
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.server.late_app import provide_app
from geekai_video_mcp.server.outside_names import OutsideNames
from geekai_video_mcp.server.tasks_extension import TasksExtension, task_notifications
from geekai_video_mcp.server.tool import ToolSpec
from geekai_video_mcp.server.views import model_list

NAME: Final = "geekai-video-mcp"
INSTRUCTIONS: Final = (
    "Makes videos with GeekAI. 1. generate_video with a prompt; it returns a task_id at once."
    f" 2. get_video_task with that task_id and wait_seconds {MAX_WAIT_SECONDS}, repeated until"
    " it gives a file or fails; a wait that runs out is normal and loses nothing."
    " 3. Look at the frames that come with a finished video, and give the user the file."
    " 4. The next shot: image task:ID begins with its last frame. list_video_models tells what"
    " a model takes, dry_run what a call costs."
    " Every generate_video may cost the user money: never repeat one because it timed out or"
    " because its status is unknown. Results marked sandbox are previews: tell the user so,"
    " and that GEEKAI_API_KEY makes real videos."
)
_PAID: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
_READ_REMOTE: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_READ_LOCAL: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
TOOLS: Final[tuple[ToolSpec[Any], ...]] = (
    ToolSpec(
        name="generate_video",
        title="Generate video",
        description="Make a video from a prompt, also from a first (image) and last (image_tail)"
        " frame. May cost money. Returns a task_id at once; get_video_task follows it.",
        handler=tools.generate,
        arguments=GenerateVideo,
        result=views.Generation,
        annotations=_PAID,
    ),
    ToolSpec(
        name="get_video_task",
        title="Get video task",
        description="See how a task stands and wait for it, free. A finished one comes with its"
        " file and a picture of it.",
        handler=tools.get_video_task,
        arguments=GetVideoTask,
        result=views.VideoTask,
        annotations=_READ_REMOTE,
    ),
    ToolSpec(
        name="list_video_tasks",
        title="List video tasks",
        description="Tasks on this machine, newest first, free: finds what a lost conversation"
        " forgot.",
        handler=tools.list_video_tasks,
        arguments=ListVideoTasks,
        result=views.TaskList,
        annotations=_READ_LOCAL,
    ),
    ToolSpec(
        name="generate_image",
        title="Generate image",
        description="Make a picture, such as a video's first frame (image: task:ID). Arguments as"
        " in generate_video. May cost money; get_video_task follows it.",
        handler=tools.generate,
        arguments=GenerateImage,
        result=views.Generation,
        annotations=_PAID,
    ),
    ToolSpec(
        name="list_video_models",
        title="List video models",
        description="GeekAI's video models: what each takes, its seconds and price.",
        handler=tools.list_video_models,
        arguments=ListVideoModels,
        result=model_list.ModelList,
        annotations=_READ_REMOTE,
    ),
)
LIST_TTL_MS: Final = 3_600_000
"""Milliseconds for which a client may cache a list that only changes with the program."""
_STATIC_LIST: Final = CacheHint(ttl_ms=LIST_TTL_MS, scope="public")


def build_server(open_app: AppFactory) -> MCPServer[App]:
    """A server that opens its `App` when it starts and closes it when it ends."""

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
            OutsideNames(lambda: server.list_tools()),  # noqa: PLW0108 - made below
            resources.fill_dynamic_content,
            resources.SubscriptionMiddleware(bus),
            task_notifications,
            prompts.prepare_prompt_request,
        ],
        tools=[spec.build() for spec in TOOLS],
    )
    server.completion()(resources.completion_stub)
    resources.register_templates(server)
    prompts.register_prompts(server)
    return server
