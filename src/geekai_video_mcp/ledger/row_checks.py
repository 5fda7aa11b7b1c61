"""What a stored row or journal entry may hold: a damaged file may hold anything.

A value that this package does not write makes one row unreadable, with the id of its task, and
never a whole list.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from types import TracebackType
from typing import Any, Final, Literal, cast

from geekai_video_mcp.domain.tasks import (
    Observation,
    Result,
)
from geekai_video_mcp.errors import DATABASE, StorageUnavailable
from geekai_video_mcp.quoting import quote

PARSING_ERRORS: Final = (ValueError, TypeError, RecursionError)
"""What parsing raises for a value that is not of its form."""


class UnreadableRow(Exception):
    """A row holds what no version of this server writes. The message names its task."""

    def __init__(self, kind: str, task_id: object) -> None:
        shown = quote(str(task_id), limit=64).strip('"')
        super().__init__(f"{kind} {shown} holds values that no version of this server writes")


def unreadable_row_error(
    exc: UnreadableRow, access: Literal["opened", "read", "written"]
) -> StorageUnavailable:
    """The error for a call that needs the row, whichever database has it."""
    return StorageUnavailable(
        DATABASE,
        str(exc),
        access=access,
        remedy="The other tasks are not affected. The operator repairs the row, or restores the"
        " database from a backup.",
    )


class unreadable_row:  # noqa: N801 - used as a function; a generator would cost every read more
    """Raise `UnreadableRow` for whatever parsing raises inside the block."""

    def __init__(self, kind: str, task_id: object) -> None:
        self._kind = kind
        self._task_id = task_id

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if isinstance(exc_val, PARSING_ERRORS):
            raise UnreadableRow(self._kind, self._task_id) from exc_val


_decode: Final = json.JSONDecoder().raw_decode
"""As `json.loads`, without the white space around a value, which nothing here writes."""


def parse_object(content: str) -> dict[str, Any]:
    """The members of a JSON object."""
    value, end = _decode(content)
    if not isinstance(value, dict) or end != len(content):
        msg = "not a JSON object"
        raise TypeError(msg)
    return cast("dict[str, Any]", value)


def parse_ids(content: str | None) -> tuple[str, ...]:
    """The ids of a JSON list; none without one."""
    if content is None:
        return ()
    ids: object = json.loads(content)
    members = cast("list[object]", ids) if isinstance(ids, list) else [None]
    if not all(isinstance(each, str) for each in members):
        msg = "not a JSON list of ids"
        raise TypeError(msg)
    return tuple(cast("list[str]", members))


def parse_result(content: str) -> Result:
    """The result that is stored as JSON."""
    members = parse_object(content)
    members["notes"] = tuple(map(str, members.get("notes", ())))
    result = Result(**members)
    check_types(result)
    return result


def check_types(record: Result | Observation) -> None:
    """Refuse texts and numbers of another type: a damaged file may hold anything.

    Raises:
        TypeError: a field does not have its declared type.
    """
    for name, types in _checked_fields(type(record)):
        value = getattr(record, name)
        if not isinstance(value, types) or (isinstance(value, float) and not math.isfinite(value)):
            msg = f"{name} is not one of {types}"
            raise TypeError(msg)


@cache
def _checked_fields(
    record: type[Result | Observation],
) -> Sequence[tuple[str, tuple[type, ...]]]:
    """The fields of a record whose values have to be of certain types."""
    declared = ((each.name, _CHECKED_TYPES.get(str(each.type))) for each in fields(record))
    return tuple((name, types) for name, types in declared if types)


_CHECKED_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "float | None": (float, int, type(None)),
    "<class 'float'>": (float, int),
}


def check_text(values: Iterable[object]) -> None:
    """Refuse text that is not UTF-8; the connection has decoded it with surrogates."""
    for value in values:
        if isinstance(value, str) and not value.isascii():
            value.encode()  # UnicodeEncodeError is a ValueError
