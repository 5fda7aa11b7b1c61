"""PostgreSQL takes no longer for a statement because the ledger has more tasks that have ended.

It says how it would run each statement, for tables that are filled as years of use leave them, and
of which it knows the statistics: with values, as it runs a statement for the first time, and with
none, as it may run one that it has prepared.
"""

import json
import os
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from geekai_video_mcp.domain.leases import acquire_lease
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.obstacles import record_missed_poll
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Observation, new_task
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.ledger.conversion import changed_columns
from geekai_video_mcp.ledger.postgres.connection import connect
from geekai_video_mcp.ledger.postgres.dialect import translate
from support.postgres import VARIABLE as CLUSTER
from support.postgres import create_database, drop_database, needs_postgres
from support.statements import statements

pytestmark = needs_postgres
ROWS: Final = 20_000
"""Enough that the planner would rather read an index than all of them."""
NOW: Final = 1_790_000_000.0
FILL: Final = (
    f"""
    INSERT INTO task (id, created_at, service, model, request, status, owner, attempt, fingerprint,
                      idempotency_key, submitted_at, provider_task_id, result, ended_at, kind,
                      looks, file_status, file_bytes, file_error_code, fetches, price_cny)
    SELECT md5(n::text), {NOW} - 3000 * ({ROWS} - n), 'service ' || n % 5, 'm',
           repeat('a red fox ', 30), state, 'owner', 1, md5('f' || n / 2),
           CASE WHEN n % 5 = 0 THEN md5('k' || n) END, {NOW} - 3000 * ({ROWS} - n), 'theirs ' || n,
           repeat('a link ', 40), {NOW} - 3000 * ({ROWS} - n) + 120, 'kind ' || n % 9, 12,
           CASE WHEN state != 'succeed' THEN 'none' WHEN n % 60 = 0 THEN 'linked'
                ELSE 'stored' END,
           1000000, CASE WHEN n % 60 = 0 THEN 'unreachable' END, 1, n % 7
    FROM (SELECT n, CASE WHEN n > {ROWS} - 5 THEN 'running' WHEN n % 5000 = 0 THEN 'unknown'
                         WHEN n % 20 = 0 THEN 'failed' WHEN n % 50 = 1 THEN 'rejected'
                         ELSE 'succeed' END AS state
          FROM generate_series(1, {ROWS}) AS n) AS made
    """,  # noqa: S608 - our own numbers
    f"""
    INSERT INTO event (at, task_id, status, attempt, file_status, xid)
    SELECT n, md5((n / 5)::text), 'pending', 1, 'none', (n / 5 + 3)::text::xid8
    FROM generate_series(1, {5 * ROWS}) AS n
    """,  # noqa: S608 - our own numbers
    f"INSERT INTO body SELECT md5(n::text), 'local', '{{}}' FROM generate_series(1, {ROWS}) AS n",  # noqa: S608 - our own numbers
    "INSERT INTO budget VALUES ('service 1', 1, 1, 1)",
    "VACUUM ANALYZE",
)
VALUES: Final[Mapping[str, Any]] = {
    "tenant": "local",
    "service": "service 1",
    "id": "c4ca4238a0b923820dcc509a6f75849b",
    "task_id": "c4ca4238a0b923820dcc509a6f75849b",
    "before": NOW - 90 * 24 * 3600,
    "after": NOW - 91 * 24 * 3600,
    "since": NOW - 24 * 3600,
    "at": NOW,
    "start": "c4ca4238",
    "limit": 20,
    "newest": 50,
    "per_day": 50,
    "status": "running",
    "fingerprint": "f",
    "cursor": f"{ROWS - 5}:{ROWS}:",
}
"""Of a server on the first of five services; other parameters are text."""


@pytest.fixture
async def filled(tmp_path: Path) -> "AsyncGenerator[asyncpg.Connection[Any]]":
    url = await create_database(os.environ[CLUSTER])
    await (await Ledger.open_database(url, tmp_path)).close()
    connection = await connect(url)
    for statement in FILL:
        await connection.execute(statement)
    yield connection
    await connection.close()
    await drop_database(url)


def steps_of(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from steps_of(part)


def literal(name: str, kind: str) -> str:
    """The value of a parameter as SQL."""
    value = VALUES.get(name, 1 if kind in {"bigint", "double precision"} else "x")
    return str(value) if isinstance(value, int | float) else f"'{value}'"


async def plans_of(db: "asyncpg.Connection[Any]", statement: str) -> list[list[Mapping[str, Any]]]:
    """The steps with values, and without."""
    text, names = translate(statement)
    await db.execute(f"PREPARE planned AS {text}")
    kinds = await db.fetchval(
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'planned'"
    )
    values = [literal(name, kind) for name, kind in zip(names, kinds, strict=True)]
    found = list[list[Mapping[str, Any]]]()
    for mode, given in (("custom", values), ("generic", ["NULL"] * len(values))):
        await db.execute(f"SET plan_cache_mode = force_{mode}_plan")
        arguments = f"({', '.join(given)})" if given else ""
        explained = await db.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned{arguments}")
        found.append([*steps_of(json.loads(explained)[0]["Plan"])])
    await db.execute("DEALLOCATE planned")
    return found


WHOLE_INDEX: Final = {
    "SELECT_OPEN_STATES": "all that have not ended, of all tenants",
    "SELECT_UNKNOWN_STATES": "the same",
    "SELECT_UNFINISHED_TENANTS": "the same, once at the start of a server",
    "SELECT_TENANTS_WITH_OLD_FILES": "of all tenants with files, once an hour",
}
"""Statements that read an index from its beginning to its end, and what it holds."""
MOST_SORTED: Final = 50
"""Rows that a statement sorts: no more than a page."""


async def test_no_statement_reads_a_whole_table_or_sorts_it(
    filled: "asyncpg.Connection[Any]",
) -> None:
    for name, statement in statements().items():
        for steps in await plans_of(filled, statement):
            scanned = {
                step["Relation Name"] for step in steps if step["Node Type"].endswith("Seq Scan")
            }
            assert scanned <= {"budget"}, (name, "which has one row for each key")
            whole = [
                step["Index Name"]
                for step in steps
                if re.match(r"(Bitmap )?Index", step["Node Type"]) and "Index Cond" not in step
            ]
            assert not whole or name in WHOLE_INDEX, (name, whole)
            sorted_rows = [step["Plan Rows"] for step in steps if step["Node Type"] == "Sort"]
            most = max(sorted_rows, default=0)
            assert most <= MOST_SORTED or name in WHOLE_INDEX, (name, most)


async def test_a_sweep_and_the_caps_read_only_what_has_not_ended(
    filled: "asyncpg.Connection[Any]",
) -> None:
    used = {
        name: {step["Index Name"] for step in steps if "Index Name" in step}
        for name, statement in statements().items()
        for steps in await plans_of(filled, statement)
    }

    assert used["SELECT_UNFINISHED"] == {"task_unfinished"}
    assert used["SELECT_LEASES_OF_OTHERS"] == {"task_unfinished"}
    assert used["SELECT_LINKED"] == {"task_linked"}
    assert used["SELECT_OTHER_ACCOUNTS"] <= {"task_unfinished", "task_by_status_and_time"}
    assert used["SELECT_SAME_KEY"] == {"task_by_key"}
    assert used["COUNT_RESERVATIONS"] <= {"task_in_flight", "task_reserved"}


async def test_a_poll_changes_no_column_of_an_index(filled: "asyncpg.Connection[Any]") -> None:
    """So its new row goes to the same page, and no index is written."""
    task = replace(
        new_task(request={"model": "m"}, account="s", owner="a", at=NOW),
        status=Status.RUNNING,
        attempt=1,
        submitted_at=NOW,
        provider_task_id="theirs",
    )
    leased = acquire_lease(task, holder="a", at=NOW)
    polled = advance(leased, Observation(status=Status.RUNNING, at=NOW + 10))
    missed = record_missed_poll(polled, at=NOW + 20, delay=10.0, reason="No answer.")
    again = acquire_lease(missed, holder="b", at=NOW + 400)
    changed = {
        column
        for before, after in pairwise((task, leased, polled, missed, again))
        for column in changed_columns(before, after)
    }
    indexed = await filled.fetch(
        """
        SELECT DISTINCT attname FROM pg_index
        JOIN pg_depend ON pg_depend.objid = indexrelid AND refobjid = indrelid
        JOIN pg_attribute ON attrelid = indrelid AND attnum = refobjsubid
        WHERE indrelid = 'task'::regclass
        """
    )
    options = await filled.fetchval("SELECT reloptions FROM pg_class WHERE relname = 'task'")

    assert changed >= {"looked_at", "next_look_at", "looks", "watcher", "watched_until"}
    assert "status" in {row["attname"] for row in indexed}
    assert not changed & {row["attname"] for row in indexed}
    assert options == ["fillfactor=70"]
