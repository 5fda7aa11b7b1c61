"""The MCP server: everything it offers, in one visible list. Importing opens nothing.

`open_app` is the composition root: it alone knows which service the engine talks to, and
it alone starts the sandbox. What is heavy (HTTP, codecs) is imported when first needed, so
that a client gets its answer to `initialize` before anything else is loaded.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import ToolAnnotations

from geekai_video_mcp import __version__, prompts, resources, shelf, tools, views
from geekai_video_mcp.config import Settings
from geekai_video_mcp.engine import Connections, Engine, EngineContext, Resolver
from geekai_video_mcp.inputs import (
    MAX_WAIT_SECONDS,
    GenerateImage,
    GenerateVideo,
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.ledger import Ledger, ProcessRegistry
from geekai_video_mcp.pictures import MediaResolver
from geekai_video_mcp.task_extension import TasksExtension, task_notifications
from geekai_video_mcp.tools import App, tool

if TYPE_CHECKING:
    import httpx

    from geekai_video_mcp.artifacts import Preview, ResultDownloader
    from geekai_video_mcp.client import GeekAIClient

    Transport = Callable[[], httpx.AsyncBaseTransport]

AppFactory = Callable[[], AbstractAsyncContextManager[App]]

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
LIST_TTL_MS: Final = 3_600_000
"""Milliseconds a client may keep a list that only changes with the program."""
_STATIC_LIST: Final = CacheHint(ttl_ms=LIST_TTL_MS, scope="public")


def build_server(open_app: AppFactory) -> MCPServer[App]:
    """A server that opens what it works with when it starts."""

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
            resources.fill_dynamic_content,
            resources.SubscriptionMiddleware(bus),
            task_notifications,
            prompts.validate_prompt_request,
        ],
        tools=[
            tool(
                tools.generate,
                GenerateVideo,
                views.Generation,
                name="generate_video",
                title="Generate video",
                description=tools.GENERATE_VIDEO_DESCRIPTION,
                annotations=_PAID,
            ),
            tool(
                tools.get_video_task,
                GetVideoTask,
                views.VideoTask,
                name="get_video_task",
                title="Get video task",
                description=tools.GET_VIDEO_TASK_DESCRIPTION,
                annotations=_READ_REMOTE,
            ),
            tool(
                tools.list_video_tasks,
                ListVideoTasks,
                views.TaskList,
                name="list_video_tasks",
                title="List video tasks",
                description=tools.LIST_VIDEO_TASKS_DESCRIPTION,
                annotations=_READ_LOCAL,
            ),
            tool(
                tools.generate,
                GenerateImage,
                views.Generation,
                name="generate_image",
                title="Generate image",
                description=tools.GENERATE_IMAGE_DESCRIPTION,
                annotations=_PAID,
            ),
            tool(
                tools.list_video_models,
                ListVideoModels,
                shelf.ModelList,
                name="list_video_models",
                title="List video models",
                description=tools.LIST_VIDEO_MODELS_DESCRIPTION,
                annotations=_READ_REMOTE,
            ),
        ],
    )
    server.completion()(resources.completion_stub)
    resources.register_templates(server)
    prompts.register_prompts(server)
    return server


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncGenerator[App]:
    """Everything behind the tools, for the life of one process.

    Raises:
        StorageUnavailable: the state folder cannot be used.
    """
    async with AsyncExitStack() as stack:
        owners = stack.enter_context(ProcessRegistry(settings.state_dir))
        ledger = await Ledger.open(settings.state_dir)
        stack.push_async_callback(ledger.close)
        transport = await _start_sandbox(settings, stack) if settings.sandbox else None

        # Entered before the engine, so closed after it: its last words need the connections.
        connection_stack = await stack.enter_async_context(AsyncExitStack())

        async def connect() -> Connections:
            return await _open_connections(settings, connection_stack, transport)

        engine = Engine(
            ledger=ledger,
            processes=owners,
            account=settings.account,
            limits=settings.limits,
            connect=connect,
        )
        yield App(
            engine=await stack.enter_async_context(engine.run()),
            default_models=settings.default_models,
            media=MediaResolver(
                output_dir=settings.output_dir,
                folders=settings.image_dirs,
                service=settings.account,
                service_url=settings.base_url,
                find=engine.find_or_import,
            ),
            preview=_preview,
            confirm_above=settings.confirm_above,
        )


@asynccontextmanager
async def open_resolver(settings: Settings) -> AsyncGenerator[Resolver]:
    """What a person's decision needs; nothing is taken up that nobody asked for.

    Raises:
        StorageUnavailable: the state folder cannot be used.
    """
    async with AsyncExitStack() as stack:
        owners = stack.enter_context(ProcessRegistry(settings.state_dir))
        ledger = await Ledger.open(settings.state_dir)
        stack.push_async_callback(ledger.close)
        transport = await _start_sandbox(settings, stack) if settings.sandbox else None
        beyond = await stack.enter_async_context(AsyncExitStack())

        async def connect() -> Connections:
            return await _open_connections(settings, beyond, transport)

        yield Resolver(
            EngineContext(
                ledger=ledger,
                processes=owners,
                account=settings.account,
                limits=settings.limits,
                connect=connect,
                clock=time.time,
            )
        )


async def _open_connections(
    settings: Settings, stack: AsyncExitStack, transport: "Transport | None"
) -> Connections:
    # In a thread: to import HTTP and to read the certificates would hold up every other call.
    service, fetcher = await anyio.to_thread.run_sync(_create_clients, settings, transport)
    return Connections(
        client=await stack.enter_async_context(service),
        downloader=await stack.enter_async_context(fetcher),
    )


def _create_clients(
    settings: Settings, transport: "Transport | None"
) -> "tuple[GeekAIClient, ResultDownloader]":
    from geekai_video_mcp.artifacts import ResultDownloader
    from geekai_video_mcp.client import GeekAIClient

    made = transport() if transport else None
    return (
        GeekAIClient(base_url=settings.base_url, api_key=settings.api_key, transport=made),
        ResultDownloader(settings.output_dir, service_url=settings.base_url, transport=made),
    )


async def _start_sandbox(settings: Settings, stack: AsyncExitStack) -> "Transport":
    """Start the service in this process; the way to it is made when it is needed."""
    from geekai_video_mcp.sandbox.app import Sandbox

    sandbox = Sandbox(settings.state_dir / "sandbox", base_url=settings.base_url)
    await stack.enter_async_context(sandbox)

    def transport() -> "httpx.AsyncBaseTransport":
        import httpx

        # As over a socket: a fault of the sandbox is an HTTP 500 and no exception of ours.
        return httpx.ASGITransport(sandbox.app, raise_app_exceptions=False)

    return transport


async def _preview(path: Path, kind: "Preview") -> bytes | None:
    from geekai_video_mcp.artifacts import render_preview

    return await render_preview(path, kind)
