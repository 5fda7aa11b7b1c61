"""What is of PostgreSQL alone: its dialect, what it refuses at start, its locks, its failures."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import asyncpg
import pytest

from geekai_video_mcp.errors import ConfigError, LedgerTooNew, StorageUnavailable
from geekai_video_mcp.ledger import Ledger, schema
from geekai_video_mcp.ledger.conversion import TASK_COLUMNS
from geekai_video_mcp.ledger.postgres import connection as connection_module
from geekai_video_mcp.ledger.postgres.database import PostgresDatabase
from geekai_video_mcp.ledger.postgres.dialect import translate
from geekai_video_mcp.ledger.postgres.migrations import MIGRATIONS
from geekai_video_mcp.ledger.postgres.processes import PostgresProcesses
from support.postgres import (
    connected,
    create_database,
    needs_postgres,
    run_sql,
    running_cluster,
    wait_for_transactions,
    with_database,
)
from support.recorded import make_task

pytestmark = needs_postgres
SECRET_PART = re.compile(r"[0-9a-f]{32}")


def test_a_statement_keeps_its_meaning_and_loses_what_is_for_sqlites_planner() -> None:
    found = translate(schema.SELECT_BY_PREFIX)
    events = translate(schema.SELECT_UNFINISHED_TENANTS)

    assert found.names == ("tenant", "start", "limit")
    assert ":start" not in found.text
    assert "+tenant" not in found.text
    assert "INDEXED" not in events.text


async def test_every_statement_can_be_prepared(database_url: str, tmp_path: Path) -> None:
    """By the database itself, which knows each table, column and type."""
    ledger = await Ledger.open_database(database_url, tmp_path)
    await ledger.close()
    statements = [
        value
        for name, value in vars(schema).items()
        if name.isupper() and not name.startswith("_") and " FROM " in str(value)
    ]
    statements += [schema.update(TASK_COLUMNS), schema.select_page((), before="a", since=1.0)]
    async with connected(database_url) as connection:
        await connection.execute("SET search_path = geekai_video")
        for statement in statements:
            await connection.prepare(translate(statement).text)
    assert len(statements) > 30


async def test_the_tables_have_the_columns_of_a_task(database_url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    await ledger.close()
    rows = await run_sql(
        database_url, "SELECT column_name FROM information_schema.columns WHERE table_name = 'task'"
    )

    assert {name for (name,) in rows} == set(TASK_COLUMNS)


async def test_any_number_of_servers_may_create_the_tables_at_once(
    database_url: str, tmp_path: Path
) -> None:
    ledgers = list[Ledger]()

    async def open_one() -> None:
        ledgers.append(await Ledger.open_database(database_url, tmp_path))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(open_one)
    task = await ledgers[0].add(make_task())
    found = [await each.find(task.id) for each in ledgers]
    for each in ledgers:
        await each.close()

    assert found == [task] * 8


REFUSED = [
    ("/nowhere", "no database of that name"),
    ("//wrong", "does not accept this user"),
    ("//nobody", "does not accept this user"),
    ("://closed", "cannot be reached"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
async def test_a_database_that_cannot_be_used_is_refused_by_its_variable_without_the_secret(
    database_url: str, tmp_path: Path, change: str, said: str
) -> None:
    parts = urlsplit(database_url)
    match change:
        case "/nowhere":
            wrong = with_database(database_url, "nowhere")
        case "//wrong":
            wrong = database_url.replace(str(parts.password), "f" * 32)
        case "//nobody":
            wrong = database_url.replace(f"{parts.username}:", "nobody:")
        case _:
            wrong = urlunsplit(parts._replace(netloc=parts.netloc.replace(str(parts.port), "9")))
    with pytest.raises(ConfigError) as refused:
        await Ledger.open_database(wrong, tmp_path)

    assert "GEEKAI_DATABASE_URL" in refused.value.message
    assert said in refused.value.message
    assert not SECRET_PART.search(refused.value.message)
    assert "127.0.0.1" not in refused.value.message


async def test_tables_of_a_newer_version_are_left_alone(database_url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    await ledger.close()
    await run_sql(
        database_url, "UPDATE geekai_video.schema_version SET version = version + 1 RETURNING 1"
    )
    with pytest.raises(LedgerTooNew):
        await Ledger.open_database(database_url, tmp_path)
    rows = await run_sql(database_url, "SELECT version FROM geekai_video.schema_version")

    assert rows == [(len(MIGRATIONS) + 1,)]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("synchronous_commit = off", "synchronous_commit = off"),
        ("default_transaction_read_only = on", "read-only replica"),
    ],
)
async def test_a_database_that_may_lose_what_was_paid_for_is_refused(
    database_url: str, tmp_path: Path, setting: str, said: str
) -> None:
    name = urlsplit(database_url).path.strip("/")
    await run_sql(with_database(database_url, "postgres"), f"ALTER DATABASE {name} SET {setting}")
    with pytest.raises(ConfigError, match=said):
        await Ledger.open_database(database_url, tmp_path)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_may_lose_what_was_paid_for_is_refused(
    tmp_path: Path, setting: str
) -> None:
    refused = pytest.raises(ConfigError, match=f"has {setting} = off")
    with running_cluster(parent=None, **{setting: "off"}) as cluster, refused:
        await Ledger.open_database(cluster.url, tmp_path)


async def test_an_upgrade_while_this_server_runs_ends_its_requests_and_not_its_tasks(
    database_url: str, tmp_path: Path
) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    task = await ledger.add(make_task())
    await run_sql(
        database_url, "UPDATE geekai_video.schema_version SET version = version + 1 RETURNING 1"
    )
    with pytest.raises(LedgerTooNew) as refused:
        await ledger.claim(task.id, lambda each: replace(each, attempt=1))
    changed = await ledger.change(task.id, lambda each: replace(each, poll_count=1))
    await ledger.close()

    assert "Nothing was charged." in refused.value.message
    assert changed.poll_count == 1


async def test_an_event_that_commits_late_is_missed_by_nobody(
    database_url: str, tmp_path: Path
) -> None:
    """Its number was taken before those of events that were committed first."""
    ledger = await Ledger.open_database(database_url, tmp_path)
    last = await ledger.last_event_id()
    slow: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    insert = (
        "INSERT INTO geekai_video.event (at, task_id, status, attempt, file_status)"
        " VALUES (1, 'late', 'pending', 1, 'none')"
    )
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(insert)
    task = await ledger.add(make_task())
    before = await ledger.events_after(after=last)
    await transaction.commit()
    await slow.close()
    await wait_for_transactions(database_url)
    seen = list[str]()
    for notice in before:
        last, _ = notice.number, seen.append(notice.task_id)
    seen += [notice.task_id for notice in await ledger.events_after(after=last)]
    await ledger.close()

    assert before == []
    assert seen == ["late", task.id]


async def test_what_is_read_together_is_of_one_moment(database_url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    database = await PostgresDatabase.open(database_url)
    count = "SELECT count(*) AS tasks FROM task"
    async with database.snapshot():
        before = await database.select_one(count)
        await ledger.add(make_task())
        during = await database.select_one(count)
    async with database.reading():
        after = await database.select_one(count)
    await database.close()
    await ledger.close()

    assert (before, during, after) == ({"tasks": 0}, {"tasks": 0}, {"tasks": 1})


async def test_changes_of_several_tasks_are_one_transaction(
    database_url: str, tmp_path: Path
) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    tasks = [await ledger.add(make_task()) for _ in range(4)]
    await ledger.change_all([(each.id, lambda task: replace(task, poll_count=1)) for each in tasks])
    await ledger.close()
    found = await run_sql(database_url, "SELECT DISTINCT xmin FROM geekai_video.task")

    assert len(found) == 1


async def test_tables_of_an_older_version_are_upgraded_with_their_tasks(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    task = await ledger.add(make_task())
    await ledger.close()
    second = ("ALTER TABLE task ADD COLUMN grown TEXT",)
    monkeypatch.setattr(connection_module, "MIGRATIONS", (*MIGRATIONS, second))
    newer = await Ledger.open_database(database_url, tmp_path)
    found = await newer.list_records(limit=5)
    await newer.close()
    version = await run_sql(database_url, "SELECT version FROM geekai_video.schema_version")

    assert [each.id for each in found] == [task.id]
    assert version == [(len(MIGRATIONS) + 1,)]


async def test_the_tables_are_written_anew_for_longer_than_a_statement_may_take(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "STATEMENT_TIMEOUT", 0.2)
    ledger = await Ledger.open_database(database_url, tmp_path)
    reader: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    transaction = reader.transaction()
    await transaction.start()
    await reader.execute("SELECT count(*) FROM geekai_video.task")
    async with anyio.create_task_group() as group:
        group.start_soon(ledger.compact)
        await reader.execute("SELECT pg_sleep(0.6)")
        await transaction.rollback()
    await reader.close()
    timeout = await run_in(ledger, "SHOW statement_timeout")
    await ledger.close()

    assert timeout == "200ms"


async def run_in(ledger: Ledger, statement: str) -> object:
    """The value of a statement in a connection that the ledger uses."""
    database = ledger._database  # pyright: ignore[reportPrivateUsage]
    async with database.reading():
        return next(iter((await database.select(statement))[0].values()))


async def test_whoever_stops_between_two_events_of_a_transaction_misses_none(
    database_url: str, tmp_path: Path
) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    tasks = [await ledger.add(make_task()) for _ in range(2)]
    last = await ledger.last_event_id()
    await ledger.change_all([(task.id, partial(replace, attempt=1)) for task in tasks])
    await wait_for_transactions(database_url)
    notices = await ledger.events_after(after=last)
    again = await ledger.events_after(after=notices[0].number)
    later = await ledger.events_after(after=notices[1].number)
    await ledger.close()

    assert {notice.task_id for notice in notices} == {task.id for task in tasks}
    assert again == notices
    assert later == []


async def test_a_process_is_alive_until_its_session_ends(database_url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open_database(database_url, tmp_path)
    first, second = PostgresProcesses(database_url), PostgresProcesses(database_url)
    async with first.run():
        async with second.run():
            await first.refresh()
            alive = first.is_alive(second.own_id)
        await first.refresh()
        ended = first.is_alive(second.own_id)
        unheard_of = first.is_alive("0" * 32)
        await first.refresh()
        known_now = first.is_alive("0" * 32)
    await ledger.close()

    assert (alive, ended) == (True, False)
    assert (unheard_of, known_now) == (True, False)


async def test_a_process_that_has_just_begun_is_not_taken_for_dead(
    database_url: str, tmp_path: Path
) -> None:
    """Although the locks were read before it had one."""
    ledger = await Ledger.open_database(database_url, tmp_path)
    first, second = PostgresProcesses(database_url), PostgresProcesses(database_url)
    async with first.run(), second.run():
        assert first.is_alive(second.own_id)
    await ledger.close()


async def test_a_database_that_stops_in_mid_call_is_said_and_comes_back(tmp_path: Path) -> None:
    with running_cluster() as cluster:
        url = await create_database(cluster.url)
        ledger = await Ledger.open_database(url, tmp_path)
        processes = PostgresProcesses(url)
        async with processes.run():
            task = await ledger.add(make_task())
            await anyio.to_thread.run_sync(cluster.stop, "immediate")
            with pytest.raises(StorageUnavailable) as refused:
                await ledger.change(task.id, lambda each: replace(each, poll_count=1))
            await processes.refresh()
            with pytest.raises(StorageUnavailable, match="reconnects"):
                processes.ensure_own_lock()
            await anyio.to_thread.run_sync(cluster.start)
            changed = await ledger.change(task.id, lambda each: replace(each, poll_count=2))
            await processes.refresh()
            processes.ensure_own_lock()
        await ledger.close()

    assert not SECRET_PART.search(refused.value.message)
    assert changed.poll_count == 2
