"""A task as a row: every statement, and the conversion between the two.

The statements are plain SQL with named parameters; a second store would run the same ones.
A new field of `tasks.Task` is a new column of the same name; `_COLUMN_OF` names the columns
of the few fields that were renamed since.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from geekai_video_mcp.domain.films import LOCAL_ACCOUNT, searched_text
from geekai_video_mcp.domain.leases import Lease
from geekai_video_mcp.domain.polling import Budget, DurationSample
from geekai_video_mcp.domain.retries import PASSING_OBSTACLES
from geekai_video_mcp.domain.spending import ReservedPrices
from geekai_video_mcp.domain.statuses import (
    BINDING,
    COUNTED_TODAY,
    IN_FLIGHT,
    KEY_HOLDING,
    UNFINISHED,
    UNSENT,
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


_TASK_COLUMNS: Final = _columns(Task)
_COLUMNS: Final = tuple(_TASK_COLUMNS.values())
TASK_COLUMNS: Final = frozenset(_COLUMNS)
_FLAG_COLUMNS: Final = ("file_has_sound",)
"""Columns of numbers, 0 and 1, for fields that are true or false."""
_ENUM_COLUMNS: Final = {"media": Media, "status": Status, "file_status": FileStatus}


def _sql_list(statuses: Collection[Status]) -> str:
    """*statuses* as the members of an SQL list."""
    return _text_list(status.value for status in statuses)


def _text_list(texts: Iterable[str]) -> str:
    """*texts*, constants of our own, as the members of an SQL list."""
    return ", ".join(f"'{text}'" for text in sorted(texts)) or "''"


def _status_condition(statuses: Collection[Status]) -> str:
    """The SQL condition for one of *statuses*, or one that this program does not know.

    For rows that cost money if they are missed.
    """
    others = sorted(status.value for status in frozenset(Status) - frozenset(statuses))
    return " AND ".join(f"status != '{other}'" for other in others)


GET: Final = "SELECT * FROM task WHERE id = :id"
FIND: Final = """
    SELECT * FROM task WHERE id = :id OR provider_task_id = :id
    ORDER BY id = :id DESC, created_at LIMIT 1
"""
# No digit comes after "f" in any collation, and an index is used, which LIKE would not.
SELECT_BY_PREFIX: Final = """
    SELECT * FROM task WHERE id >= :start AND id < :start || 'g' ORDER BY id LIMIT :limit
"""
SELECT_SIMILAR_ID: Final = """
    SELECT id FROM task WHERE id >= :start AND id < :start || 'g' AND id != :id LIMIT 1
"""
SELECT_HOLDER: Final = """
    SELECT * FROM task
    WHERE service = :service AND provider_task_id = :provider_task_id AND id != :id
    ORDER BY created_at LIMIT 1
"""
INSERT: Final = (
    f"INSERT INTO task ({', '.join(_COLUMNS)})"  # noqa: S608 - names of our own dataclass
    f" VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
    # If two calls import the same task at once, the second finds that of the first.
    " ON CONFLICT (service, provider_task_id) WHERE attempt = 0 DO NOTHING"
)
SELECT_SAME_KEY: Final = f"""
    SELECT * FROM task
    WHERE service = :service AND idempotency_key = :idempotency_key
      AND {_status_condition(KEY_HOLDING)}
"""  # noqa: S608 - the values of our own enumeration
SELECT_SAME_FINGERPRINT: Final = f"""
    SELECT * FROM task
    WHERE service = :service AND fingerprint IN (:fingerprint, :former_fingerprint)
      AND created_at > :since
      AND {_status_condition(BINDING)}
    ORDER BY created_at DESC
"""  # noqa: S608 - the values of our own enumeration
SELECT_SAME_FILM: Final = f"""
    SELECT * FROM task
    WHERE service = :service AND fingerprint = :fingerprint AND status != '{Status.FAILED.value}'
    ORDER BY created_at DESC
"""  # noqa: S608 - the value of our own enumeration
# With an owner only: nothing was ever reserved for a task made elsewhere.
_OF_THE_DAY: Final = "service = :service AND created_at > :since AND owner IS NOT NULL"
_RESERVED: Final = f"{_OF_THE_DAY} AND {_status_condition(COUNTED_TODAY)}"
COUNT_RESERVATIONS: Final = f"""
    SELECT (SELECT count(*) FROM
            (SELECT 1 FROM task WHERE {_RESERVED} LIMIT :per_day) AS reserved) AS per_day,
           (SELECT count(*) FROM task
            WHERE {_OF_THE_DAY} AND status IN ({_sql_list(IN_FLIGHT)})) AS in_flight,
           (SELECT min(created_at) FROM task WHERE {_RESERVED}) AS oldest_at
"""  # noqa: S608 - the values of our own enumeration
# Those of unknown price have none; the free ones are left out.
SELECT_RESERVED_PRICES: Final = f"""
    SELECT created_at, price_cny FROM task
    WHERE {_RESERVED} AND (price_cny IS NULL OR price_cny > 0)
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumeration
PUT_BODY: Final = """
    INSERT INTO body (task_id, content) VALUES (:task_id, :content)
    ON CONFLICT (task_id) DO UPDATE SET content = :content
"""
GET_BODY: Final = "SELECT content FROM body WHERE task_id = :id"
MOVE_BODY: Final = "UPDATE body SET task_id = :task_id WHERE task_id = :id"
DROP_BODY: Final = "DELETE FROM body WHERE task_id = :id"
# The condition of the index `task_unfinished`: another one may be added to it with AND.
_UNFINISHED: Final = (
    f"(status IN ({_sql_list(UNFINISHED)})"
    f" OR (status = '{Status.SUCCEED.value}' AND file_status = '{FileStatus.NONE.value}'))"
)
SELECT_UNFINISHED: Final = f"""
    SELECT * FROM task WHERE service = :service AND {_UNFINISHED} ORDER BY created_at
"""  # noqa: S608 - the values of our own enumeration
SELECT_UNSENT: Final = f"""
    SELECT * FROM task
    WHERE service = :service AND {_UNFINISHED} AND status IN ({_sql_list(UNSENT)})
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumeration
# Only what the sweep needs: a process may hold thousands, and reads this every ten seconds.
SELECT_LEASES_OF_OTHERS: Final = f"""
    SELECT id, watcher, watched_until FROM task
    WHERE service = :service AND {_UNFINISHED} AND status NOT IN ({_sql_list(UNSENT)})
      AND (watcher IS NULL OR watcher != :watcher
           OR watched_until IS NULL OR watched_until <= :at)
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumeration
SELECT_LINKED: Final = f"""
    SELECT * FROM task
    WHERE service = :service AND status = '{Status.SUCCEED.value}'
      AND file_status = '{FileStatus.LINKED.value}' AND ended_at > :since
      AND file_error_code IN ({_text_list(PASSING_OBSTACLES)})
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumerations
EVENTS: Final = "SELECT * FROM event WHERE task_id = :id ORDER BY number"
SELECT_LAST_EVENT_ID: Final = "SELECT coalesce(max(number), 0) AS number FROM event"
SELECT_EVENTS_AFTER: Final = """
    SELECT number, task_id, file_status,
           number = (SELECT min(number) FROM event AS earlier
                     WHERE earlier.task_id = event.task_id) AS first
    FROM event WHERE number > :after ORDER BY number
"""
HISTORY: Final = """
    SELECT submitted_at, looked_at, ended_at FROM task
    WHERE service = :service AND kind = :kind AND status = 'succeed'
    ORDER BY ended_at DESC LIMIT :newest
"""
BUDGET: Final = "SELECT * FROM budget WHERE service = :service"
UPSERT_BUDGET: Final = """
    INSERT INTO budget (service, tokens, refilled_at, blocked_until)
    VALUES (:service, :tokens, :refilled_at, :blocked_until)
    ON CONFLICT (service) DO UPDATE SET
        tokens = :tokens, refilled_at = :refilled_at, blocked_until = :blocked_until
"""
SELECT_OTHER_ACCOUNTS: Final = f"""
    SELECT * FROM task
    WHERE status IN ({_sql_list(UNFINISHED)}) AND service NOT IN (:service, '{LOCAL_ACCOUNT}')
    ORDER BY service, created_at
"""  # noqa: S608 - the values of our own enumeration
INSERT_EVENT: Final = """
    INSERT INTO event
        (at, task_id, status, attempt, owner, provider_task_id, file_status, error_code)
    VALUES
        (:at, :task_id, :status, :attempt, :owner, :provider_task_id, :file_status, :error_code)
"""


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

    number: int
    """Grows with every event of the whole ledger."""
    task_id: str
    first: bool
    """Whether it is the first event of the task."""
    file_status: FileStatus


SEARCHED_COLUMNS: Final = ("id", "provider_task_id", "model", "request", "created_at")
"""What `to_searched_fields` reads, and by which pages are sorted; other columns may be long."""


def update(columns: Iterable[str]) -> str:
    """The statement that writes these columns of a task.

    An index is written whenever one of its columns is named, even with the value that it has.
    """
    return f"UPDATE task SET {', '.join(f'{name} = :{name}' for name in columns)} WHERE id = :id"  # noqa: S608 - our own columns


RECORD_COLUMNS: Final = tuple(_TASK_COLUMNS[name] for name in TaskRecord._fields)


def select_page(
    statuses: Collection[Status],
    *,
    before: str | None,
    since: float | None,
    columns: Collection[str] = ("*",),
) -> str:
    """The statement for a page of tasks, newest first, of these statuses or, if none, of all.

    Only the conditions that are needed are in it, and each of several statuses has a page of its
    own, of which the newest tasks are taken: an alternative would keep the planner from using the
    indexes by time. *columns* include `created_at` and `id`.
    """
    conditions = list[str]()
    if before is not None:
        conditions.append("(created_at, id) < (SELECT created_at, id FROM task WHERE id = :before)")
    if since is not None:
        conditions.append("created_at >= :since")
    pages = [
        _select_newest("task", [f"status = '{status.value}'", *conditions], columns)
        for status in sorted(statuses)
    ]
    if not pages:
        return _select_newest("task", conditions, columns)
    if len(pages) == 1:
        return pages[0]
    tables = " UNION ALL ".join(f"SELECT * FROM ({page}) AS page" for page in pages)  # noqa: S608 - as below
    return _select_newest(f"({tables}) AS pages", [], columns)


def _select_newest(source: str, conditions: Sequence[str], columns: Collection[str]) -> str:
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"""
        SELECT {", ".join(columns)} FROM {source} {where}
        ORDER BY created_at DESC, id DESC LIMIT :limit
    """  # noqa: S608 - our own columns, and the values of our own enumeration


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


def to_record(values: Sequence[Any]) -> TaskRecord:
    """The record of the values of `RECORD_COLUMNS`.

    Raises:
        UnreadableRow: they are not what `to_row` writes.
    """
    task_id, request, result, *facts = values
    with unreadable_row("task", task_id):
        check_text(values)
        members = parse_object(request)
        return TaskRecord(task_id, members, parse_object(result) if result else {}, *facts)


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
            number=row["number"],
            task_id=row["task_id"],
            first=bool(row["first"]),
            file_status=FileStatus(row["file_status"]),
        )


def to_json(body: Mapping[str, Any]) -> str:
    """The body of a request as it is stored."""
    return json.dumps(dict(body), ensure_ascii=False)


def to_row(task: Task) -> dict[str, Any]:
    """The columns of *task*."""
    row = {column: getattr(task, name) for name, column in _TASK_COLUMNS.items()}
    row["request"] = to_json(task.request)
    row["waits_for"] = json.dumps(task.waits_for) if task.waits_for else None
    row["result"] = _result_json(task.result) if task.result else None
    for name in _ENUM_COLUMNS:
        row[name] = row[name].value
    for name in _FLAG_COLUMNS:
        row[name] = None if row[name] is None else int(row[name])
    return row


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
    values = {name: row[column] for name, column in _TASK_COLUMNS.items()}
    with unreadable_row("task", row["id"]):
        check_text(values.values())
        values["request"] = parse_object(values["request"])
        values["waits_for"] = parse_ids(values["waits_for"])
        values["result"] = parse_result(values["result"]) if values["result"] else None
        values |= {name: enum(values[name]) for name, enum in _ENUM_COLUMNS.items()}
        values |= {
            name: None if values[name] is None else bool(values[name]) for name in _FLAG_COLUMNS
        }
    return Task(**values)


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
        "task_id": task.id,
        "status": task.status.value,
        "attempt": task.attempt,
        "owner": task.owner,
        "provider_task_id": task.provider_task_id,
        "file_status": task.file_status.value,
        "error_code": task.error_code,
    }
