"""The fingerprint of a request, and its body without inline images. Pure.

Images in a body are megabytes, and a task is read every second: in a task, the size and the
digest of an image replace it. They must never be sent instead of the image, and neither must the
references to other tasks.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from geekai_video_mcp.domain.task_refs import find_refs

INLINE_LIMIT: Final = 1024
"""Characters up to which a data URI stays in a task: enough for an icon."""
_HEAD_CHARS: Final = 64
"""Characters of it that are kept to show its type. What replaces an image must be short itself,
or it would be stripped again, and the same request would have another fingerprint."""


def strip_inline_media(value: object) -> object:
    """*value* with each inline image replaced by its size and digest."""
    if isinstance(value, list):
        return [strip_inline_media(each) for each in cast("list[object]", value)]
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {name: strip_inline_media(member) for name, member in members.items()}
    if isinstance(value, str) and len(value) > INLINE_LIMIT and value.startswith("data:"):
        digest = hashlib.sha256(value.encode()).hexdigest()
        head = value[:_HEAD_CHARS].partition(",")[0]
        return f"{head},... ({len(value):,} characters, sha256 {digest})"
    return value


_STRIPPED: Final = re.compile(r"(?s)data:.*\.\.\. \([\d,]+ characters, sha256 [0-9a-f]{64}\)")


def has_stripped_media(value: object) -> bool:
    """Whether an image in *value* was replaced by its size and digest: it must not be sent."""
    if isinstance(value, list):
        return any(has_stripped_media(each) for each in cast("list[object]", value))
    if isinstance(value, Mapping):
        return any(
            has_stripped_media(member) for member in cast("Mapping[str, object]", value).values()
        )
    return isinstance(value, str) and _STRIPPED.fullmatch(value) is not None


def former_fingerprint(
    media: str, request: Mapping[str, Any], variation: int | None, body: Mapping[str, Any]
) -> str | None:
    """The fingerprint that version 0.1.0 gave to *request*, if it is another one.

    It was taken over *body*, which has links and pictures in the place of references to tasks.
    """
    if not find_refs(request):
        return None
    stripped = {name: strip_inline_media(value) for name, value in body.items()}
    return fingerprint(media, stripped, variation)


def is_sendable(request: Mapping[str, Any]) -> bool:
    """Whether *request*, as a task has it, can be sent: no part of it stands for something else."""
    return not has_stripped_media(request) and not find_refs(request)


def fingerprint(media: str, request: Mapping[str, Any], variation: int | None) -> str:
    """The same for the same request, whatever the order of its members."""
    canonical = json.dumps([media, request, variation], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
