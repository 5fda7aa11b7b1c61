"""Every statement on the task database, in SQLite's dialect and with named parameters.

`postgres.dialect` translates them, so that both databases run the same ones. `conversion` knows
what a row stands for.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.retries import PASSING_OBSTACLES
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
from geekai_video_mcp.ledger.conversion import TASK_COLUMNS


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


# Every statement is of one tenant: `tenant_rows` fills in `:tenant`, and a test reads them all.
# With `+tenant`, SQLite takes it for a condition alone: without statistics an index that begins
# with the tenant looks the best, and a tenant may have all rows. PostgreSQL knows neither that plus
# nor INDEXED BY.
_ALL: Final = ", ".join(TASK_COLUMNS)
GET: Final = "SELECT * FROM task WHERE tenant = :tenant AND id = :id"
FIND: Final = f"""
    SELECT {_ALL} FROM task WHERE +tenant = :tenant AND (id = :id OR provider_task_id = :id)
    ORDER BY id = :id DESC, created_at LIMIT 1
"""  # noqa: S608 - names of our own dataclass
# No digit comes after "f" in any collation, and an index is used, which LIKE would not.
SELECT_BY_PREFIX: Final = f"""
    SELECT {_ALL} FROM task
    WHERE +tenant = :tenant AND id >= :start AND id < :start || 'g'
    ORDER BY id LIMIT :limit
"""  # noqa: S608 - names of our own dataclass
SELECT_SIMILAR_ID: Final = """
    SELECT id FROM task
    WHERE +tenant = :tenant AND id >= :start AND id < :start || 'g' AND id != :id
    LIMIT 1
"""
SELECT_HOLDER: Final = """
    SELECT * FROM task
    WHERE +tenant = :tenant AND service = :service AND provider_task_id = :provider_task_id
      AND id != :id
    ORDER BY created_at LIMIT 1
"""
INSERT: Final = (
    f"INSERT INTO task ({', '.join(TASK_COLUMNS)})"  # noqa: S608 - names of our own dataclass
    f" VALUES ({', '.join(f':{name}' for name in TASK_COLUMNS)})"
    # If two calls import the same task at once, the second finds that of the first.
    " ON CONFLICT (tenant, service, provider_task_id) WHERE attempt = 0 DO NOTHING"
)
SELECT_SAME_KEY: Final = f"""
    SELECT * FROM task
    WHERE tenant = :tenant AND service = :service AND idempotency_key = :idempotency_key
      AND {_status_condition(KEY_HOLDING)}
"""  # noqa: S608 - the values of our own enumeration
SELECT_SAME_FINGERPRINT: Final = f"""
    SELECT * FROM task
    WHERE +tenant = :tenant AND service = :service
      AND fingerprint IN (:fingerprint, :former_fingerprint) AND created_at > :since
      AND {_status_condition(BINDING)}
    ORDER BY created_at DESC
"""  # noqa: S608 - the values of our own enumeration
SELECT_SAME_FILM: Final = f"""
    SELECT * FROM task
    WHERE +tenant = :tenant AND service = :service AND fingerprint = :fingerprint
      AND status != '{Status.FAILED.value}'
    ORDER BY created_at DESC
"""  # noqa: S608 - the value of our own enumeration
# With an owner only: nothing was ever reserved for a task made elsewhere.
_OF_THE_DAY: Final = (
    "tenant = :tenant AND service = :service AND created_at > :since AND owner IS NOT NULL"
)
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
# The condition of the index `task_unfinished`: another one may be added to it with AND.
_UNFINISHED: Final = (
    f"(status IN ({_sql_list(UNFINISHED)})"
    f" OR (status = '{Status.SUCCEED.value}' AND file_status = '{FileStatus.NONE.value}'))"
)
# The condition of the index `task_with_file`: what is linked may have a copy that is damaged.
_WITH_FILE: Final = "file_status IN ('linked', 'stored')"
COUNT_FILES: Final = f"""
    SELECT count(file_bytes) AS files, coalesce(sum(file_bytes), 0) AS used_bytes,
           (SELECT count(*) FROM task WHERE tenant = :tenant AND {_UNFINISHED}) AS unfinished
    FROM task WHERE tenant = :tenant AND {_WITH_FILE}
"""  # noqa: S608 - the values of our own enumeration
SELECT_OLD_FILES: Final = f"""
    SELECT * FROM task
    WHERE tenant = :tenant AND {_WITH_FILE} AND file_status = '{FileStatus.STORED.value}'
      AND ended_at < :before AND (ended_at, id) > (:after, :after_id)
    ORDER BY ended_at, id LIMIT :limit
"""  # noqa: S608 - constants of our own
SELECT_ALL_UNFINISHED: Final = f"""
    SELECT * FROM task WHERE tenant = :tenant AND {_UNFINISHED}
"""  # noqa: S608 - the values of our own enumeration
# The newest event stays, without what it tells: a later one would get its number, and whoever
# follows the numbers would miss it.
PURGE_EVENTS: Final = """
    DELETE FROM event
    WHERE +tenant = :tenant AND task_id = :id
      AND number < (SELECT max(number) FROM event WHERE tenant = :tenant)
"""
BLANK_EVENT: Final = """
    UPDATE event SET task_id = '', owner = NULL, provider_task_id = NULL, error_code = NULL
    WHERE +tenant = :tenant AND task_id = :id
"""
PURGE_TASK: Final = "DELETE FROM task WHERE tenant = :tenant AND id = :id"
PUT_BODY: Final = """
    INSERT INTO body (task_id, tenant, content) VALUES (:task_id, :tenant, :content)
    ON CONFLICT (task_id) DO UPDATE SET content = :content WHERE body.tenant = :tenant
"""
GET_BODY: Final = "SELECT content FROM body WHERE tenant = :tenant AND task_id = :id"
MOVE_BODY: Final = "UPDATE body SET task_id = :task_id WHERE tenant = :tenant AND task_id = :id"
DROP_BODY: Final = "DELETE FROM body WHERE tenant = :tenant AND task_id = :id"
SELECT_UNFINISHED: Final = f"""
    SELECT * FROM task
    WHERE tenant = :tenant AND service = :service AND {_UNFINISHED}
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumeration
SELECT_UNSENT: Final = f"""
    SELECT * FROM task
    WHERE tenant = :tenant AND service = :service AND {_UNFINISHED}
      AND status IN ({_sql_list(UNSENT)})
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumeration
# Only what the sweep needs: a process may hold thousands, and reads this every ten seconds.
SELECT_LEASES_OF_OTHERS: Final = f"""
    SELECT id, watcher, watched_until FROM task
    WHERE tenant = :tenant AND service = :service AND {_UNFINISHED}
      AND status NOT IN ({_sql_list(UNSENT)})
      AND (watcher IS NULL OR watcher != :watcher
           OR watched_until IS NULL OR watched_until <= :at)
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumeration
_RETRYABLE: Final = (
    f"status = '{Status.SUCCEED.value}' AND file_status = '{FileStatus.LINKED.value}'"
    f" AND ended_at > :since AND file_error_code IN ({_text_list(PASSING_OBSTACLES)})"
)
SELECT_LINKED: Final = f"""
    SELECT * FROM task
    WHERE tenant = :tenant AND service = :service AND {_RETRYABLE}
    ORDER BY created_at
"""  # noqa: S608 - the values of our own enumerations
EVENTS: Final = "SELECT * FROM event WHERE +tenant = :tenant AND task_id = :id ORDER BY number"
SELECT_EVENT_CURSOR: Final = """
    SELECT CAST(coalesce(max(number), 0) AS TEXT) AS cursor FROM event WHERE tenant = :tenant
"""
SELECT_EVENTS_AFTER: Final = """
    SELECT CAST(number AS TEXT) AS cursor, task_id, file_status,
           number = (SELECT min(number) FROM event AS earlier
                     WHERE +earlier.tenant = :tenant AND earlier.task_id = event.task_id) AS first
    FROM event WHERE tenant = :tenant AND number > CAST(:cursor AS INTEGER) ORDER BY number
"""
HISTORY: Final = """
    SELECT submitted_at, looked_at, ended_at FROM task
    WHERE tenant = :tenant AND service = :service AND kind = :kind AND status = 'succeed'
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
    WHERE tenant = :tenant AND status IN ({_sql_list(UNFINISHED)})
      AND service NOT IN (:service, '{LOCAL_ACCOUNT}')
    ORDER BY service, created_at
"""  # noqa: S608 - the values of our own enumeration
INSERT_EVENT: Final = """
    INSERT INTO event
        (tenant, at, task_id, status, attempt, owner, provider_task_id, file_status, error_code)
    VALUES
        (:tenant, :at, :task_id, :status, :attempt, :owner, :provider_task_id, :file_status,
         :error_code)
"""
# The operator's own: whom a server has to open after its start, and whose a journal's entry is.
SELECT_UNFINISHED_TENANTS: Final = f"""
    SELECT tenant, service FROM task WHERE {_UNFINISHED}
    UNION SELECT tenant, service FROM task INDEXED BY task_linked WHERE {_RETRYABLE}
    ORDER BY tenant, service
"""  # noqa: S608 - the values of our own enumerations
# Counted by the caller: grouped, all tasks would be read in the order of another index.
SELECT_OPEN_STATES: Final = f"SELECT tenant, status FROM task WHERE {_UNFINISHED}"  # noqa: S608 - the values of our own enumeration
# The condition of the index `task_in_flight`, and one more.
SELECT_UNKNOWN_STATES: Final = f"""
    SELECT tenant, status FROM task WHERE owner IS NOT NULL AND status IN ({_sql_list(IN_FLIGHT)})
      AND status = '{Status.UNKNOWN.value}'
"""  # noqa: S608 - the values of our own enumeration
SELECT_TENANTS_WITH_OLD_FILES: Final = f"""
    SELECT DISTINCT tenant FROM task INDEXED BY task_with_file
    WHERE {_WITH_FILE} AND file_status = '{FileStatus.STORED.value}' AND ended_at < :before
    ORDER BY tenant
"""  # noqa: S608 - constants of our own
SELECT_TENANT: Final = "SELECT tenant FROM task WHERE id = :id"


def update(columns: Iterable[str]) -> str:
    """The statement that writes these columns of a task.

    An index is written whenever one of its columns is named, even with the value that it has.
    """
    assigned = ", ".join(f"{name} = :{name}" for name in columns)
    return f"UPDATE task SET {assigned} WHERE tenant = :tenant AND id = :id"  # noqa: S608 - our own columns


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
    conditions = ["tenant = :tenant"]
    if before is not None:
        last = "SELECT created_at, id FROM task WHERE tenant = :tenant AND id = :before"
        conditions.append(f"(created_at, id) < ({last})")
    if since is not None:
        conditions.append("created_at >= :since")
    pages = [
        _select_newest("task", [*conditions, f"status = '{status.value}'"], columns)
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
