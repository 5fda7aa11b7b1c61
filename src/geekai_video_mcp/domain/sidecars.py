"""The file beside a result that says how it was made, as JSON. Pure.

It ends with a digest of everything before, by which the server knows its own file again and leaves
one that a person has changed. No link of the service is in it, because links are signed: whoever
has one has the file.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from geekai_video_mcp.domain.films import is_preview
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.tasks import FileUpdate, Media, Task

MAX_BYTES: Final = 1_000_000
"""Bytes of such a file: a larger one is none, and is neither written nor read."""

PROGRAM: Final = "geekai-video-mcp"
"""What the member `program` of such a file says."""
_ELSEWHERE: Final = frozenset({"prompt", "model", "async"})
"""Members of a request that stand beside its parameters, or say nothing about the result."""
_DIGEST: Final = re.compile(rb',\n  "digest": "([0-9a-f]{64})"\n\}\n\Z')
_LINK: Final = re.compile(r"https?://[^\s?#]*[?#]\S*", re.IGNORECASE)


class Sidecar(NamedTuple):
    """What such a file says of itself."""

    task_id: str
    unchanged: bool
    """Whether it is as it was written."""


def encode_sidecar(task: Task, file: FileUpdate, *, file_name: str) -> bytes:
    """What is known of the finished *task* and of its *file* of this name."""
    parameters = {name: value for name, value in task.request.items() if name not in _ELSEWHERE}
    price = listed_price(task)
    result = task.result
    facts: dict[str, object] = {
        "program": PROGRAM,
        "task_id": task.id,
        "geekai_id": task.provider_task_id,
        "media": task.media.value,
        "preview": is_preview(task) or None,
        "service": None if task.media is Media.FILM else task.account.partition("#")[0],
        "model": task.model or None,
        "prompt": task.request.get("prompt"),
        "prompt_used": result.revised_prompt if result else None,
        "parameters": _without_queries(parameters) or None,
        "variation": task.variation,
        "notes": list(result.notes) if result and result.notes else None,
        "created_at": _format_time(task.created_at),
        "ended_at": _format_time(task.ended_at),
        "price_cny": price.cny if price else None,
        "price_source": price.source if price else None,
        "price_date": price.read_on if price else None,
        "file": file_name,
        "bytes": file.size_bytes,
        "sha256": file.sha256,
        "seconds": file.seconds,
        "width": file.width,
        "height": file.height,
        "fps": file.fps,
        "audio": file.has_sound,
    }
    known = {name: value for name, value in facts.items() if value is not None}
    # A lone surrogate is written as JSON's own escape of it.
    text = json.dumps(known, ensure_ascii=False, indent=2).encode(errors="backslashreplace")
    digest = hashlib.sha256(text).hexdigest()
    return text.removesuffix(b"\n}") + f',\n  "digest": "{digest}"\n}}\n'.encode()


def read_sidecar(content: bytes) -> Sidecar | None:
    """What *content* says of itself; None if this server has not written it."""
    try:
        facts = cast("object", json.loads(content))
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict):
        return None
    members = cast("dict[str, object]", facts)
    if members.get("program") != PROGRAM or not isinstance(members.get("task_id"), str):
        return None
    return Sidecar(str(members["task_id"]), _has_own_digest(content))


def _has_own_digest(content: bytes) -> bool:
    found = _DIGEST.search(content)
    if found is None:
        return False
    text = content[: found.start()] + b"\n}"
    return hashlib.sha256(text).hexdigest().encode() == found[1]


def _without_queries(value: object) -> object:
    """*value* with each link in it up to its query: a signature stands there."""
    if isinstance(value, str):
        return _LINK.sub(lambda link: re.split("[?#]", link[0], maxsplit=1)[0], value)
    if isinstance(value, (list, tuple)):
        return [_without_queries(each) for each in cast("list[object]", value)]
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {name: _without_queries(member) for name, member in members.items()}
    return value


def _format_time(at: float | None) -> str | None:
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
