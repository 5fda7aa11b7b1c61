"""Resource descriptors of a task and its file, for lists and links. Pure.

The name is the caller's own prompt or the file name, sanitized. A descriptor contains
nothing of the service's response, and no link from it.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from geekai_video_mcp.domain.films import part_texts
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.quoting import sanitize

ROOT: Final = "video://tasks"
NAME_LIMIT: Final = 60
"""Characters of a prompt in a name: one line of a menu."""

JSON: Final = "application/json"
MP4: Final = "video/mp4"
WEBM: Final = "video/webm"
JPEG: Final = "image/jpeg"
PNG: Final = "image/png"


@dataclass(frozen=True, kw_only=True)
class ResourceDescriptor:
    """One resource in a list or a link; the SDK's types use the same field names."""

    uri: str
    name: str
    mime_type: str
    size: int | None = None
    """Bytes; None if they are only known when it is read."""


def task_uri(task_id: str) -> str:
    return f"{ROOT}/{task_id}"


def file_resource_uris(task_id: str) -> tuple[str, ...]:
    """The resources that exist once a task has a file."""
    return tuple(f"{ROOT}/{task_id}/{part}" for part in ("video", "cover", "frames", "last-frame"))


def file_uri(task: Task) -> str | None:
    """The resource of the task's result; None while there is no file.

    For an image it is `last-frame`, from which a next shot starts: that is the image itself.
    """
    if task.file_status is not FileStatus.STORED:
        return None
    part = "last-frame" if task.media is Media.IMAGE else "video"
    return f"{task_uri(task.id)}/{part}"


def task_resource(task: Task) -> ResourceDescriptor:
    """The resource of the task itself."""
    return ResourceDescriptor(
        uri=task_uri(task.id),
        name=sanitize(_title(task), limit=NAME_LIMIT) or task.id,
        mime_type=JSON,
    )


def file_resource(task: Task) -> ResourceDescriptor | None:
    """The resource of the task's file; None while there is none."""
    uri = file_uri(task)
    if uri is None:
        return None
    video = task.media is not Media.IMAGE
    name = os.path.basename(task.file_path or "")  # noqa: PTH119 - `Path` parses all of it
    return ResourceDescriptor(
        uri=uri,
        name=name,
        mime_type=(WEBM if name.endswith(".webm") else MP4) if video else PNG,
        # An image is served as a PNG, whatever its format on disk.
        size=task.file_bytes if video else None,
    )


def _title(task: Task) -> str:
    if task.media is Media.FILM:
        return f"film of {', '.join(part_texts(task.request))}"
    return str(task.request.get("prompt") or "")


def describe_resource(task: Task, *, sandbox: bool) -> str:
    """What both resources are, for a list: the model and the time, and whether it is a preview."""
    kind = f"sandbox preview, {task.media}" if sandbox else str(task.media)
    at = datetime.fromtimestamp(task.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if task.media is Media.FILM:
        return f"{'film with sandbox previews' if sandbox else 'film'}, {at}"
    return f"{kind}, {sanitize(task.model, limit=NAME_LIMIT) or 'unknown model'}, {at}"
