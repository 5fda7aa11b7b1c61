"""Resource descriptors of a task and its file, for lists and links. Pure.

The title is the caller's own prompt, sanitized, with what tells it from its neighbours. A
descriptor contains nothing of the service's response, and no link from it.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mcp_types import Annotations

from geekai_video_mcp.domain.films import is_preview, part_texts
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.quoting import sanitize

ROOT: Final = "video://tasks"
PROMPT_LIMIT: Final = 40
"""Characters of a prompt in a title: with what follows it, one line of a menu."""
MODEL_LIMIT: Final = 60
"""Characters of a model's id in a description."""
_FOR_USER: Final = Annotations(audience=["user"])
"""A film is played to a person: a model gets nothing from its bytes, and has the contact sheet."""

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
    title: str
    """What a picker shows, and different for any two resources."""
    mime_type: str
    size: int | None = None
    """Bytes; None if they are only known when it is read."""
    annotations: Annotations | None = None


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
    title = _title(task, kind=f"{_kind(task)} task")
    # Many clients show the name in place of the title.
    return ResourceDescriptor(uri=task_uri(task.id), name=title, title=title, mime_type=JSON)


def file_resource(task: Task) -> ResourceDescriptor | None:
    """The resource of the task's file; None while there is none."""
    uri = file_uri(task)
    if uri is None:
        return None
    video = task.media is not Media.IMAGE
    # The file's name, under which a client can save it: it ends in the short id.
    name = os.path.basename(task.file_path or "")  # noqa: PTH119 - `Path` parses all of it
    return ResourceDescriptor(
        uri=uri,
        name=name,
        title=_title(task, kind=f"{_kind(task)} file"),
        mime_type=(WEBM if name.endswith(".webm") else MP4) if video else PNG,
        # An image is served as a PNG, whatever its format on disk.
        size=task.file_bytes if video else None,
        annotations=_FOR_USER if video else None,
    )


def _title(task: Task, *, kind: str) -> str:
    """The prompt, *kind*, the time and the short id: takes of one prompt differ in that alone."""
    at = datetime.fromtimestamp(task.created_at, UTC).strftime("%Y-%m-%d %H:%M")
    prompt = cut_at_word(sanitize(_subject(task)), limit=PROMPT_LIMIT)
    return " · ".join(filter(None, (prompt, kind, at, short_id(task.id))))


def _subject(task: Task) -> str:
    if task.media is Media.FILM:
        return f"film of {', '.join(part_texts(task.request))}"
    return task.prompt


def _kind(task: Task) -> str:
    return f"preview {task.media}" if is_preview(task) else str(task.media)


def cut_at_word(text: str, *, limit: int) -> str:
    """*text* in *limit* characters, cut between two words if one ends in its second half."""
    if len(text) <= limit:
        return text
    head = text[:limit].rpartition(" ")[0].rstrip(" ,;:.-")
    # Chinese has no spaces, and neither has a link.
    return f"{head if len(head) >= limit // 2 else text[: limit - 1]}…"


def describe_resource(task: Task, *, sandbox: bool) -> str:
    """What both resources are, for a list: the model and the time, and whether it is a preview."""
    kind = f"sandbox preview, {task.media}" if sandbox else str(task.media)
    at = datetime.fromtimestamp(task.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if task.media is Media.FILM:
        return f"{'film with sandbox previews' if sandbox else 'film'}, {at}"
    return f"{kind}, {sanitize(task.model, limit=MODEL_LIMIT) or 'unknown model'}, {at}"
