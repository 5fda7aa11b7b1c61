"""The resource templates: one task as JSON, its file, and its preview images."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.errors import (
    FileElsewhere,
    GeekAIVideoError,
    TaskNotFound,
    describe_os_error,
)
from geekai_video_mcp.media.preview import PreviewRequest
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.file_places import error_for, link_to_file
from geekai_video_mcp.server.pictures import View, render_view
from geekai_video_mcp.server.resource_links import (
    JPEG,
    JSON,
    MP4,
    PNG,
    ROOT,
    file_uri,
    task_uri,
)
from geekai_video_mcp.server.results import task_view
from geekai_video_mcp.server.tool import app_of

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

MAX_PART_DIGITS: Final = 6
MAX_BLOB_BYTES: Final = 8_000_000
"""Bytes of a file that is read as a blob. As base64 it is a third larger, it is one line of JSON,
and both ends hold it in memory several times; a clip of 10 s at 720p has 2 to 6 MB."""


PART_BYTES: Final = 1_572_864
"""Bytes of a part of a video: two MiB as base64. A multiple of three, so that the base64 of the
parts is together the base64 of the whole, which the player card relies on."""
FILE_WAIT_SECONDS: Final = 15.0
"""Seconds that a read waits for a file that is fetched from another machine's place."""


async def read_task(task_id: str, ctx: "Context[App]") -> str:
    task = await _get_task(ctx, task_id)
    return task_view(app_of(ctx), task).model_dump_json(exclude_none=True)


async def read_video(task_id: str, ctx: "Context[App]") -> bytes:
    task = await _require_video(ctx, task_id)
    return await anyio.to_thread.run_sync(
        _read_content, Path(task.file_path or ""), _place_of(ctx, task)
    )


async def read_part(task_id: str, part: str, ctx: "Context[App]") -> bytes:
    task = await _require_video(ctx, task_id)
    number = int(part) if part.isascii() and part.isdigit() and len(part) <= MAX_PART_DIGITS else -1
    content = await anyio.to_thread.run_sync(
        _read_part, Path(task.file_path or ""), number, _place_of(ctx, task)
    )
    if not content:
        msg = f"Task {task.id} has no part {quote(part, limit=64)} of a video; they count from 0."
        raise ResourceNotFoundError(msg)
    return content


async def read_cover(task_id: str, ctx: "Context[App]") -> bytes:
    return await _read_view(ctx, task_id, "cover")


async def read_frames(task_id: str, ctx: "Context[App]") -> bytes:
    return await _read_view(ctx, task_id, "frames")


async def read_last_frame(task_id: str, ctx: "Context[App]") -> bytes:
    task = await _require_stored(ctx, task_id)
    request = PreviewRequest(paths=(Path(task.file_path or ""),), kind="last")
    picture = (await app_of(ctx).render_preview(request)).picture
    if picture is None:
        raise ResourceError(_no_preview_text(_place_of(ctx, task)))
    if len(picture) > MAX_BLOB_BYTES:
        msg = (
            f"The last frame as PNG is {len(picture) / 1e6:.1f} MB, above the"
            f" {MAX_BLOB_BYTES / 1e6:.0f} MB blob limit. task:{task.id} as a call's image is this"
            f" frame; {_place_of(ctx, task)} is the file itself."
        )
        raise ResourceError(msg)
    return picture


class Template(NamedTuple):
    """One kind of resource, as it is published, and the function that reads it."""

    uri: str
    read: Callable[..., Awaitable[str | bytes]]
    """Given a string for each name in braces, and the context."""
    name: str
    title: str
    description: str
    mime_type: str


TEMPLATES: Final = (
    Template(
        f"{ROOT}/{{task_id}}",
        read_task,
        "task",
        "Task",
        "The status of a task and what to do next, as get_video_task gives them",
        JSON,
    ),
    Template(
        f"{ROOT}/{{task_id}}/video",
        read_video,
        "video",
        "Video",
        f"The finished video, up to {MAX_BLOB_BYTES // 1_000_000} MB; a larger one is named by"
        " path",
        MP4,
    ),
    Template(
        f"{ROOT}/{{task_id}}/video/{{part}}",
        read_part,
        "video-part",
        "Part of a video",
        f"The video in parts of {PART_BYTES:,} bytes, from 0 on, for a player",
        "application/octet-stream",
    ),
    Template(
        f"{ROOT}/{{task_id}}/cover",
        read_cover,
        "cover",
        "Cover",
        "One frame from the middle of the video, or the picture, at most 640 pixels wide or high",
        JPEG,
    ),
    Template(
        f"{ROOT}/{{task_id}}/frames",
        read_frames,
        "frames",
        "Contact sheet",
        "Frames of the video in reading order, the first and the last among them, each with its"
        " time; or the picture itself; at most 1,200 pixels wide or high",
        JPEG,
    ),
    Template(
        f"{ROOT}/{{task_id}}/last-frame",
        read_last_frame,
        "last-frame",
        "Last frame",
        "The video's last frame, or the picture, in full size: the next shot can begin with it; up"
        f" to {MAX_BLOB_BYTES // 1_000_000} MB",
        PNG,
    ),
)


def register_templates(server: "MCPServer[App]") -> None:
    """Add every template to *server*."""
    for template in TEMPLATES:
        server.resource(
            template.uri,
            name=template.name,
            title=template.title,
            description=template.description,
            mime_type=template.mime_type,
        )(template.read)


async def _read_view(ctx: "Context[App]", task_id: str, view: View) -> bytes:
    task = await _require_stored(ctx, task_id)
    rendered = await render_view(app_of(ctx), [task], view=view)
    if rendered is None:
        raise ResourceError(_no_preview_text(_place_of(ctx, task)))
    return rendered.jpeg


def _no_preview_text(place: str) -> str:
    return f"No preview of {place}: the file was moved or cannot be decoded."


def _place_of(ctx: "Context[App]", task: Task) -> str:
    """Where the caller finds the file, which is there as far as the ledger knows."""
    app = app_of(ctx)
    if not app.remote:
        return str(task.file_path)
    place = link_to_file(app, task)
    return place.text if place else task_uri(task.id)


def _read_content(path: Path, place: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BLOB_BYTES + 1)
            size = path.stat().st_size
    except OSError as exc:
        raise ResourceError(_unreadable_text(place, exc)) from exc
    if len(content) > MAX_BLOB_BYTES:
        limit = f"{MAX_BLOB_BYTES / 1e6:.0f} MB"
        msg = (
            f"The video is {size / 1e6:.1f} MB, above the {limit} blob limit. Read it from {place}."
        )
        raise ResourceError(msg)
    return content


def _read_part(path: Path, number: int, place: str) -> bytes:
    """The bytes of the part; none if there is no such part."""
    if number < 0:
        return b""
    try:
        with path.open("rb") as file:
            file.seek(number * PART_BYTES)
            return file.read(PART_BYTES)
    except OSError as exc:
        raise ResourceError(_unreadable_text(place, exc)) from exc


def _unreadable_text(place: str, exc: OSError) -> str:
    reason = describe_os_error(exc)
    return f"{quote(place)} cannot be read ({reason}); it may have been moved or deleted."


async def _require_video(ctx: "Context[App]", task_id: str) -> Task:
    """The task with this id, whose video must be on disk."""
    task = await _require_stored(ctx, task_id)
    if task.media is Media.IMAGE:
        raise ResourceError(f"Task {task.id} has an image as its result: read {file_uri(task)}.")
    return task


async def _require_stored(ctx: "Context[App]", task_id: str) -> Task:
    """The task with this id, whose file must be on disk."""
    task = await _get_task(ctx, task_id)
    if task.file_status is not FileStatus.STORED:
        raise ResourceError(f"The task has no file yet. {task_view(app_of(ctx), task).next_step}")
    try:
        return await app_of(ctx).engine.locate_file(task, wait_seconds=FILE_WAIT_SECONDS)
    except FileElsewhere as exc:
        raise ResourceError(exc.message) from exc


async def _get_task(ctx: "Context[App]", task_id: str) -> Task:
    """The task with this id; our errors become the SDK's, which sends their text to the client."""
    try:
        return await app_of(ctx).engine.get_local(task_id)
    except TaskNotFound as exc:
        importable = app_of(ctx).engine.may_import
        elsewhere = "; get_video_task can also look up a task at GeekAI" if importable else ""
        msg = (
            f"Task {quote(exc.task_id, limit=64)} is not recorded here. list_video_tasks lists the"
            f" recorded tasks{elsewhere}."
        )
        raise ResourceNotFoundError(msg) from exc
    except GeekAIVideoError as exc:
        raise ResourceError(error_for(app_of(ctx), exc).message) from exc
