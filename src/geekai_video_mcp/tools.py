"""The tools: a request from the model, carried to the engine and told back. Thin.

Errors become speech here and nowhere else: `_spoken` turns ours into a result with
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
from geekai_video_mcp.confirmation import consent
from geekai_video_mcp.engine import LEDGER_TIMEOUT, SUBMIT_TIMEOUT, Engine
from geekai_video_mcp.entries import entry, file_entry
from geekai_video_mcp.errors import GeekAIVideoError, RequestRefused, nothing_charged
from geekai_video_mcp.inputs import (
    WAIT_AT_MOST,
    Arguments,
    Generate,
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.lifecycle import FileStatus, Media, Task
from geekai_video_mcp.pictures import MediaResolver
from geekai_video_mcp.schema import compact_schema, outline_schema
from geekai_video_mcp.wire import GenerationRequest

Picture = Callable[[Path, Any], Awaitable[bytes | None]]


@dataclass(frozen=True, kw_only=True)
class App:
    """What the tools work with; one for each process."""

    engine: Engine
    default_models: Mapping[Media, str]
    pictures: MediaResolver
    preview: Picture
    """`artifacts.render_preview`, handed in: its module is heavy, and most calls need no picture."""
    clock: Callable[[], float] = time.time
    confirm_above: float | None = None
    """CNY above which a person is asked before paying; None: never."""


A = TypeVar("A", bound=Arguments)
Answer = CallToolResult | InputRequiredResult
Handler = Callable[[A, "Context[App]"], Awaitable[Answer]]

ANSWER_WITHIN: Final = 18.0
"""Seconds in which a request is answered, its pictures included: under 20, as is promised."""

VIDEO: Final = (
    "Make a video from a prompt, also from a first (image) and last (image_tail) frame. May cost"
    " money. Returns a task_id at once; get_video_task follows it."
)
IMAGE: Final = (
    "Make a picture, such as a video's first frame (image: task:ID). Arguments as in"
    " generate_video. May cost money; get_video_task follows it."
)
GET: Final = (
    "See how a task stands and wait for it, free. A finished one comes with its file and a"
    " picture of it."
)
LIST: Final = "Tasks on this machine, newest first, free: finds what a lost conversation forgot."

MODELS: Final = "GeekAI's video models: what each takes, its seconds and price."


async def generate(asked: Generate, ctx: "Context[App]") -> Answer:
    """Submit; with `async` false, wait as well; with `dry_run` true, neither."""
    app, began, task_id = _app(ctx), anyio.current_time(), None
    key, variation = asked.idempotency_key, asked.variation
    with nothing_charged():
        wish = await app.pictures.resolve(
            asked.to_request(default_model=app.default_models[asked.body.media]),
            asked.media_fields,
        )
        checked = await _checked(app.engine, wish, key=key, variation=variation)
    request, warnings = type(wish).model_validate(checked.request), checked.warnings
    foresee = partial(app.engine.forecast, request, idempotency_key=key, variation=variation)
    if asked.dry_run:
        forecast = await foresee()
        view = views.dry_run(forecast, sandbox=app.engine.account == SANDBOX_URL, warnings=warnings)
        return _result(view, views.dry_run_text(view, forecast.task.media), failed=False)
    if app.confirm_above is not None and app.engine.account != SANDBOX_URL:
        with nothing_charged():
            forecast = await foresee()
        task_id = await consent(ctx, forecast, warnings, above=app.confirm_above)
        if isinstance(task_id, InputRequiredResult):
            return task_id
        began = anyio.current_time()  # what a person took to answer was not waiting
    task, repeated = await app.engine.submit(
        request,
        idempotency_key=key,
        variation=variation,
        task_id=task_id,
        # Pictures took their part of the caller's patience.
        timeout=min(SUBMIT_TIMEOUT, began + ANSWER_WITHIN - anyio.current_time()),
    )
    # Whatever fails from here on, the task is under way: its id must reach the caller.
    with suppress(GeekAIVideoError):
        if not asked.async_:
            task = await _wait(app, ctx, task, ends=began + WAIT_AT_MOST)
        await app.engine.mark_delivered(task)
    at, sandbox = app.clock(), task.account == SANDBOX_URL
    say = views.repeated_text if repeated else views.text
    return _result(
        views.generation(task, at=at, sandbox=sandbox, repeated=repeated, warnings=warnings),
        say(task, at=at, sandbox=sandbox) + views.warned(warnings),
        failed=views.failed(task),
        link=_link(task),
    )


async def _checked(
    engine: Engine, wish: GenerationRequest, *, key: str | None, variation: int | None
) -> catalogue.CheckedRequest:
    """The request by what is known of its model; a repeat of what was sent is never refused."""
    if wish.media is Media.IMAGE:  # of whose models nothing is described here
        return catalogue.with_general_warnings(wish.to_json())
    try:
        return catalogue.check_request(wish.to_json(), live=_videos(engine.model_list.cached()))
    except RequestRefused:
        # What is known may have changed since. Its caller must find the task, not hear that
        # nothing was charged.
        forecast = await engine.forecast(wish, idempotency_key=key, variation=variation)
        if forecast.duplicate_of is None:
            raise
        return catalogue.with_general_warnings(wish.to_json())


async def get_video_task(asked: GetVideoTask, ctx: "Context[App]") -> CallToolResult:
    """Look, wait if asked to, and show what came out."""
    app, began = _app(ctx), anyio.current_time()
    task = await app.engine.find_or_import(asked.task_id)
    task = await _wait(app, ctx, task, ends=began + asked.wait_seconds)
    await note_told(app, task)
    return await shown(app, task, preview=asked.preview)


async def shown(app: App, task: Task, *, preview: str) -> CallToolResult:
    """The task as it stands, with a picture of what came out."""
    told = _told(app, task)
    if preview != "none" and task.file_status is FileStatus.STORED:
        told.content.extend(await _pictures(app, task, preview))
    return told


async def note_told(app: App, task: Task) -> None:
    """Note that a caller was told how the task ended, if it has."""
    with suppress(GeekAIVideoError):  # unnoted, a repeat finds it once more
        await app.engine.mark_delivered(task)


async def list_video_tasks(asked: ListVideoTasks, ctx: "Context[App]") -> CallToolResult:
    """A page of the ledger; one task more is read than shown, to tell whether any follow."""
    statuses = views.statuses_of(asked.status)
    found = await _app(ctx).engine.list_tasks(
        limit=asked.limit + 1, statuses=statuses, before=asked.before
    )
    page, more = found[: asked.limit], len(found) > asked.limit
    view = views.task_list(page, more=more, sandbox=SANDBOX_URL)
    return _result(view, views.task_list_text(view), failed=False)


async def list_video_models(asked: ListVideoModels, ctx: "Context[App]") -> CallToolResult:
    """What is packaged, and what the service says of it if there is a key to ask with."""
    engine = _app(ctx).engine
    # The sandbox takes every model, and lists a few alone.
    listed = None if engine.account == SANDBOX_URL else _videos(await engine.model_list.fetch())
    view, words = shelf.card(asked.model, listed) if asked.model else shelf.shelf(asked, listed)
    return _result(view, words, failed=False)


def _videos(
    listed: tuple[catalogue.LiveModel, ...] | None,
) -> dict[str, catalogue.LiveModel] | None:
    return None if listed is None else catalogue.of_type(listed, "video")


async def _wait(app: App, ctx: "Context[App]", task: Task, *, ends: float) -> Task:
    """The task when it settles or time is up, with a sign of life every few seconds."""
    began, told, newest = anyio.current_time(), 0.0, task
    at_most = max(0.0, ends - began)  # what came before it was waiting as well
    # Beyond that only while another process holds the ledger: then what is known must do.
    with anyio.move_on_after(at_most + LEDGER_TIMEOUT):
        async with aclosing(app.engine.follow(task.id, timeout=at_most)) as states:
            async for newest in states:
                # Strictly growing, by the specification, even when two things happen at once.
                told = max(anyio.current_time() - began, told + 0.001)
                await ctx.report_progress(told, None, views.progress(newest, at=app.clock()))
    return newest


async def _pictures(app: App, task: Task, kind: str) -> list[ImageContent]:
    kind = "picture" if task.media is Media.IMAGE else kind
    jpeg = await app.preview(Path(task.file_path or ""), kind)
    if jpeg is None:
        return []
    return [ImageContent(data=base64.b64encode(jpeg).decode(), mime_type="image/jpeg")]


def standing(app: App, task: Task) -> views.VideoTask:
    """How *task* stands, as `get_video_task` tells it now."""
    ours = task.account == app.engine.account
    # By the task and not by the server: one ledger may hold previews and paid videos.
    return views.video_task(task, at=app.clock(), sandbox=task.account == SANDBOX_URL, ours=ours)


def _told(app: App, task: Task) -> CallToolResult:
    at, ours, sandbox = app.clock(), task.account == app.engine.account, task.account == SANDBOX_URL
    return _result(
        standing(app, task),
        views.text(task, at=at, sandbox=sandbox, ours=ours),
        failed=views.failed(task),
        link=_link(task),
    )


def _link(task: Task) -> ResourceLink:
    """A link to the task's file, or to the task while there is none."""
    sandbox = task.account == SANDBOX_URL
    linked = file_entry(task, sandbox=sandbox) or entry(task, sandbox=sandbox)
    # The result around it describes the task; the conversation pays for every word.
    return ResourceLink(**asdict(replace(linked, description=None)))


def _result(
    view: BaseModel, text: str, *, failed: bool, link: ResourceLink | None = None
) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(text=text), *([link] if link else [])],
        structured_content=view.model_dump(mode="json", exclude_none=True),
        is_error=failed,
    )


LINKS_SINCE: Final = "2025-06-18"
"""The revision that brought links into results; an older client may trip over one."""


def _fitting(result: Answer, revision: str | None) -> Answer:
    """The result in what the client's revision of the protocol knows."""
    if isinstance(result, CallToolResult) and (revision or "") < LINKS_SINCE:
        result.content = [one for one in result.content if not isinstance(one, ResourceLink)]
    return result


def _app(ctx: "Context[App]") -> App:
    return ctx.request_context.lifespan_context


class _Untouched(ArgModelBase):
    """Lets the arguments through whole: what is wrong with them is said by `Arguments.read_file`."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        return {"arguments": dict(self.__pydantic_extra__ or {})}


def tool(
    handler: "Handler[A]",
    arguments: type[A],
    result: type[views.Outlined],
    *,
    name: str,
    title: str,
    description: str,
    annotations: ToolAnnotations,
) -> Tool:
    """A tool whose flat arguments and typed result are published in compact schemas."""

    async def call(arguments: dict[str, Any], ctx: "Context[App]") -> Answer:
        try:
            service_url = _app(ctx).pictures.service_url
            result = await handler(reading.read(arguments, service_url=service_url), ctx)
            return _fitting(result, ctx.protocol_version)
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
            arg_model=_Untouched,
            output_model=result,
            output_schema=outline_schema(result, result.outline),
        ),
    )
