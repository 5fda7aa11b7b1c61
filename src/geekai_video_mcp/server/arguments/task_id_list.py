"""The ids of tasks in an argument, in every form in which callers hold them. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, cast

from pydantic import BeforeValidator, WithJsonSchema

from geekai_video_mcp.server.arguments.json_text import load_json, reject_hidden

MAX_TASKS: Final = 8
"""Tasks in one call."""
MAX_DEPTH: Final = 3
"""Levels of lists and objects around the ids."""
MAX_ID_CHARS: Final = 128
"""Characters of an id: four times those of ours or of GeekAI's."""

_OWN_ID: Final = re.compile(r"[0-9a-f]{8,32}")
"""An id of ours as results show it, in which there is nothing to be read."""
_SEPARATORS: Final = re.compile(r"""[\s,;|，、；\[\]{}()<>*&"'`“”‘’「」]+""")
_ADDRESS: Final = re.compile(r"video://tasks/([^/\s?#,;]+)[^\s,;\"']*", re.IGNORECASE)
_PREFIX: Final = re.compile(
    r"""(?<![\w.:-])(?:task(?:[ _-]?ids?)?|ids?)["']?\s*[:=]\s*""", re.IGNORECASE
)
_SUFFIX: Final = re.compile(r"(?<=[^.…])(?:@[\d.-]*|\.{2,}|…|[.:!])$")
"""A frame of the task (ID@2.5), what shortens an id, or the end of a sentence."""
_FILE: Final = re.compile(
    r"(?:.*[-/\\])?([0-9a-f]{6,32})\.(?:mp4|webm|mov|png|jpe?g|webp)", re.IGNORECASE
)
"""A file that a task made: its name ends in the beginning of the id."""
_ID_MEMBERS: Final = ("task_id", "task_ids", "id", "ids", "tasks")
"""Members that hold the id in an object that a result had, or that a model made up."""
_WORDS_BETWEEN: Final = frozenset(
    {
        *("task", "tasks", "task_id", "task_ids", "id", "ids", "the", "video", "videos", "job"),
        *("and", "or", "和"),
    }
)
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
    if isinstance(value, str) and _OWN_ID.fullmatch(value):
        return (value,)
    ids = [task_id for member in _flatten(value) for task_id in _ids_in(member)]
    unique = tuple(dict.fromkeys(ids))
    if not unique:
        msg = "must be a task_id; list_video_tasks shows the ids"
        raise ValueError(msg)
    if len(unique) > MAX_TASKS:
        msg = f"has {len(unique)} ids; at most {MAX_TASKS} are taken in one call"
        raise ValueError(msg)
    return unique


def _flatten(value: object, *, depth: int = 0) -> list[object]:
    """The members of lists, and what objects with a task_id name, a few levels deep."""
    if depth > MAX_DEPTH:
        return [value]
    value = load_json(value)
    if isinstance(value, list):
        members = cast("list[object]", value)
        return [each for one in members for each in _flatten(one, depth=depth + 1)]
    if isinstance(value, Mapping):
        named = cast("Mapping[str, object]", value)
        for name in _ID_MEMBERS:
            if named.get(name):
                return _flatten(named[name], depth=depth + 1)
    return [value]


def _ids_in(member: object) -> list[str]:
    if isinstance(member, float) and member.is_integer():
        member = int(member)
    if isinstance(member, int) and not isinstance(member, bool):
        return [str(member)]
    if not isinstance(member, str):
        msg = "must be text, such as the task_id of an earlier result; several separated by spaces"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    plain = _PREFIX.sub(" ", _ADDRESS.sub(r" \1 ", reject_hidden(member)))
    tokens = [_SUFFIX.sub("", token).lstrip("#") for token in _SEPARATORS.split(plain)]
    tokens = [file[1] if (file := _FILE.fullmatch(token)) else token for token in tokens]
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
