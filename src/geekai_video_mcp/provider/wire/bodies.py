"""The bytes of a response: read as JSON within bounds, or as far as they say something. Pure."""

import json
import string
from collections.abc import Mapping
from typing import Final, cast

from pydantic_core import from_json

MAX_ITEMS: Final = 100_000
"""Commas, braces and brackets in a body that is read as JSON. A page of a hundred models has
about 5,000, and a picture in base64 none; 64 MB of empty objects would take gigabytes."""
MAX_ID_BYTES: Final = 512
"""Some gateways put facts of the task into its id; it has to fit into a slot of the journal."""
_ID_CHARS: Final = frozenset((string.ascii_letters + string.digits + "-_.:|=+@~").encode())
_BLANK: Final = b" \t\r\n"


def parse_object(body: bytes) -> Mapping[str, object] | None:
    """The JSON object in *body*, after any blank keep-alive lines; None if there is none.

    An array of one object is read as that object: some gateways wrap every answer in one.
    """
    if body.count(b",") + body.count(b"{") + body.count(b"[") > MAX_ITEMS:
        return None
    try:
        # It reads bytes as they are; json makes a text first, up to four times as large.
        parsed: object = from_json(body)
    except ValueError:
        try:
            # It also reads a byte order mark, UTF-16, deep nesting and half a surrogate pair.
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            return None
    entries = cast("list[object]", parsed) if isinstance(parsed, list) else [parsed]
    only = entries[0] if len(entries) == 1 else None
    return cast("Mapping[str, object]", only) if isinstance(only, Mapping) else None


def find_task_id(body: bytes) -> str | None:
    """The task id in a JSON object that broke off or is damaged; None unless exactly one is sure.

    Only a text with its closing quotation mark counts: a number may have broken off as well.
    """
    if not body.lstrip(_BLANK).startswith(b"{"):
        return None
    found = {
        value
        for name in (b'"task_id"', b'"taskId"')
        for value in _texts_after(body, name)
        if is_task_id(value)
    }
    return found.pop() if len(found) == 1 else None


def is_task_id(text: str) -> bool:
    """Whether *text* can be requested as a task, and shown."""
    return text.isprintable() and len(text.encode()) <= MAX_ID_BYTES and text not in {".", ".."}


def _texts_after(body: bytes, name: bytes) -> list[str]:
    """The texts that are the values of the first ten members called *name*."""
    found: list[str] = []
    at = body.find(name)
    for _ in range(10):
        if at < 0:
            break
        rest = body[at + len(name) : at + len(name) + 2 * MAX_ID_BYTES].lstrip(_BLANK)
        value = rest[1:].lstrip(_BLANK)
        end = value.find(b'"', 1)
        if (
            rest[:1] == b":"
            and value[:1] == b'"'
            and end > 1
            and _ID_CHARS.issuperset(value[1:end])
        ):
            found.append(value[1:end].decode("ascii"))
        at = body.find(name, at + 1)
    return found


def excerpt(body: bytes, limit: int) -> str:
    """The first *limit* characters of *body*."""
    return body[: limit * 4].decode("utf-8", "replace")[:limit]
