"""The scripts that make the tables in PostgreSQL, one for each version of its schema.

A script that was released is never edited, and a column never changes its name: a server of an
older version may be running on the same database. A new column is nullable or has a default.

The columns are those of SQLite's tables. Times are DOUBLE PRECISION: REAL would lose a minute. Ids
are compared by bytes (COLLATE "C"), so that the beginning of one is found by its index.
"""

from collections.abc import Sequence
from typing import Final

FIRST: Final = (
    """
    CREATE TABLE task (
        id TEXT COLLATE "C" PRIMARY KEY,
        tenant TEXT NOT NULL DEFAULT 'local',
        created_at DOUBLE PRECISION NOT NULL,
        service TEXT NOT NULL,
        model TEXT NOT NULL,
        media TEXT NOT NULL DEFAULT 'video',
        request TEXT NOT NULL,
        status TEXT NOT NULL,
        owner TEXT,
        attempt BIGINT NOT NULL,
        idempotency_key TEXT,
        variation BIGINT,
        fingerprint TEXT,
        submitted_at DOUBLE PRECISION,
        provider_task_id TEXT,
        result TEXT,
        error_code TEXT,
        error_message TEXT,
        raw_reply TEXT,
        ended_at DOUBLE PRECISION,
        delivered_at DOUBLE PRECISION,
        kind TEXT,
        soonest DOUBLE PRECISION,
        latest DOUBLE PRECISION,
        looked_at DOUBLE PRECISION,
        next_look_at DOUBLE PRECISION,
        looks BIGINT NOT NULL,
        stale_since DOUBLE PRECISION,
        stall_reason TEXT,
        no_link_since DOUBLE PRECISION,
        watcher TEXT,
        watched_until DOUBLE PRECISION,
        file_status TEXT NOT NULL,
        file_path TEXT,
        file_bytes BIGINT,
        file_sha256 TEXT,
        file_problem TEXT,
        file_error_code TEXT,
        file_seconds DOUBLE PRECISION,
        file_width BIGINT,
        file_height BIGINT,
        file_fps DOUBLE PRECISION,
        file_has_sound BIGINT,
        fetches BIGINT NOT NULL,
        price_cny DOUBLE PRECISION,
        price_source TEXT,
        price_read_on TEXT,
        waits_for TEXT,
        ready_at DOUBLE PRECISION,
        ignored TEXT
    ) WITH (fillfactor = 70)
    """,  # a row is written at every poll: there is room for its next version on its own page
    "CREATE INDEX task_by_provider ON task (provider_task_id)",
    """
    CREATE UNIQUE INDEX task_made_elsewhere ON task (tenant, service, provider_task_id)
        WHERE attempt = 0
    """,
    """
    CREATE UNIQUE INDEX task_by_key ON task (tenant, service, idempotency_key)
        WHERE idempotency_key IS NOT NULL AND status != 'rejected'
    """,
    "CREATE INDEX task_by_fingerprint ON task (service, fingerprint, created_at)",
    """
    CREATE INDEX task_by_kind ON task (tenant, service, kind, ended_at)
        WHERE status = 'succeed'
    """,
    "CREATE INDEX task_by_time ON task (tenant, created_at, id)",
    "CREATE INDEX task_by_status_and_time ON task (tenant, status, created_at, id)",
    """
    CREATE INDEX task_unfinished ON task (tenant, service, created_at)
        WHERE status IN ('intended', 'pending', 'running', 'submitting', 'waiting')
            OR (status = 'succeed' AND file_status = 'none')
    """,
    """
    CREATE INDEX task_linked ON task (tenant, service, ended_at)
        WHERE status = 'succeed' AND file_status = 'linked'
    """,
    """
    CREATE INDEX task_in_flight ON task (tenant, service, created_at)
        WHERE owner IS NOT NULL
            AND status IN ('intended', 'pending', 'running', 'submitting', 'unknown')
    """,
    """
    CREATE INDEX task_reserved ON task (tenant, service, created_at, price_cny)
        WHERE owner IS NOT NULL AND status != 'rejected'
    """,
    """
    CREATE INDEX task_with_file ON task (tenant, file_status, ended_at, id, file_bytes)
        WHERE file_status IN ('linked', 'stored')
    """,
    # `xid` is the transaction that recorded the event: see `dialect`.
    """
    CREATE TABLE event (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        xid XID8 NOT NULL DEFAULT pg_current_xact_id(),
        tenant TEXT NOT NULL DEFAULT 'local',
        at DOUBLE PRECISION NOT NULL,
        task_id TEXT COLLATE "C" NOT NULL,
        status TEXT NOT NULL,
        attempt BIGINT NOT NULL,
        owner TEXT,
        provider_task_id TEXT,
        file_status TEXT NOT NULL,
        error_code TEXT
    )
    """,
    "CREATE INDEX event_by_task ON event (task_id, number)",
    "CREATE INDEX event_by_tenant ON event (tenant, xid)",
    "CREATE INDEX event_by_number ON event (tenant, number)",
    """
    CREATE TABLE body (
        task_id TEXT COLLATE "C" PRIMARY KEY,
        tenant TEXT NOT NULL DEFAULT 'local',
        content TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE budget (
        service TEXT PRIMARY KEY,
        tokens DOUBLE PRECISION NOT NULL,
        refilled_at DOUBLE PRECISION NOT NULL,
        blocked_until DOUBLE PRECISION NOT NULL
    )
    """,
)

MIGRATIONS: Final[Sequence[Sequence[str]]] = (FIRST,)
"""In order; their number is the version of the schema."""
