"""The pool and the sessions of PostgreSQL when their callers or their network fail."""

import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from pydantic import SecretStr

from geekai_video_mcp.app import open_ledger_base
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.ledger.postgres import connection as connections
from geekai_video_mcp.ledger.postgres import database as pool
from geekai_video_mcp.ledger.postgres import processes as liveness
from geekai_video_mcp.ledger.postgres.database import POOL_SIZE
from geekai_video_mcp.ledger.postgres.processes import PostgresProcesses
from support.database_proxy import Loss, database_proxy
from support.postgres import needs_postgres
from support.recorded import make_task
from support.world import admit_new

pytestmark = needs_postgres
CALLS = 300
COUNT_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
OWN = "application_name = 'geekai-video-mcp' AND datname = current_database()"


@pytest.fixture
async def ledger(database_url: str, tmp_path: Path) -> AsyncGenerator[Ledger]:
    opened = await Ledger.open_database(database_url, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def session(database_url: str) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """Somebody else's connection to the same database."""
    opened: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


def polled_once_more(task: Task) -> Task:
    return replace(task, poll_count=task.poll_count + 1)


async def test_callers_that_give_up_at_any_moment_leave_every_connection_clean(
    ledger: Ledger, session: "asyncpg.Connection[Any]"
) -> None:
    task = await ledger.add(make_task())
    chance, done, begun = random.Random(1), list[int](), list[int]()  # noqa: S311 - a test's own dice
    calls: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: ledger.change(task.id, polled_once_more),
        lambda: ledger.find(task.id),
        lambda: ledger.list_tasks(limit=5),
        lambda: ledger.update_budget("s", lambda budget: (budget, None)),
    ]

    async def give_up_sometime(number: int) -> None:
        with anyio.move_on_after(chance.uniform(0.0, 0.05)):
            if number % len(calls) == 0:
                begun.append(number)
            await calls[number % len(calls)]()
            if number % len(calls) == 0:
                done.append(number)

    # First all connections are opened: asyncpg tells the event loop of one whose opening was given
    # up, and that would end the test.
    async with anyio.create_task_group() as group:
        for _ in range(POOL_SIZE):
            group.start_soon(ledger.find, task.id)
    async with anyio.create_task_group() as group:
        for number in range(CALLS):
            await anyio.sleep(chance.uniform(0.0, 0.004))
            group.start_soon(give_up_sometime, number)
    async with anyio.create_task_group() as group:
        for _ in range(2 * POOL_SIZE):
            group.start_soon(ledger.change, task.id, polled_once_more)
    found = await ledger.find(task.id)
    open_ones = await session.fetch(f"SELECT state FROM pg_stat_activity WHERE {OWN}")  # noqa: S608 - our own words

    assert found is not None
    assert len(done) <= found.poll_count - 2 * POOL_SIZE <= len(begun)
    assert len(done) < CALLS / len(calls), "none has given up: the test proves nothing"
    assert {row["state"] for row in open_ones} == {"idle"}
    assert len(open_ones) <= POOL_SIZE


async def test_a_change_that_has_begun_is_recorded_although_its_caller_gives_up(
    ledger: Ledger,
) -> None:
    task = await ledger.add(make_task())
    with anyio.CancelScope() as caller:

        def give_up_and_change(task: Task) -> Task:
            caller.cancel()
            return polled_once_more(task)

        await ledger.change(task.id, give_up_and_change)

    assert await ledger.find(task.id) == polled_once_more(task)


async def test_a_row_that_another_one_holds_is_said_to_be_busy_and_stops_no_other_call(
    database_url: str,
    tmp_path: Path,
    session: "asyncpg.Connection[Any]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "STATEMENT_TIMEOUT", 1.0)
    ledger = await Ledger.open_database(database_url, tmp_path)
    task = await ledger.add(make_task())
    errors, found = list[str](), None

    async def change() -> None:
        try:
            await ledger.change(task.id, polled_once_more)
        except StorageUnavailable as exc:
            errors.append(exc.message)

    async with session.transaction():
        await session.execute("SELECT 1 FROM geekai_video.task FOR UPDATE")
        async with anyio.create_task_group() as group:
            for _ in range(3 * POOL_SIZE):  # more than there are connections
                group.start_soon(change)
            found = await ledger.find(task.id)
    changed = await ledger.change(task.id, polled_once_more)
    await ledger.close()

    assert found == task
    assert len(errors) == 3 * POOL_SIZE
    assert len(set(errors)) == 1
    assert "busy" in errors[0] or "another" in errors[0], errors[0]
    assert changed.poll_count == 1


async def test_a_response_is_recorded_while_any_number_of_requests_wait_for_their_turn(
    ledger: Ledger, session: "asyncpg.Connection[Any]"
) -> None:
    task = changed = await ledger.add(make_task())
    await session.execute("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('s', 0))")

    async def request() -> None:
        await admit_new(ledger, make_task(), body={})

    async with anyio.create_task_group() as requests:
        for _ in range(3 * POOL_SIZE):
            requests.start_soon(request)
        while await session.fetchval(COUNT_WAITING) == 0:  # noqa: ASYNC110 - the database tells nobody
            await anyio.sleep(0.05)
        with anyio.fail_after(5):
            changed = await ledger.change(task.id, polled_once_more)
        await session.execute("COMMIT")

    assert changed.poll_count == 1


async def test_a_request_may_have_been_charged_if_nobody_knows_whether_it_is_recorded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to its COMMIT is lost, and the database does not come back in time."""
    monkeypatch.setattr(pool, "COMMIT_CHECK_SECONDS", 0.5)
    async with database_proxy(database_url) as proxy, anyio.create_task_group() as group:
        ledger = await Ledger.open_database(proxy.url, tmp_path)
        proxy.lose_commit(Loss.RESPONSE, after=b"INSERT INTO task")

        async def stay_away() -> None:
            await proxy.lost.wait()
            proxy.take_down()

        group.start_soon(stay_away)
        with pytest.raises(StorageUnavailable, match=r"It may have been charged\."):
            await admit_new(ledger, make_task(), body={})
        await ledger.close()


async def test_a_process_is_alive_again_although_the_database_keeps_the_session_it_lost(
    database_url: str, ledger: Ledger
) -> None:
    del ledger  # it has made the tables
    async with database_proxy(database_url) as proxy:
        process = PostgresProcesses(proxy.url)
        async with process.run():
            proxy.take_down(half_open=True)
            await process.refresh()
            with pytest.raises(StorageUnavailable):
                process.ensure_own_lock()
            proxy.bring_up()
            await process.refresh()
            process.ensure_own_lock()


async def test_an_attempt_to_reconnect_that_takes_too_long_leaves_no_session_behind(
    database_url: str, session: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "READ_TIMEOUT", 0.5)
    process = PostgresProcesses(database_url)
    key = int.from_bytes(bytes.fromhex(process.own_id[:16]), signed=True)
    await session.execute("SELECT pg_advisory_lock($1)", key)
    for _ in range(3):
        await process.refresh()
    await session.execute("SELECT pg_advisory_unlock($1)", key)
    with anyio.fail_after(5):
        while await session.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {OWN}"):  # noqa: ASYNC110, S608 - the database tells nobody
            await anyio.sleep(0.05)


async def test_a_column_that_a_newer_version_adds_disturbs_no_transaction(
    ledger: Ledger, session: "asyncpg.Connection[Any]"
) -> None:
    """Servers are upgraded one by one, and the older ones go on with their tasks."""

    async def use_ledger() -> Task:
        await ledger.update_budget("s", lambda budget: (replace(budget, tokens=1.0), None))
        await admit_new(ledger, make_task(), body={})
        return await ledger.change(task.id, polled_once_more)

    task = await ledger.add(make_task())
    await use_ledger()
    for table in ("task", "event", "budget", "body"):
        await session.execute(f"ALTER TABLE geekai_video.{table} ADD COLUMN later BIGINT")
    changed = await use_ledger()

    assert changed.poll_count == 2


async def test_what_happens_is_dated_by_the_clock_of_the_database(
    database_url: str,
    tmp_path: Path,
    session: "asyncpg.Connection[Any]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That of this machine is an hour ahead, and the other machines know only the database's."""
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + 3600.0)
    async with open_ledger_base(tmp_path, database_url=SecretStr(database_url)) as base:
        task = await base.ledger.add(replace(make_task(), created_at=base.clock()))
        await base.ledger.change(task.id, lambda each: replace(each, file_status=FileStatus.LOST))
    rows = await session.fetch("SELECT at FROM geekai_video.event")

    assert len(rows) == 2
    assert all(abs(row["at"] - true_time()) < 60.0 for row in rows)
