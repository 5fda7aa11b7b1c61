"""No statement takes longer because the ledger has more tasks that have ended.

SQLite says how it would run each statement, with what `ANALYZE` finds in a ledger of 200,000 rows
and without: a person may have run that.
"""

import re
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from geekai_video_mcp.ledger.sqlite.connection import create_database
from support.statements import statements

OF_ALL = {
    "sqlite_autoindex_task_1": (200_000, 1),
    "task_by_provider": (200_000, 1),
    "task_by_fingerprint": (200_000, 40_000, 1, 1),
    "event_by_task": (1_100_000, 6, 1),
}
"""The rows of each index of all tenants together, and how many have the same first columns."""
OF_ONE = {
    "task_made_elsewhere": (300, 150, 1),
    "task_by_key": (40_000, 10_000, 1),
    "task_by_kind": (180_000, 45_000, 800, 1, 1, 1, 1),
    "task_by_time": (200_000, 1, 1),
    "task_by_status_and_time": (200_000, 33_000, 1, 1),
    "task_unfinished": (3, 2, 1),
    "task_in_flight": (5, 3, 1),
    "task_linked": (3_000, 600, 1),
    "task_reserved": (196_000, 39_000, 1, 1),
    "event_by_tenant": (1_100_000, 1),
}
"""The same of the indexes that begin with the tenant, for one."""
FEW = {
    "FIND": "those of one id: ours, and of the service",
    "SELECT_HOLDER": "those of one id of the service",
    "SELECT_SAME_FINGERPRINT": "the same request of one day",
    "SELECT_SAME_FILM": "the films of the same parts",
    "SELECT_LINKED": "those of the last days that may still be fetched",
    "SELECT_OTHER_ACCOUNTS": "those that have not ended",
}
"""Statements that sort a few rows, and which."""


def statistics(tenants: int) -> dict[str, str]:
    """What `ANALYZE` finds in a ledger that so many tenants use equally."""
    found = {index: " ".join(map(str, counts)) for index, counts in OF_ALL.items()}
    for index, counts in OF_ONE.items():
        found[index] = " ".join(map(str, (counts[0] * tenants, *counts)))
    return found


@pytest.fixture(params=["never analyzed", "of one tenant", "of fifty tenants"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[sqlite3.Connection]:
    path = tmp_path / "ledger.sqlite3"
    create_database(path)
    if request.param != "never analyzed":
        found = statistics(1 if request.param == "of one tenant" else 50)
        with closing(sqlite3.connect(path)) as db:
            db.execute("ANALYZE")
            for index, counted in found.items():
                table = "event" if index.startswith("event") else "task"
                row = (table, index, counted)
                db.execute("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", row)
            db.commit()
    with closing(sqlite3.connect(path)) as db:
        yield db


def plan_of(db: sqlite3.Connection, statement: str) -> list[str]:
    parameters = dict.fromkeys(re.findall(r":(\w+)", statement))
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def test_no_statement_reads_a_whole_table_or_sorts_it(ledger: sqlite3.Connection) -> None:
    plans = {name: plan_of(ledger, statement) for name, statement in statements().items()}

    allowed = {
        "SCAN CONSTANT ROW",
        "SCAN page",  # of one status: no more than the list shows
        "SCAN reserved",  # of one day: no more than the cap
        "SCAN task USING INDEX task_in_flight",  # of all tenants, and all of them are wanted
        "SCAN task USING INDEX task_unfinished",  # of all tenants, and all of them are wanted
        "SCAN task USING COVERING INDEX task_with_file",  # once an hour, of all tenants with files
        "SCAN task USING INDEX task_linked",  # the same, once at the start of a server
    }
    for name, plan in plans.items():
        scans = [step for step in plan if step.startswith("SCAN") and step not in allowed]
        # In the order of the index, and ended by the limit.
        if re.match(r"page of \(\) before None since None", name):
            assert plan == ["SEARCH task USING INDEX task_by_time (tenant=?)"]
        assert scans == [], name
        sorts = [step for step in plan if "TEMP B-TREE" in step]
        pages = sum(step == "SCAN page" for step in plan)
        assert len(sorts) <= (pages or name in FEW), (name, plan)


WHOLE_TENANT = {
    "page of () before None since None": "in the order of the index, and ended by the limit",
    "COUNT_FILES": "its second count is of the tasks that have not ended",
    "SELECT_ALL_UNFINISHED": "of the tasks that have not ended",
    "SELECT_OTHER_ACCOUNTS": "of the tasks that have not ended",
    "SELECT_EVENT_CURSOR": "the last entry of the index",
    "PURGE_EVENTS": "the same, beside the events of one task",
}
"""Statements that find rows by their tenant alone, and why that is no scan."""


def test_no_statement_reads_all_tasks_of_a_tenant(ledger: sqlite3.Connection) -> None:
    for name, statement in statements().items():
        whole = [step for step in plan_of(ledger, statement) if step.endswith("(tenant=?)")]
        assert not whole or name.partition(":")[0] in WHOLE_TENANT, (name, whole)


def test_a_sweep_and_the_caps_read_only_what_has_not_ended(ledger: sqlite3.Connection) -> None:
    used = {
        name: set(re.findall(r"INDEX (task_\w+)", " ".join(plan_of(ledger, statement))))
        for name, statement in statements().items()
    }

    assert used["SELECT_UNFINISHED"] == {"task_unfinished"}
    assert used["SELECT_LINKED"] == {"task_linked"}
    assert used["SELECT_OTHER_ACCOUNTS"] <= {"task_unfinished", "task_by_status_and_time"}
    assert used["COUNT_RESERVATIONS"] == {"task_in_flight", "task_reserved"}
    assert used["SELECT_RESERVED_PRICES"] == {"task_reserved"}
    assert used["SELECT_SAME_KEY"] == {"task_by_key"}


def test_every_index_is_used_or_keeps_a_rule(ledger: sqlite3.Connection) -> None:
    """Each costs every write of its columns."""
    plans = " ".join(
        step for statement in statements().values() for step in plan_of(ledger, statement)
    )

    made = {row[1] for row in ledger.execute("PRAGMA index_list(task)")}
    assert made - set(re.findall(r"INDEX (\w+)", plans)) == {"task_made_elsewhere"}
