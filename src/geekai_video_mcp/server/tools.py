"""The handlers of the tools: each calls the engine and turns what it returns into a result."""

import math
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import anyio
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, InputRequiredResult

from geekai_video_mcp.app import App
from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.media_refs import RefKind, ref_kind
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine import SUBMIT_TIMEOUT, Engine, Until
from geekai_video_mcp.engine.delivery_recorder import LEDGER_TIMEOUT
from geekai_video_mcp.engine.exceptions import log_exception
from geekai_video_mcp.errors import GeekAIVideoError, RequestRefused, TaskNotFound, nothing_charged
from geekai_video_mcp.server import MAX_WAIT_SECONDS, results, views
from geekai_video_mcp.server.arguments import (
    Generate,
    GetVideoTask,
    JoinVideos,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.server.confirmation import request_consent
from geekai_video_mcp.server.file_places import error_for, link_to_file
from geekai_video_mcp.server.request_checks import prepare_request
from geekai_video_mcp.server.roots import list_root_folders
from geekai_video_mcp.server.tool import Answer, call_received_at
from geekai_video_mcp.server.views import model_card, model_list

ANSWER_DEADLINE: Final = 18.0
"""Seconds in which a call that does not wait is answered: under 20, as is promised."""
FILM_WAIT: Final = 16.0
"""Seconds that a call waits for its film: the rest of its time is for the contact sheet."""
PICTURE_SECONDS: Final = 8.0
"""Seconds after a wait in which the picture of what has just finished may be made."""


async def generate(args: Generate, app: App, ctx: "Context[App]") -> Answer:
    """Submit the request, and wait if `async` is false; with `dry_run`, only describe it."""
    started, task_id = call_received_at(), None
    key, variation = args.idempotency_key, args.variation
    prepared = await prepare_request(app, args, list_roots=partial(list_root_folders, ctx))
    request, warnings = prepared.request, prepared.warnings
    make_forecast = partial(app.engine.forecast, request, idempotency_key=key, variation=variation)
    if args.dry_run:
        forecast = await make_forecast()
        view = views.dry_run(
            forecast,
            default_model=app.default_models[args.media],
            sandbox=app.engine.account == SANDBOX_URL,
            warnings=warnings,
        )
        return results.text_result(view, views.dry_run_text(view, args.media))
    if app.confirm_above is not None and app.engine.account != SANDBOX_URL:
        with nothing_charged():
            forecast = await make_forecast()
        with app.operations.drain.refusing():
            task_id = await request_consent(ctx, forecast, warnings, above=app.confirm_above)
        if isinstance(task_id, InputRequiredResult):
            return task_id
        started = anyio.current_time()  # the user's time to answer is not counted as waiting
    task, deduplicated = await app.engine.submit(
        request,
        idempotency_key=key,
        variation=variation,
        task_id=task_id,
        # Resolving pictures has already used part of the caller's time.
        wait_seconds=min(SUBMIT_TIMEOUT, started + ANSWER_DEADLINE - anyio.current_time()),
    )
    # Whatever fails from here on, the task exists, and the caller must get its id.
    try:
        if args.waits:
            (task,) = await _wait_for_tasks(app, ctx, [task], ends=started + MAX_WAIT_SECONDS)
        await app.engine.mark_delivered(task)
    except GeekAIVideoError:
        pass
    except Exception as exc:  # noqa: BLE001 - as said above
        log_exception(_wait_for_tasks, exc)
    try:
        return await results.task_result(
            app,
            task,
            ctx,
            view="frames",
            warnings=warnings,
            request=results.Request(deduplicated, prepared.sent_settings),
            picture_deadline=math.inf if args.waits else started + ANSWER_DEADLINE,
        )
    except Exception as exc:  # noqa: BLE001 - as said above
        log_exception(results.task_result, exc)
        return results.bare_result(task)


async def join_videos(args: JoinVideos, app: App, ctx: "Context[App]") -> CallToolResult:
    """Have the parts joined in the background, and wait for the film as long as a call may last."""
    started, audio = call_received_at(), args.audio
    if audio is not None and ref_kind(audio) is RefKind.FILE:
        audio = await app.media.locate_sound(audio, list_roots=partial(list_root_folders, ctx))
    film, deduplicated, notes = await app.engine.make_film(args.parts, audio)
    (film,) = await _wait_for_tasks(app, ctx, [film], ends=started + FILM_WAIT)
    await app.engine.mark_delivered(film)
    return await results.task_result(
        app,
        film,
        ctx,
        view="frames",
        warnings=(*args.notes, *notes),
        request=results.Request(deduplicated, sent={}),
        picture_deadline=started + ANSWER_DEADLINE,
    )


async def get_video_task(args: GetVideoTask, app: App, ctx: "Context[App]") -> CallToolResult:
    """Read the task or the tasks, wait for them if requested, and show the results."""
    started = call_received_at()
    ends = started + args.wait_seconds
    task_id, *others = args.task_ids
    if others:
        return await _get_several(args, app, ctx, ends=ends)
    task = await app.engine.find_or_import(task_id)
    if args.wait_seconds:
        (task,) = await _wait_for_tasks(app, ctx, [task], ends=ends)
    await app.engine.mark_delivered(task)
    return await results.task_result(
        app,
        task,
        ctx,
        view=args.view,
        warnings=args.notes,
        picture_deadline=max(started + ANSWER_DEADLINE, ends + PICTURE_SECONDS),
    )


async def _get_several(
    args: GetVideoTask, app: App, ctx: "Context[App]", *, ends: float
) -> CallToolResult:
    """Read several tasks and wait for them; one that cannot be read does not stop the others."""
    found = await _find_tasks(app, args.task_ids)
    tasks = {task.id: task for task in found.values() if isinstance(task, Task)}
    if tasks:
        newest = await _wait_for_tasks(app, ctx, list(tasks.values()), ends=ends, until=args.until)
        tasks = {task.id: task for task in newest}
    await app.engine.mark_delivered(*tasks.values())
    entries: dict[str, views.Entry] = {}
    for asked, one in found.items():
        if isinstance(one, Task):
            entries[one.id] = results.make_report(app, tasks[one.id])
        else:
            entries[asked] = views.Unread(asked, error_for(app, one))
    return results.several_result(list(entries.values()), until=args.until)


async def _find_tasks(app: App, task_ids: Sequence[str]) -> Mapping[str, Task | GeekAIVideoError]:
    """The task of each id, in the same order, or why it cannot be read."""
    found: dict[str, Task | GeekAIVideoError] = {}

    async def find(task_id: str) -> None:
        try:
            found[task_id] = await app.engine.find_or_import(task_id)
        except GeekAIVideoError as exc:
            found[task_id] = exc

    async with anyio.create_task_group() as group:  # an id that is not ours is asked for at GeekAI
        for task_id in task_ids:
            group.start_soon(find, task_id)
    return {task_id: found[task_id] for task_id in task_ids}


async def list_video_tasks(args: ListVideoTasks, app: App, _: "Context[App]") -> CallToolResult:
    """A page of the ledger; one more task is read than shown, to know whether more follow."""
    engine = app.engine
    tasks = await engine.list_tasks(
        limit=args.limit + 1,
        statuses=views.statuses_of(args.status),
        before=await _find_cursor(engine, args.before) if args.before else None,
        query=args.query,
        since=args.since,
    )
    page, more = tasks[: args.limit], len(tasks) > args.limit
    # Without its cursor, which the next page replaces.
    filters = args.model_dump(exclude_unset=True, exclude_none=True, exclude={"before"})
    links = [link_to_file(app, task) for task in page] if app.remote else None
    view = views.task_list(page, more=more, filters=filters, links=links)
    view = _with_notes(view, args.notes)
    return results.text_result(view, views.task_list_text(view))


async def list_video_models(args: ListVideoModels, app: App, _: "Context[App]") -> CallToolResult:
    """The models of the catalogue, and those that the service lists if there is a key."""
    engine = app.engine
    # The sandbox supports every model but lists only a few.
    sandbox = engine.account == SANDBOX_URL
    listed = None if sandbox else await engine.model_list.fetch()
    live = None if listed is None else catalogue.of_type(listed, "video")
    if args.model:
        view, text = model_card.model_details(args.model, live)
    else:
        view, text = model_list.model_list(args, live, sandbox=sandbox)
    return results.text_result(view, text)


async def _find_cursor(engine: Engine, cursor: str) -> str:
    """The id of the task that *cursor* is; an unknown one would end the list without a word."""
    try:
        return (await engine.find_local(cursor)).id
    except TaskNotFound:
        msg = (
            "before: is no cursor; pass the one that the page before showed, or leave it out for"
            " the first page"
        )
        raise RequestRefused(msg, money=None) from None


def _with_notes(view: views.TaskList, notes: Sequence[str]) -> views.TaskList:
    """The view, which begins what to do next with what was taken otherwise than written."""
    return view.model_copy(update={"next_step": " ".join([*notes, view.next_step])})


async def _wait_for_tasks(
    app: App, ctx: "Context[App]", tasks: Sequence[Task], *, ends: float, until: Until = "all"
) -> Sequence[Task]:
    """The tasks when they settle or time is up, with progress reported every few seconds."""
    started, progress, newest = anyio.current_time(), 0.0, tuple(tasks)
    left = max(0.0, ends - started)  # earlier steps of the call count as waiting
    if not left or all(task.settled for task in tasks):
        return tasks  # as they have just been read
    ids = [task.id for task in tasks]
    # Reached only while another process locks the ledger; then the last known state is returned.
    with anyio.move_on_after(left + LEDGER_TIMEOUT):
        following = app.engine.follow(*tasks, wait_seconds=left, until=until)
        async with aclosing(following) as states:
            async for newest in states:
                # In tenths, because hosts show it to people; strictly growing, by the protocol,
                # even when two changes coincide.
                text = views.several_progress_text(newest, at=app.clock())
                share = app.engine.film_share(ids[0]) if len(ids) == 1 else None
                if share is None:
                    progress = round(max(anyio.current_time() - started, progress + 0.1), 1)
                    await ctx.report_progress(progress, None, text)
                else:
                    progress = round(max(share * 100, progress + 0.01), 2)
                    await ctx.report_progress(progress, 100, f"{text}, {share:.0%} joined")
    return newest
