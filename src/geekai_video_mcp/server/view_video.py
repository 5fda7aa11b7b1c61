"""The handler of `view_video`: a picture of finished tasks, and a line of text for each.

Its results have no structured content, because some hosts drop text and pictures beside it. The
text comes first and the picture last; an error has no picture.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import anyio
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ImageContent, TextContent

from geekai_video_mcp.app import App
from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.films import is_preview
from geekai_video_mcp.domain.statuses import NO_RESULT, FileStatus, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.errors import FileElsewhere, TaskNotFound
from geekai_video_mcp.media.inspection import REASONS, Reason
from geekai_video_mcp.media.preview import ShownFile
from geekai_video_mcp.quoting import (
    as_sentence,
    quote,
    quote_unless_id,
)
from geekai_video_mcp.server import MAX_WAIT_SECONDS, views
from geekai_video_mcp.server.arguments.view_video import ViewVideo
from geekai_video_mcp.server.file_places import place_of_picture
from geekai_video_mcp.server.pictures import (
    RenderedView,
    Unrenderable,
    client_name,
    picture_file_text,
    render_stored,
    shows_pictures,
)
from geekai_video_mcp.server.tool import call_received_at
from geekai_video_mcp.server.views.times import length_and_size

ANSWER_DEADLINE: Final = 17.0
"""Seconds in which the call is answered, whatever the disk and the decoders do."""
FILE_WAIT_SECONDS: Final = 8.0
"""Seconds of it for files that another machine has stored."""
TOO_LATE: Final = (
    "The picture was not ready in time, because this computer is busy. Call view_video again; with"
    " fewer tasks it is faster."
)


class Entry(NamedTuple):
    """One of the tasks that were asked for."""

    task: Task | None
    problem: str | None
    """Why it cannot be shown and what to do, in sentences; None as far as is known."""


async def view_video(args: ViewVideo, app: App, ctx: "Context[App]") -> CallToolResult:
    """Show the tasks that can be shown, and say of each other one why it cannot."""
    inline = shows_pictures(client_name(ctx.session), app.preview)
    with anyio.CancelScope(deadline=call_received_at() + ANSWER_DEADLINE):
        return await _show_tasks(app, args, inline=inline)
    return _error_result([TOO_LATE])


async def _show_tasks(app: App, args: ViewVideo, *, inline: bool) -> CallToolResult:
    found = [await _find_task(app, task_id) for task_id in args.task_ids]
    found = await _locate_files(app, found)
    entries = list(
        {entry.task.id if entry.task else entry.problem: entry for entry in found}.values()
    )
    tasks = [entry.task for entry in entries if entry.task and not entry.problem]
    rendered: RenderedView | None = None
    files: Sequence[ShownFile] = ()
    if tasks:
        try:
            rendered = await render_stored(app, tasks, view=args.view, at=args.at or ())
            files = rendered.files
        except Unrenderable as exc:
            files = exc.files
    shown = dict(zip((task.id for task in tasks), files, strict=True))
    several = sum(file.reason is None for file in files) > 1
    lines = [_describe(entry, shown, args, several=several, remote=app.remote) for entry in entries]
    seen = [task for task in tasks if shown[task.id].reason is None]
    if rendered is None:
        return _error_result(lines)
    # A picture of several is saved beside the first of them, whether that can be shown or not.
    place = place_of_picture(app, tasks[0], rendered.path) if rendered.path else None
    if not inline and place is None:
        return _error_result([*lines, _NOT_SAVED])
    if several:
        lines.insert(0, "Side by side, each named by the first digits of its task_id:")
    previews = [task for task in seen if is_preview(task)]
    if previews:
        lines.append(_previews_text(previews, of=len(seen)))
    if place is not None:
        lines.append(picture_file_text(place, inline=inline))
    await app.engine.mark_delivered(*seen)
    content: list[TextContent | ImageContent] = [
        TextContent(text=("\n" if len(entries) > 1 else " ").join(lines))
    ]
    if inline:
        data = base64.b64encode(rendered.jpeg).decode()
        content.append(ImageContent(data=data, mime_type="image/jpeg"))
    return CallToolResult(content=[*content])


def _previews_text(previews: Sequence[Task], *, of: int) -> str:
    """Which of the videos that are shown are not GeekAI's."""
    if len(previews) == of:
        subject = "This is a sandbox preview" if of == 1 else "These are sandbox previews"
        return f"{subject}, not made by GeekAI."
    names = ", ".join(short_id(task.id) for task in previews)
    verb = "is a sandbox preview" if len(previews) == 1 else "are sandbox previews"
    return f"{names} {verb}, not made by GeekAI."


_NOT_SAVED: Final = (
    "This client cannot show pictures, and the picture could not be saved beside its video. The"
    " operator lets this server write in that folder, or sets GEEKAI_PREVIEW to inline."
)


def _error_result(lines: Sequence[str]) -> CallToolResult:
    return CallToolResult(content=[TextContent(text="\n".join(lines))], is_error=True)


async def _find_task(app: App, task_id: str) -> Entry:
    """The task, from the ledger alone: what is not recorded here has no file here."""
    try:
        task = await app.engine.find_local(task_id)
    except TaskNotFound as exc:
        if exc.problem is not None:
            return Entry(None, exc.message)
        # The sandbox has no tasks but those recorded here.
        importable = app.engine.may_import and app.engine.account != SANDBOX_URL
        elsewhere = "; get_video_task can also look up a task at GeekAI" if importable else ""
        return Entry(
            None,
            f"Task {quote_unless_id(task_id, limit=64)} is not recorded here."
            f" list_video_tasks lists the recorded tasks{elsewhere}.",
        )
    return Entry(task, _problem_of(task, at=app.clock()))


async def _locate_files(app: App, entries: Sequence[Entry]) -> list[Entry]:
    """The tasks with the files that this machine has, or can have in time."""
    located = list(entries)

    async def locate(number: int, task: Task) -> None:
        try:
            here = await app.engine.locate_file(task, wait_seconds=FILE_WAIT_SECONDS)
            located[number] = Entry(here, None)
        except FileElsewhere as exc:
            located[number] = Entry(task, exc.message)

    async with anyio.create_task_group() as group:
        for number, (task, problem) in enumerate(entries):
            if task is not None and problem is None:
                group.start_soon(locate, number, task)
    return located


def _problem_of(task: Task, *, at: float) -> str | None:
    """Why nothing of the task can be seen here, and what to do; None if it has a file."""
    if task.file_status is FileStatus.STORED and task.file_path:
        return None
    name = short_id(task.id)
    follow = f'get_video_task with task_id "{name}"'
    wait = f"Call {follow} and wait_seconds {MAX_WAIT_SECONDS} first."
    if task.status is Status.UNKNOWN:
        return f"The outcome of task {name} is unknown, so there is nothing to see. Call {follow}."
    if task.status in NO_RESULT or task.status is Status.FAILED:
        return f"Task {name} failed and has no {task.media} to look at; {follow} says why."
    if task.status is not Status.SUCCEED:
        progress = views.progress_text(task, at=at)
        return f"Task {name} is not finished ({progress}), so there is nothing to see yet. {wait}"
    reason = f" {as_sentence(task.file_error)}" if task.file_error else ""
    by_status = {
        FileStatus.NONE: f"is still being downloaded. {wait}",
        FileStatus.LINKED: f"is not on this machine, but only at its link.{reason} Call {follow}"
        " for the link, which the user can open.",
        FileStatus.DELETED: f"cannot be seen any more.{reason} Call {follow} for what can be done.",
    }
    lost = f"could not be fetched and cannot be seen any more.{reason} Call {follow} for more."
    return f"The {task.media} of task {name} {by_status.get(task.file_status, lost)}"


def _describe(
    entry: Entry, shown: dict[str, ShownFile], args: ViewVideo, *, several: bool, remote: bool
) -> str:
    """One task in a line: what is shown of it, or why nothing is."""
    task = entry.task
    if task is None or entry.problem is not None:
        return entry.problem or ""
    file, name = shown[task.id], short_id(task.id)
    if file.reason is not None:
        return _unshown_text(task, file.reason, remote=remote)
    facts = _facts_text(file)
    if file.labels is None:
        return f"{name}: picture, {facts}." if several else f"Picture of task {name}, {facts}."
    kind = "Task" if args.at else _KIND[args.view]
    head = name if several else f"{kind} {name}"
    what = _shown_text(file.labels, args)
    return f"{head}: {what}. The video: {facts}.{_beyond_end_text(file, args)}"


_KIND: Final = {"frames": "Contact sheet of task", "cover": "Cover of task"}


def _shown_text(labels: Sequence[str], args: ViewVideo) -> str:
    """The frames that are shown, in words."""
    *first, last = [label.removesuffix(" s") for label in labels]
    times = f"{', '.join(first)} and {last}" if first else last
    if args.at:
        return f"{'frames' if first else 'the frame'} at {times} s"
    if args.view == "cover":
        return f"the frame at {times} s"
    return f"frames from the first to the last, at {times} s" if first else "its only frame"


def _beyond_end_text(file: ShownFile, args: ViewVideo) -> str:
    if not args.at or file.seconds is None or max(args.at) <= file.seconds:
        return ""
    return " For a time beyond the end, the last frame is shown."


def _facts_text(file: ShownFile) -> str:
    sound = {True: "with sound", False: "without sound", None: None}[file.has_sound]
    facts = (
        *length_and_size(file.seconds, file.width, file.height),
        f"{file.fps:g} fps" if file.fps is not None else None,
        sound if file.labels is not None else None,
    )
    return ", ".join(fact for fact in facts if fact)


def _unshown_text(task: Task, reason: Reason, *, remote: bool) -> str:
    """Why a file that was stored cannot be shown, and what to do."""
    name = short_id(task.id)
    file = f"The file of task {name}"
    if not remote:
        file += f", {quote(str(Path(task.file_path or '')))},"
    if reason is Reason.UNREADABLE:
        where = (
            "Tell the user that the server's operator can put it back."
            if remote
            else "Ask the user where it is; put back in its place, it can be seen again."
        )
        return f"{file} cannot be read: it was moved or deleted. {where}"
    if reason is Reason.NO_ANSWER:
        return f"{file} was not decoded in time. Call view_video again."
    if reason is Reason.BUSY:
        return (
            f"{file} is not shown yet: too many pictures were asked for at the same time. Call"
            " view_video again in ten seconds."
        )
    kind = "picture" if task.media is Media.IMAGE else "video"
    give = "the link of get_video_task" if remote else "its path"
    return (
        f"{file} cannot be shown: {REASONS[reason]}. Give the user {give}; a {kind} player may open"
        " it."
    )
