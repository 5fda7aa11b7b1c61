"""The commands of a person on tasks in PostgreSQL, as real processes."""

import csv
import io
import json
import os
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import Observation, Task, new_task
from geekai_video_mcp.ledger import Ledger
from support.postgres import (
    create_database,
    drop_database,
    find_binaries,
    needs_postgres,
    open_transaction,
    run_sql,
    with_database,
)
from support.process import environment, run_cli
from support.provider import running_provider

pytestmark = needs_postgres
MAYBE = "It may have been charged."
WAITING_PURGE = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid != pg_backend_pid()
      AND query LIKE '%pg_snapshot_xmin%'
"""


def unknown(folder: Path, prompt: str = "a fox", **settings: str) -> Task:
    """A task whose request was sent by a process that is gone."""
    made = new_task(
        request={"model": "cogvideox-flash", "prompt": prompt},
        account=Settings.from_env(environment(folder, **settings)).account,
        owner="dead",
        at=time.time() - 7200,
    )
    sent = Observation(status=Status.SUBMITTING, at=made.created_at, owner="dead", attempt=1)
    return replace(
        advance(made, sent), status=Status.UNKNOWN, error_code="no_answer", error_message=MAYBE
    )


def finished(folder: Path, prompt: str = "a hare", **settings: str) -> Task:
    return replace(
        unknown(folder, prompt, **settings),
        status=Status.SUCCEED,
        provider_task_id="theirs",
        error_code=None,
        error_message=None,
        created_at=time.time() - 3 * 86_400,
        ended_at=time.time() - 2 * 86_400,
        delivered_at=time.time() - 2 * 86_400,
        file_status=FileStatus.DELETED,
    )


async def seed(folder: Path, ledger_url: str, *tasks: Task) -> None:
    ledger = await Ledger.open_database(ledger_url, folder / "state")
    for each in tasks:
        await ledger.of_tenant(each.tenant).add(each)
    await ledger.close()


async def run(
    folder: Path, ledger_url: str, *command: str, **settings: str
) -> tuple[int, str, str]:
    return await run_cli(folder, *command, GEEKAI_DATABASE_URL=ledger_url, **settings)


async def test_a_database_without_tables_gets_none_by_reading(
    tmp_path: Path, database_url: str
) -> None:
    listed = await run(tmp_path, database_url, "tasks")
    spent = await run(tmp_path, database_url, "spent")
    found = await run(tmp_path, database_url, "tasks", "show", "abcdef12")
    _, checked, _ = await run(tmp_path, database_url, "doctor")
    schemas = await run_sql(
        database_url, "SELECT 1 FROM pg_namespace WHERE nspname = 'geekai_video'"
    )

    assert listed == (0, "No tasks yet.\n", "")
    assert spent[0] == 0
    assert found[0] == 1
    assert "the first start of the server creates its tables" in " ".join(checked.split())
    assert schemas == []


async def test_tasks_are_listed_shown_exported_and_counted(tmp_path: Path, ledger_url: str) -> None:
    paid = replace(
        finished(tmp_path, GEEKAI_API_KEY="sk-any"), price_cny=1.5, price_source="a list"
    )
    lost = unknown(tmp_path)
    foreign = replace(unknown(tmp_path, "a secret"), tenant="alice")
    await seed(tmp_path, ledger_url, paid, lost, foreign)
    _, listed, _ = await run(tmp_path, ledger_url, "tasks")
    _, chosen, _ = await run(tmp_path, ledger_url, "tasks", "--status", "unknown")
    _, shown, _ = await run(tmp_path, ledger_url, "tasks", "show", lost.id[:8])
    _, exported, _ = await run(tmp_path, ledger_url, "tasks", "export")
    status, spent, _ = await run(tmp_path, ledger_url, "spent")

    assert "a fox" in listed
    assert "a hare" in listed
    assert "a secret" not in listed + chosen + shown + exported
    assert "a hare" not in chosen
    assert MAYBE in shown
    assert {row["id"] for row in csv.DictReader(io.StringIO(exported))} == {paid.id, lost.id}
    assert status == 0
    assert "1.5" in spent


async def test_an_unknown_outcome_is_abandoned_or_sent_again(
    tmp_path: Path, ledger_url: str
) -> None:
    async with running_provider() as service:
        one = unknown(tmp_path, **service.settings)
        two = unknown(tmp_path, "a hare", **service.settings)
        await seed(tmp_path, ledger_url, one, two)
        options = ("tasks", "resolve", one.id, "--abandon", "--yes")
        abandoned = await run(tmp_path, ledger_url, *options, **service.settings)
        options = ("tasks", "resolve", two.id, "--resubmit", "--yes")
        sent = await run(tmp_path, ledger_url, *options, **service.settings)
        rows = await run_sql(ledger_url, "SELECT id, status FROM task ORDER BY created_at")

    assert (abandoned[0], sent[0]) == (0, 0), sent
    assert service.prompts == ["a hare"]
    assert sorted(status for _, status in rows) == ["abandoned", "abandoned", "pending"]


async def test_purged_tasks_leave_nothing_in_the_tables(tmp_path: Path, ledger_url: str) -> None:
    gone, stays = finished(tmp_path, "a fox called Canary-8815"), unknown(tmp_path)
    await seed(tmp_path, ledger_url, gone, stays)
    before = await read_table(ledger_url)
    status, out, err = await run(tmp_path, ledger_url, "tasks", "purge", "--yes")
    tasks = await run_sql(ledger_url, "SELECT id FROM task")

    assert (status, err) == (0, "")
    assert "Deleted 1 task" in out
    assert tasks == [(stays.id,)]
    assert b"Canary-8815" in before
    assert b"Canary-8815" not in await read_table(ledger_url)


async def test_what_others_may_still_see_is_written_anew_once_they_are_done(
    tmp_path: Path, ledger_url: str
) -> None:
    gone = finished(tmp_path, "a fox called Canary-8815")
    await seed(tmp_path, ledger_url, gone)
    elsewhere = with_database(ledger_url, "postgres")  # a snapshot reaches over all databases
    purged, waited, kept = anyio.Event(), False, b""

    async def purge() -> None:
        await run(tmp_path, ledger_url, "tasks", "purge", "--yes")
        purged.set()

    async with anyio.create_task_group() as group, open_transaction(elsewhere):
        group.start_soon(purge)
        while not purged.is_set() and not await run_sql(ledger_url, WAITING_PURGE):
            await anyio.lowlevel.checkpoint()
        kept = await read_table(ledger_url)
        waited = not purged.is_set()

    assert waited
    assert b"Canary-8815" in kept
    assert b"Canary-8815" not in await read_table(ledger_url)


async def test_another_purge_writes_anew_what_an_earlier_one_had_to_leave(
    tmp_path: Path, ledger_url: str
) -> None:
    await seed(tmp_path, ledger_url, finished(tmp_path, "a fox called Canary-8815"))
    await run_sql(ledger_url, "DELETE FROM task RETURNING id")
    before = await read_table(ledger_url)
    status, out, err = await run(tmp_path, ledger_url, "tasks", "purge")

    assert (status, out, err) == (0, "Nothing can be deleted.\n", "")
    assert b"Canary-8815" in before
    assert b"Canary-8815" not in await read_table(ledger_url)


async def read_table(ledger_url: str) -> bytes:
    """The file of the table, as the database's disk has it."""
    ((folder,),) = await run_sql(ledger_url, "CHECKPOINT", "SHOW data_directory")
    ((name,),) = await run_sql(ledger_url, "SELECT pg_relation_filepath('task')")
    return Path(folder, name).read_bytes()


async def test_doctor_says_what_the_database_holds_and_not_where_it_is(
    tmp_path: Path, ledger_url: str
) -> None:
    lost = unknown(tmp_path)
    await seed(
        tmp_path, ledger_url, lost, finished(tmp_path), replace(finished(tmp_path), tenant="alice")
    )
    before = await run_sql(ledger_url, "SELECT max(xid::text::bigint) FROM event")
    status, out, err = await run(tmp_path, ledger_url, "doctor", "--json")
    lines: list[dict[str, Any]] = json.loads(out)["checks"]
    of_tasks = [line for line in lines if line["check"] == "tasks"]
    (settings,) = [line for line in lines if line["text"] == "they can be used"]

    assert (status, err) == (0, "")
    assert re.match(
        r'3 \(2 of "local", 1 of "alice"\) recorded in the database of GEEKAI_DATABASE_URL'
        r" \(PostgreSQL \d+\.\d+, tables of version \d+\)$",
        of_tasks[0]["text"],
    ), of_tasks[0]["text"]
    assert of_tasks[0]["facts"]["unknown"] == [lost.id]
    assert "answers that come while the database is away are recorded in" in out
    assert "the outcome of 1 task is unknown" in of_tasks[1]["text"]
    assert settings["facts"]["GEEKAI_DATABASE_URL"]["value"] == "set"
    assert "127.0.0.1" not in json.dumps(of_tasks)
    assert ledger_url.split(":")[2].partition("@")[0] not in out
    assert await run_sql(ledger_url, "SELECT max(xid::text::bigint) FROM event") == before


async def test_a_backup_is_left_to_the_databases_own_program(
    tmp_path: Path, ledger_url: str
) -> None:
    lost = unknown(tmp_path)
    await seed(tmp_path, ledger_url, lost)
    status, out, err = await run(tmp_path, ledger_url, "tasks", "backup", str(tmp_path / "copy"))
    binaries = find_binaries()
    assert binaries is not None
    restored = await create_database(ledger_url)
    dump = tmp_path / "tasks.dump"
    (command,) = [line for line in err.splitlines() if "pg_dump" in line]
    command = command.replace("FILE", str(dump)).replace("DATABASE", f"'{ledger_url}'")
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    for line in (command, f"pg_restore --dbname='{restored}' {dump}"):
        subprocess.run(  # noqa: S602 - as an operator types it
            line, shell=True, check=True, env={"PATH": path}
        )
    listed = await run(tmp_path, restored, "tasks")
    await drop_database(restored)

    assert (status, out) == (1, "")
    assert err.startswith("Nothing was copied: the task database is in PostgreSQL")
    assert not (tmp_path / "copy").exists()
    assert lost.id[:8] in listed[1]
