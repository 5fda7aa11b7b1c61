"""The tools: a request from the model, carried to the engine and told back. Thin.

Errors become speech here and nowhere else: `_declares_extension` turns ours into a result with
`isError`, and every other kind is a fault of ours that the SDK withholds.
"""

import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import (
    CallToolResult,
    ImageContent,
    InputRequiredResult,
    ResourceLink,
    TextContent,
    ToolAnnotations,
)
from pydantic import BaseModel, ConfigDict

from geekai_video_mcp import catalogue, shelf, views
from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.confirmation import request_consent
from geekai_video_mcp.engine import LEDGER_TIMEOUT, SUBMIT_TIMEOUT, Engine
from geekai_video_mcp.entries import file_resource, task_resource
from geekai_video_mcp.errors import GeekAIVideoError, RequestRefused, nothing_charged
from geekai_video_mcp.inputs import (
    MAX_WAIT_SECONDS,
    Arguments,
    Generate,
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.lifecycle import Media, Task
from geekai_video_mcp.pictures import MediaResolver
from geekai_video_mcp.schema import compact_schema, published_schema
from geekai_video_mcp.statuses import FileStatus
from geekai_video_mcp.wire import GenerationRequest

RenderPreview = Callable[[Path, Any], Awaitable[bytes | None]]


@dataclass(frozen=True, kw_only=True)
class App:
    """What the tools work with; one for each process."""

    engine: Engine
    default_models: Mapping[Media, str]
    media: MediaResolver
    preview: RenderPreview
    """`artifacts.render_preview`, handed in: its module is heavy, and most calls need none."""
    clock: Callable[[], float] = time.time
    confirm_above: float | None = None
    """CNY above which a person is asked before paying; None: never."""


A = TypeVar("A", bound=Arguments)
Answer = CallToolResult | InputRequiredResult
Handler = Callable[[A, "Context[App]"], Awaitable[Answer]]

ANSWER_DEADLINE: Final = 18.0
"""Seconds in which a request is answered, its pictures included: under 20, as is promised."""

GENERATE_VIDEO_DESCRIPTION: Final = (
    "Make a video from a prompt, also from a first (image) and last (image_tail) frame. May cost"
    " money. Returns a task_id at once; get_video_task follows it."
)
GENERATE_IMAGE_DESCRIPTION: Final = (
    "Make a picture, such as a video's first frame (image: task:ID). Arguments as in"
    " generate_video. May cost money; get_video_task follows it."
)
GET_VIDEO_TASK_DESCRIPTION: Final = (
    "See how a task stands and wait for it, free. A finished one comes with its file and a"
    " picture of it."
)
LIST_VIDEO_TASKS_DESCRIPTION: Final = (
    "Tasks on this machine, newest first, free: finds what a lost conversation forgot."
)

LIST_VIDEO_MODELS_DESCRIPTION: Final = (
    "GeekAI's video models: what each takes, its seconds and price."
)


async def generate(args: Generate, ctx: "Context[App]") -> Answer:
    """Submit; with `async` false, wait as well; with `dry_run` true, neither."""
    app, began, task_id = _app_of(ctx), anyio.current_time(), None
    key, variation = args.idempotency_key, args.variation
    with nothing_charged():
        wish = await app.media.resolve(
            args.to_request(default_model=app.default_models[args.request_type.media]),
            args.media_fields,
        )
        checked = await _check_catalogue(app.engine, wish, key=key, variation=variation)
    request, warnings = type(wish).model_validate(checked.request), checked.warnings
    foresee = partial(app.engine.forecast, request, idempotency_key=key, variation=variation)
    if args.dry_run:
        forecast = await foresee()
        view = views.dry_run(forecast, sandbox=app.engine.account == SANDBOX_URL, warnings=warnings)
        return _tool_result(view, views.dry_run_text(view, forecast.task.media), failed=False)
    if app.confirm_above is not None and app.engine.account != SANDBOX_URL:
        with nothing_charged():
            forecast = await foresee()
        task_id = await request_consent(ctx, forecast, warnings, above=app.confirm_above)
        if isinstance(task_id, InputRequiredResult):
            return task_id
        began = anyio.current_time()  # what a person took to answer was not waiting
    task, repeated = await app.engine.submit(
        request,
        idempotency_key=key,
        variation=variation,
        task_id=task_id,
        # Pictures took their part of the caller's patience.
        wait_seconds=min(SUBMIT_TIMEOUT, began + ANSWER_DEADLINE - anyio.current_time()),
    )
    # Whatever fails from here on, the task is under way: its id must reach the caller.
    with suppress(GeekAIVideoError):
        if not args.async_:
            task = await _wait_for_task(app, ctx, task, ends=began + MAX_WAIT_SECONDS)
        await app.engine.mark_delivered(task)
    at, sandbox = app.clock(), task.account == SANDBOX_URL
    say = views.duplicate_text if repeated else views.task_text
    return _tool_result(
        views.generation_result(
            task, at=at, sandbox=sandbox, deduplicated=repeated, warnings=warnings
        ),
        say(task, at=at, sandbox=sandbox) + views.warnings_text(warnings),
        failed=views.is_failure(task),
        link=_resource_link(task),
    )


async def _check_catalogue(
    engine: Engine, request: GenerationRequest, *, key: str | None, variation: int | None
) -> catalogue.CheckedRequest:
    """The request by what is known of its model; a repeat of what was sent is never refused."""
    if request.media is Media.IMAGE:  # of whose models nothing is described here
        return catalogue.with_general_warnings(request.to_json())
    try:
        return catalogue.check_request(
            request.to_json(), live=_video_models(engine.model_list.cached())
        )
    except RequestRefused:
        # What is known may have changed since. Its caller must find the task, not hear that
        # nothing was charged.
        forecast = await engine.forecast(request, idempotency_key=key, variation=variation)
        if forecast.duplicate_of is None:
            raise
        return catalogue.with_general_warnings(request.to_json())


async def get_video_task(args: GetVideoTask, ctx: "Context[App]") -> CallToolResult:
    """Look, wait if asked to, and show what came out."""
    app, began = _app_of(ctx), anyio.current_time()
    task = await app.engine.find_or_import(args.task_id)
    task = await _wait_for_task(app, ctx, task, ends=began + args.wait_seconds)
    await mark_delivered(app, task)
    return await task_result(app, task, preview=args.preview)


async def task_result(app: App, task: Task, *, preview: str) -> CallToolResult:
    """The task as it stands, with a picture of what came out."""
    told = _task_result(app, task)
    if preview != "none" and task.file_status is FileStatus.STORED:
        told.content.extend(await _preview_images(app, task, preview))
    return told


async def mark_delivered(app: App, task: Task) -> None:
    """Note that a caller was told how the task ended, if it has."""
    with suppress(GeekAIVideoError):  # unnoted, a repeat finds it once more
        await app.engine.mark_delivered(task)


async def list_video_tasks(args: ListVideoTasks, ctx: "Context[App]") -> CallToolResult:
    """A page of the ledger; one task more is read than shown, to tell whether any follow."""
    statuses = views.statuses_of(args.status)
    found = await _app_of(ctx).engine.list_tasks(
        limit=args.limit + 1, statuses=statuses, before=args.before
    )
    page, more = found[: args.limit], len(found) > args.limit
    view = views.task_list(page, more=more, sandbox=SANDBOX_URL)
    return _tool_result(view, views.task_list_text(view), failed=False)


async def list_video_models(args: ListVideoModels, ctx: "Context[App]") -> CallToolResult:
    """What is packaged, and what the service says of it if there is a key to ask with."""
    engine = _app_of(ctx).engine
    # The sandbox takes every model, and lists a few alone.
    listed = (
        None if engine.account == SANDBOX_URL else _video_models(await engine.model_list.fetch())
    )
    view, words = (
        shelf.model_details(args.model, listed) if args.model else shelf.model_list(args, listed)
    )
    return _tool_result(view, words, failed=False)


def _video_models(
    listed: tuple[catalogue.LiveModel, ...] | None,
) -> dict[str, catalogue.LiveModel] | None:
    return None if listed is None else catalogue.of_type(listed, "video")


async def _wait_for_task(app: App, ctx: "Context[App]", task: Task, *, ends: float) -> Task:
    """The task when it settles or time is up, with a sign of life every few seconds."""
    began, told, newest = anyio.current_time(), 0.0, task
    at_most = max(0.0, ends - began)  # what came before it was waiting as well
    # Beyond that only while another process holds the ledger: then what is known must do.
    with anyio.move_on_after(at_most + LEDGER_TIMEOUT):
        async with aclosing(app.engine.follow(task.id, wait_seconds=at_most)) as states:
            async for newest in states:
                # Strictly growing, by the specification, even when two things happen at once.
                told = max(anyio.current_time() - began, told + 0.001)
                await ctx.report_progress(told, None, views.progress_text(newest, at=app.clock()))
    return newest


async def _preview_images(app: App, task: Task, kind: str) -> list[ImageContent]:
    kind = "picture" if task.media is Media.IMAGE else kind
    jpeg = await app.preview(Path(task.file_path or ""), kind)
    if jpeg is None:
        return []
    return [ImageContent(data=base64.b64encode(jpeg).decode(), mime_type="image/jpeg")]


def task_view(app: App, task: Task) -> views.VideoTask:
    """How *task* stands, as `get_video_task` tells it now."""
    ours = task.account == app.engine.account
    # By the task and not by the server: one ledger may hold previews and paid videos.
    return views.video_task(
        task, at=app.clock(), sandbox=task.account == SANDBOX_URL, same_account=ours
    )


def _task_result(app: App, task: Task) -> CallToolResult:
    at, ours, sandbox = app.clock(), task.account == app.engine.account, task.account == SANDBOX_URL
    return _tool_result(
        task_view(app, task),
        views.task_text(task, at=at, sandbox=sandbox, same_account=ours),
        failed=views.is_failure(task),
        link=_resource_link(task),
    )


def _resource_link(task: Task) -> ResourceLink:
    """A link to the task's file, or to the task while there is none."""
    sandbox = task.account == SANDBOX_URL
    linked = file_resource(task, sandbox=sandbox) or task_resource(task, sandbox=sandbox)
    # The result around it describes the task; the conversation pays for every word.
    return ResourceLink(**asdict(replace(linked, description=None)))


def _tool_result(
    view: BaseModel, text: str, *, failed: bool, link: ResourceLink | None = None
) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(text=text), *([link] if link else [])],
        structured_content=view.model_dump(mode="json", exclude_none=True),
        is_error=failed,
    )


RESOURCE_LINKS_SINCE: Final = "2025-06-18"
"""The revision that brought links into results; an older client may trip over one."""


def _for_revision(result: Answer, revision: str | None) -> Answer:
    """The result in what the client's revision of the protocol knows."""
    if isinstance(result, CallToolResult) and (revision or "") < RESOURCE_LINKS_SINCE:
        result.content = [one for one in result.content if not isinstance(one, ResourceLink)]
    return result


def _app_of(ctx: "Context[App]") -> App:
    return ctx.request_context.lifespan_context


class _PassThroughArgs(ArgModelBase):
    """Lets the arguments through whole: what is wrong with them is said by `Arguments.parse`."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        return {"arguments": dict(self.__pydantic_extra__ or {})}


def tool(
    handler: "Handler[A]",
    arguments: type[A],
    result: type[views.ToolResult],
    *,
    name: str,
    title: str,
    description: str,
    annotations: ToolAnnotations,
) -> Tool:
    """A tool whose flat arguments and typed result are published in compact schemas."""

    async def call(arguments: dict[str, Any], ctx: "Context[App]") -> Answer:
        try:
            service_url = _app_of(ctx).media.service_url
            result = await handler(reading.parse(arguments, service_url=service_url), ctx)
            return _for_revision(result, ctx.protocol_version)
        except GeekAIVideoError as exc:
            return CallToolResult(content=[TextContent(text=exc.message)], is_error=True)

    reading = arguments
    return Tool(
        fn=call,
        name=name,
        title=title,
        description=description,
        is_async=True,
        context_kwarg="ctx",
        parameters=compact_schema(arguments, mode="validation"),
        annotations=annotations,
        fn_metadata=FuncMetadata(
            arg_model=_PassThroughArgs,
            output_model=result,
            output_schema=published_schema(result, result.published_fields),
        ),
    )
