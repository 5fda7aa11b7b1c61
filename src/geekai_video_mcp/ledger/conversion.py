"""Between a row of the task database and what it stands for.

A new field of `tasks.Task` is a new column of the same name; `_COLUMN_OF` names the columns
of the few fields that were renamed since.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any, Final, NamedTuple

from geekai_video_mcp.domain.films import searched_text
from geekai_video_mcp.domain.leases import Lease
from geekai_video_mcp.domain.polling import Budget, DurationSample
from geekai_video_mcp.domain.spending import ReservedPrices
from geekai_video_mcp.domain.statuses import (
    FileStatus,
    Status,
)
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.domain.task_search import SearchedFields
from geekai_video_mcp.domain.tasks import (
    Media,
    Result,
    Task,
)
from geekai_video_mcp.ledger.row_checks import (
    PARSING_ERRORS,
    UnreadableRow,
    check_text,
    parse_ids,
    parse_object,
    parse_result,
    unreadable_row,
)

_COLUMN_OF: Final = {
    "account": "service",
    "duration_key": "kind",
    "typical_p10": "soonest",
    "typical_p95": "latest",
    "raw_response": "raw_reply",
    "last_polled_at": "looked_at",
    "next_poll_at": "next_look_at",
    "poll_count": "looks",
    "unreachable_since": "stale_since",
    "lease_holder": "watcher",
    "lease_expires_at": "watched_until",
    "file_error": "file_problem",
    "failed_downloads": "fetches",
    "paused_until": "blocked_until",
}
"""Fields whose column has another name, because a column never changes its name."""


def _columns(record: type[Any]) -> dict[str, str]:
    """The columns of a dataclass: the name of each field's column, by the field's name."""
    return {field.name: _COLUMN_OF.get(field.name, field.name) for field in fields(record)}


_COLUMN_BY_FIELD: Final = _columns(Task)
TASK_COLUMNS: Final = tuple(_COLUMN_BY_FIELD.values())
"""What `from_values` reads."""
_FLAG_COLUMNS: Final = ("file_has_sound",)
"""Columns of numbers, 0 and 1, for fields that are true or false."""
_ENUM_COLUMNS: Final[Mapping[str, Mapping[object, Enum]]] = {
    name: {member.value: member for member in enum}
    for name, enum in (("media", Media), ("status", Status), ("file_status", FileStatus))
}
"""Columns of the values of an enumeration, and what each value stands for."""
RECORD_COLUMNS: Final = tuple(_COLUMN_BY_FIELD[name] for name in TaskRecord._fields)
"""What `to_record` reads."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change of a task, with its state from then on. `at` is in Unix seconds."""

    at: float
    status: Status
    attempt: int
    owner: str | None
    provider_task_id: str | None
    file_status: FileStatus
    error_code: str | None


@dataclass(frozen=True, kw_only=True)
class EventNotice:
    """One event for subscribers: that a task changed; what changed is read from the task."""

    cursor: str
    """Where to go on behind it: the number of the event, or a snapshot of PostgreSQL's."""
    task_id: str
    first: bool
    """Whether it is the first event of the task."""
    file_status: FileStatus


class TaskCount(NamedTuple):
    """How many tasks of a tenant are in the same state."""

    tenant: str
    state: str
    """A status, or `downloading`: finished, and the file is not here yet."""
    tasks: int


def open_state(status: str) -> str:
    """The state of a task that has not ended, by its status."""
    return "downloading" if status == Status.SUCCEED.value else status


SEARCHED_COLUMNS: Final = ("id", "provider_task_id", "model", "request", "created_at")
"""What `to_searched_fields` reads, and by which pages are sorted; other columns may be long."""


def to_searched_fields(values: Sequence[Any]) -> SearchedFields:
    """What is searched of a task, from the values of `SEARCHED_COLUMNS`.

    Raises:
        UnreadableRow: they are not what `to_row` writes.
    """
    task_id, provider_task_id, model, request_json, _ = values
    with unreadable_row("task", task_id):
        check_text(values)
        request = parse_object(request_json)
        prompt = request.get("prompt") or searched_text(request)
    return SearchedFields(
        id=task_id,
        provider_task_id=provider_task_id,
        model=model,
        prompt=prompt if isinstance(prompt, str) else "",
    )


_DURATION: Final = re.compile(r'"duration": ([-+.0-9eE]+)')
"""The duration in a result that `_result_json` has stored, without the time for its long links.
In a text of the result, the quotation marks would have been escaped."""


def to_record(values: Sequence[Any]) -> TaskRecord:
    """The record of the values of `RECORD_COLUMNS`.

    Raises:
        UnreadableRow: they are not what `to_row` writes.
    """
    task_id, request, result, *facts = values
    try:  # as `unreadable_row` does, whose call would take a tenth of the time
        check_text(values)
        members = parse_object(request)
        found = _DURATION.search(result) if result else None
        return TaskRecord(task_id, members, {"duration": float(found[1])} if found else {}, *facts)
    except PARSING_ERRORS as exc:
        raise UnreadableRow("task", task_id) from exc


def to_event(row: Mapping[str, Any]) -> Event:
    """The event of these columns.

    Raises:
        UnreadableRow: they are not what `event_fields` gives.
    """
    values = {field.name: row[field.name] for field in fields(Event)}
    with unreadable_row("an event of task", row["task_id"]):
        check_text(values.values())
        values["status"] = Status(row["status"])
        values["file_status"] = FileStatus(row["file_status"])
    return Event(**values)


def to_event_notice(row: Mapping[str, Any]) -> EventNotice:
    """The event notice of these columns.

    Raises:
        UnreadableRow: they are not what `event_fields` gives.
    """
    with unreadable_row("an event of task", row["task_id"]):
        check_text(row.values())
        return EventNotice(
            cursor=row["cursor"],
            task_id=row["task_id"],
            first=bool(row["first"]),
            file_status=FileStatus(row["file_status"]),
        )


def to_json(body: Mapping[str, Any]) -> str:
    """The body of a request as it is stored."""
    return json.dumps(dict(body), ensure_ascii=False)


def to_row(task: Task) -> dict[str, Any]:
    """The columns of *task*."""
    return {
        column: _to_value(column, getattr(task, name)) for name, column in _COLUMN_BY_FIELD.items()
    }


def changed_columns(before: Task, after: Task) -> dict[str, Any]:
    """The columns of *after* whose value is another one than that of *before*.

    A poll changes four of fifty, and the request and the result are long.
    """
    changed = {
        column: value
        for name, column in _COLUMN_BY_FIELD.items()
        if (value := getattr(after, name)) is not (was := getattr(before, name)) and value != was
    }
    return {column: _to_value(column, value) for column, value in changed.items()}


def _to_value(column: str, value: Any) -> Any:  # noqa: ANN401 - of any field
    """The value of one column for a field's."""
    if column == "request":
        return to_json(value)
    if column == "waits_for":
        return json.dumps(value) if value else None
    if column == "result":
        return _result_json(value) if value else None
    if column in _ENUM_COLUMNS:
        return value.value
    return int(value) if column in _FLAG_COLUMNS and value is not None else value


def _result_json(result: Result) -> str:
    """The result as it is stored; servers of earlier versions know no notes."""
    members = asdict(result)
    if not result.notes:
        del members["notes"]
    return json.dumps(members)


def from_row(row: Mapping[str, Any]) -> Task:
    """The task of these columns.

    Raises:
        UnreadableRow: they are not what `to_row` writes.
    """
    values = [row[column] for column in TASK_COLUMNS]
    with unreadable_row("task", row["id"]):
        check_text(values)
    return from_values(values)


def from_values(values: Sequence[Any]) -> Task:
    """The task of the values of `TASK_COLUMNS`, in which all text is known to be UTF-8.

    Raises:
        UnreadableRow: they are not what `to_row` writes.
    """
    facts = dict(zip(_COLUMN_BY_FIELD, values, strict=True))
    with unreadable_row("task", facts["id"]):
        facts["request"] = parse_object(facts["request"])
        facts["waits_for"] = parse_ids(facts["waits_for"])
        facts["result"] = parse_result(facts["result"]) if facts["result"] else None
        for name, members in _ENUM_COLUMNS.items():
            if (member := members.get(facts[name])) is None:
                msg = f"{name} has another value"
                raise ValueError(msg)
            facts[name] = member
        for name in _FLAG_COLUMNS:
            facts[name] = None if facts[name] is None else bool(facts[name])
    return Task.from_fields(facts)


def from_json(task_id: str, content: str) -> dict[str, Any]:
    """The body of a request as `to_json` stored it.

    Raises:
        UnreadableRow: it is not a JSON object.
    """
    with unreadable_row("the stored request of task", task_id):
        return parse_object(content)


def to_duration_sample(row: Mapping[str, Any]) -> DurationSample:
    """How long a finished task took, from its columns."""
    return DurationSample(
        **{name: row[column] for name, column in _columns(DurationSample).items()}
    )


def to_lease(row: Mapping[str, Any]) -> Lease:
    """The lease of a task, from `SELECT_LEASES_OF_OTHERS`.

    Raises:
        UnreadableRow: they are not what `to_row` writes.
    """
    with unreadable_row("task", row["id"]):
        check_text(row)
    return Lease(task_id=row["id"], holder=row["watcher"], expires_at=row["watched_until"])


def to_reserved_prices(rows: Iterable[Mapping[str, Any]]) -> ReservedPrices:
    """The prices of the requests of a day, from `SELECT_RESERVED_PRICES`."""
    found = [(row["created_at"], row["price_cny"]) for row in rows]
    priced = tuple((made_at, cny) for made_at, cny in found if cny is not None)
    return ReservedPrices(priced=priced, unknown=len(found) - len(priced))


def to_budget(row: Mapping[str, Any]) -> Budget:
    """The budget of these columns."""
    return Budget(**{name: row[column] for name, column in _columns(Budget).items()})


def to_budget_row(budget: Budget) -> dict[str, Any]:
    """The columns of *budget*."""
    return {column: getattr(budget, name) for name, column in _columns(Budget).items()}


def event_fields(task: Task) -> dict[str, Any]:
    """The fields of a task whose every change is recorded as an event, permanently."""
    return {
        "tenant": task.tenant,
        "task_id": task.id,
        "status": task.status.value,
        "attempt": task.attempt,
        "owner": task.owner,
        "provider_task_id": task.provider_task_id,
        "file_status": task.file_status.value,
        "error_code": task.error_code,
    }
