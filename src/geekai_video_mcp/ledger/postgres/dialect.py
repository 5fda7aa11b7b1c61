"""The statements of `schema`, which are written for SQLite, as PostgreSQL takes them. Pure."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from geekai_video_mcp.ledger import schema
from geekai_video_mcp.ledger.conversion import TASK_COLUMNS


class Translated(NamedTuple):
    """A statement with numbered parameters, and the name of each in their order."""

    text: str
    names: tuple[str, ...]


# In PostgreSQL a transaction may commit an event after one with a greater number. So those who
# follow the events read what is visible now and was not in the snapshot of their last read, which
# is their cursor: they wait for no transaction that still runs, and miss none of its events. Of the
# events of one read only the last has the new cursor: whoever stops before it reads them again.
_SELECT_EVENTS_AFTER: Final = """
    SELECT CASE WHEN lead(number) OVER (ORDER BY xid, number) IS NULL
                THEN CAST(pg_current_snapshot() AS text) ELSE CAST(:cursor AS text) END AS cursor,
           task_id, file_status,
           number = (SELECT min(number) FROM event AS earlier
                     WHERE earlier.tenant = :tenant AND earlier.task_id = event.task_id) AS first
    FROM event
    WHERE tenant = :tenant
      AND xid >= pg_snapshot_xmin(CAST(CAST(:cursor AS text) AS pg_snapshot))
      AND NOT pg_visible_in_snapshot(xid, CAST(CAST(:cursor AS text) AS pg_snapshot))
    ORDER BY xid, number
"""
_SELECT_EVENT_CURSOR: Final = """
    SELECT CAST(pg_current_snapshot() AS text) AS cursor WHERE CAST(:tenant AS text) IS NOT NULL
"""
_OTHERWISE: Final = {
    schema.SELECT_EVENTS_AFTER: _SELECT_EVENTS_AFTER,
    schema.SELECT_EVENT_CURSOR: _SELECT_EVENT_CURSOR,
}
"""The statements that PostgreSQL needs in other words."""

_SQLITE_ONLY: Final = re.compile(r"\bINDEXED BY \w+|\+(?=tenant\b|earlier\.)")
"""Hints to SQLite's planner."""
_ALL_COLUMNS: Final = re.compile(r"SELECT \* FROM (task|budget)\b")
_COLUMNS: Final = {
    "task": TASK_COLUMNS,
    "budget": ("service", "tokens", "refilled_at", "blocked_until"),
}
"""By name: with a column that a newer version has added, `*` would be another result than the one
a connection has prepared, and PostgreSQL refuses that within a transaction."""
_PARAMETER: Final = re.compile(r"(?<!:):([a-z]\w*)")


@lru_cache(maxsize=512)
def translate(statement: str) -> Translated:
    """The statement for PostgreSQL."""
    names = list[str]()

    def number(match: re.Match[str]) -> str:
        if (name := match[1]) not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    def name_columns(match: re.Match[str]) -> str:
        return match[0].replace("*", ", ".join(_COLUMNS[match[1]]))

    text = _SQLITE_ONLY.sub("", _OTHERWISE.get(statement, statement))
    text = _ALL_COLUMNS.sub(name_columns, text)
    return Translated(_PARAMETER.sub(number, text), tuple(names))
