"""The scripts that make the tables of the task database, one for each version of its schema.

A script that was released is never edited, and a column never changes its name: a server of an
older version may be running on the same file. A new column is nullable or has a default.
"""

from collections.abc import Sequence
from typing import Final

SCHEMA: Final = (
    """
    CREATE TABLE task (
        id TEXT PRIMARY KEY,
        created_at REAL NOT NULL,
        service TEXT NOT NULL,
        model TEXT NOT NULL,
        request TEXT NOT NULL,
        status TEXT NOT NULL,
        owner TEXT,
        attempt INTEGER NOT NULL,
        submitted_at REAL,
        provider_task_id TEXT,
        result TEXT,
        error_code TEXT,
        error_message TEXT,
        raw_reply TEXT,
        ended_at REAL,
        next_look_at REAL,
        looks INTEGER NOT NULL,
        stale_since REAL,
        watcher TEXT,
        watched_until REAL,
        file_status TEXT NOT NULL,
        file_path TEXT,
        file_bytes INTEGER,
        file_sha256 TEXT,
        file_problem TEXT,
        fetches INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX task_by_provider ON task (provider_task_id)",
    # A task made elsewhere (it has no attempt of ours) is imported once for each service. Our
    # own tasks are exempt: if a service answered two requests with one id, the second would
    # stay unrecorded, and it may have been charged.
    "CREATE UNIQUE INDEX task_made_elsewhere ON task (service, provider_task_id) WHERE attempt = 0",
    "CREATE INDEX task_by_status ON task (service, status, file_status)",
    """
    CREATE TABLE event (
        number INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        task_id TEXT NOT NULL REFERENCES task (id),
        status TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        owner TEXT,
        provider_task_id TEXT,
        file_status TEXT NOT NULL,
        error_code TEXT
    ) STRICT
    """,
    "CREATE INDEX event_by_task ON event (task_id, number)",
)

ADMISSION: Final = (
    "ALTER TABLE task ADD COLUMN idempotency_key TEXT",
    "ALTER TABLE task ADD COLUMN variation INTEGER",
    "ALTER TABLE task ADD COLUMN fingerprint TEXT",
    "ALTER TABLE task ADD COLUMN delivered_at REAL",
    # A rejected request cost nothing, and its key is free for the next attempt.
    """
    CREATE UNIQUE INDEX task_by_key ON task (service, idempotency_key)
        WHERE idempotency_key IS NOT NULL AND status != 'rejected'
    """,
    # Images in a request are megabytes, and the row of a task is rewritten at every poll.
    """
    CREATE TABLE body (
        task_id TEXT PRIMARY KEY REFERENCES task (id),
        content TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX task_by_stage ON task (status, created_at)",
    "CREATE INDEX task_by_fingerprint ON task (service, fingerprint, created_at)",
    "CREATE INDEX task_by_age ON task (service, created_at)",
)

PACE: Final = (
    "ALTER TABLE task ADD COLUMN kind TEXT",
    "ALTER TABLE task ADD COLUMN soonest REAL",
    "ALTER TABLE task ADD COLUMN latest REAL",
    "ALTER TABLE task ADD COLUMN looked_at REAL",
    # Every column of HISTORY: a row may hold megabytes of images, and none of it is read.
    """
    CREATE INDEX task_by_kind
        ON task (service, kind, ended_at, looked_at, submitted_at, status)
        WHERE status = 'succeed'
    """,
    """
    CREATE TABLE budget (
        service TEXT PRIMARY KEY,
        tokens REAL NOT NULL,
        refilled_at REAL NOT NULL,
        blocked_until REAL NOT NULL
    ) STRICT
    """,
)

MEDIA: Final = (
    # Everything that was made before images could be generated.
    "ALTER TABLE task ADD COLUMN media TEXT NOT NULL DEFAULT 'video'",
)

OBSTACLES: Final = (
    "ALTER TABLE task ADD COLUMN stall_reason TEXT",
    "ALTER TABLE task ADD COLUMN no_link_since REAL",
    "ALTER TABLE task ADD COLUMN file_error_code TEXT",
)

FILE_FACTS_AND_PAGES: Final = (
    "ALTER TABLE task ADD COLUMN file_seconds REAL",
    "ALTER TABLE task ADD COLUMN file_width INTEGER",
    "ALTER TABLE task ADD COLUMN file_height INTEGER",
    "ALTER TABLE task ADD COLUMN file_fps REAL",
    "ALTER TABLE task ADD COLUMN file_has_sound INTEGER",
    # A page of a list is read without sorting the whole table.
    "CREATE INDEX task_by_time ON task (created_at, id)",
)

PRICES: Final = (
    "ALTER TABLE task ADD COLUMN price_cny REAL",
    "ALTER TABLE task ADD COLUMN price_source TEXT",
    "ALTER TABLE task ADD COLUMN price_read_on TEXT",
)

WAITING: Final = (
    # The ids of other tasks, as a JSON list.
    "ALTER TABLE task ADD COLUMN waits_for TEXT",
    "ALTER TABLE task ADD COLUMN ready_at REAL",
)

IGNORED: Final = (
    # The fields of a request that the sandbox says had no effect.
    "ALTER TABLE task ADD COLUMN ignored TEXT",
)

LARGE_LEDGERS: Final = (
    # Nearly every task has ended, and what is asked all the time concerns the others: an index of
    # those alone stays small however many have ended, and costs an ended task nothing. SQLite
    # uses it for a statement that has its condition, word for word.
    """
    CREATE INDEX IF NOT EXISTS task_unfinished ON task (service, created_at)
        WHERE status IN ('intended', 'pending', 'running', 'submitting', 'waiting')
            OR (status = 'succeed' AND file_status = 'none')
    """,
    """
    CREATE INDEX IF NOT EXISTS task_linked ON task (service, ended_at)
        WHERE status = 'succeed' AND file_status = 'linked'
    """,
    # What the caps count, without a look at the rows.
    """
    CREATE INDEX IF NOT EXISTS task_in_flight ON task (service, created_at)
        WHERE owner IS NOT NULL
            AND status IN ('intended', 'pending', 'running', 'submitting', 'unknown')
    """,
    """
    CREATE INDEX IF NOT EXISTS task_reserved ON task (service, created_at, price_cny)
        WHERE owner IS NOT NULL AND status != 'rejected'
    """,
    # A page of the tasks of one status, in the order in which it is shown.
    "CREATE INDEX IF NOT EXISTS task_by_status_and_time ON task (status, created_at, id)",
    # No statement uses these any more, and each cost a page at every change of a status.
    "DROP INDEX IF EXISTS task_by_status",
    "DROP INDEX IF EXISTS task_by_stage",
    "DROP INDEX IF EXISTS task_by_age",
)

TENANTS: Final = (
    "ALTER TABLE task ADD COLUMN tenant TEXT NOT NULL DEFAULT 'local'",
    "ALTER TABLE event ADD COLUMN tenant TEXT NOT NULL DEFAULT 'local'",
    "ALTER TABLE body ADD COLUMN tenant TEXT NOT NULL DEFAULT 'local'",
    # Two tenants may have the same id of a service, and the same key of a request.
    "DROP INDEX IF EXISTS task_made_elsewhere",
    """
    CREATE UNIQUE INDEX task_made_elsewhere ON task (tenant, service, provider_task_id)
        WHERE attempt = 0
    """,
    "DROP INDEX IF EXISTS task_by_key",
    """
    CREATE UNIQUE INDEX task_by_key ON task (tenant, service, idempotency_key)
        WHERE idempotency_key IS NOT NULL AND status != 'rejected'
    """,
    # What one tenant has costs the others nothing. An index by an id or a fingerprint, of which all
    # tenants together have a few rows, does without.
    "DROP INDEX IF EXISTS task_by_kind",
    """
    CREATE INDEX task_by_kind
        ON task (tenant, service, kind, ended_at, looked_at, submitted_at, status)
        WHERE status = 'succeed'
    """,
    "DROP INDEX IF EXISTS task_by_time",
    "CREATE INDEX task_by_time ON task (tenant, created_at, id)",
    "DROP INDEX IF EXISTS task_by_status_and_time",
    "CREATE INDEX task_by_status_and_time ON task (tenant, status, created_at, id)",
    "DROP INDEX IF EXISTS task_unfinished",
    """
    CREATE INDEX task_unfinished ON task (tenant, service, created_at)
        WHERE status IN ('intended', 'pending', 'running', 'submitting', 'waiting')
            OR (status = 'succeed' AND file_status = 'none')
    """,
    "DROP INDEX IF EXISTS task_linked",
    """
    CREATE INDEX task_linked ON task (tenant, service, ended_at)
        WHERE status = 'succeed' AND file_status = 'linked'
    """,
    "DROP INDEX IF EXISTS task_in_flight",
    """
    CREATE INDEX task_in_flight ON task (tenant, service, created_at)
        WHERE owner IS NOT NULL
            AND status IN ('intended', 'pending', 'running', 'submitting', 'unknown')
    """,
    "DROP INDEX IF EXISTS task_reserved",
    """
    CREATE INDEX task_reserved ON task (tenant, service, created_at, price_cny)
        WHERE owner IS NOT NULL AND status != 'rejected'
    """,
    "CREATE INDEX event_by_tenant ON event (tenant, number)",
    # What a tenant's files take, and which are the oldest: without a look at the rows.
    """
    CREATE INDEX task_with_file ON task (tenant, file_status, ended_at, id, file_bytes)
        WHERE file_status IN ('linked', 'stored')
    """,
)

MIGRATIONS: Final[Sequence[Sequence[str]]] = (
    SCHEMA,
    ADMISSION + PACE,
    MEDIA,
    OBSTACLES,
    FILE_FACTS_AND_PAGES,
    PRICES,
    WAITING + IGNORED,
    LARGE_LEDGERS,
    TENANTS,
)
"""In order; their number is the version of the schema."""
TENANTS_SINCE: Final = MIGRATIONS.index(TENANTS) + 1
"""The first version with a column for the tenant."""
