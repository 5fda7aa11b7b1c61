"""The ids of tasks in an argument, in every form in which callers hold them. Pure."""

import re
from typing import Annotated, Final, cast

from pydantic import BeforeValidator, WithJsonSchema

from geekai_video_mcp.errors import has_hidden

MAX_TASKS: Final = 8
"""Tasks in one call."""
MAX_ID_CHARS: Final = 128
"""Characters of an id: four times those of ours or of GeekAI's."""

_SEPARATORS: Final = re.compile(r"""[\s,;|，、；\[\]{}()<>"'`“”‘’「」]+""")
_ADDRESS: Final = re.compile(r"video://tasks/([^/\s?#,;]+)[^\s,;\"']*", re.IGNORECASE)
_PREFIX: Final = re.compile(
    r"""(?<![\w.:-])(?:task(?:[ _-]?ids?)?|ids?)["']?\s*[:=]\s*""", re.IGNORECASE
)
_SUFFIX: Final = re.compile(r"(?<=[^.…])(?:@[\d.-]*|\.{2,}|…|[.:!])$")
"""A frame of the task (ID@2.5), what shortens an id, or the end of a sentence."""
_WORDS_BETWEEN: Final = frozenset({"task", "tasks", "task_id", "and"})
_NO_IDS: Final = frozenset(
    {"latest", "last", "newest", "recent", "current", "previous", "first", "all", "any", "it"}
)


def parse_task_ids(value: object) -> tuple[str, ...]:
    """The ids in *value*, in order and without repeats: 1 to `MAX_TASKS`.

    A text has them separated by spaces or commas, or is a JSON list; an id may be a number, or
    stand as task:ID, as a resource's address, in quotation marks or in angle brackets.

    Raises:
        ValueError: there is none, or something else, or too many.
    """
    members = cast("list[object]", value) if isinstance(value, list) else [value]
    ids = [task_id for member in members for task_id in _ids_in(member)]
    unique = tuple(dict.fromkeys(ids))
    if not unique:
        msg = "must be a task_id; list_video_tasks shows the ids"
        raise ValueError(msg)
    if len(unique) > MAX_TASKS:
        msg = f"has {len(unique)} ids; at most {MAX_TASKS} are taken in one call"
        raise ValueError(msg)
    return unique


def _ids_in(member: object) -> list[str]:
    if isinstance(member, float) and member.is_integer():
        member = int(member)
    if isinstance(member, int) and not isinstance(member, bool):
        return [str(member)]
    if not isinstance(member, str):
        msg = "must be text, such as the task_id of an earlier result; several separated by spaces"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    if has_hidden(member):
        msg = "contains an invisible character; remove it"
        raise ValueError(msg)
    plain = _PREFIX.sub(" ", _ADDRESS.sub(r" \1 ", member))
    tokens = [_SUFFIX.sub("", token) for token in _SEPARATORS.split(plain)]
    ids = [
        each
        for each in tokens
        if any(map(str.isalnum, each)) and each.casefold() not in _WORDS_BETWEEN
    ]
    for each in ids:
        if each.casefold() in _NO_IDS:
            msg = f'"{each.casefold()}" is no task_id; list_video_tasks shows the ids'
            raise ValueError(msg)
        if len(each) > MAX_ID_CHARS:
            msg = f"must have 1 to {MAX_ID_CHARS} characters for each id"
            raise ValueError(msg)
    return ids


def _to_text(value: object) -> str:
    return " ".join(parse_task_ids(value))


TaskIds = Annotated[str, BeforeValidator(_to_text), WithJsonSchema({"type": "string"})]
"""Ids in a plain text, separated by spaces, whatever the caller wrote."""
