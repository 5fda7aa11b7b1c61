"""Who is taken for dead on PostgreSQL, and when: by the locks of sessions."""

import itertools
import time
from typing import Any

import anyio
import asyncpg
import pytest

from geekai_video_mcp.ledger.postgres import processes
from geekai_video_mcp.ledger.postgres.processes import PostgresProcesses
from support.postgres import needs_postgres

pytestmark = needs_postgres
SOON = 4.0


async def test_the_end_of_a_process_is_told_at_once(ledger_url: str) -> None:
    """Although nobody has asked about it before."""
    first, second = PostgresProcesses(ledger_url), PostgresProcesses(ledger_url)
    async with first.run():
        async with second.run():
            await first.refresh()
        with anyio.fail_after(SOON):
            await first.wait_for_end()
        alive = first.is_alive(second.own_id)

    assert not alive


async def test_a_process_that_was_dead_before_is_told_of_once_it_is_asked_about(
    ledger_url: str,
) -> None:
    first = PostgresProcesses(ledger_url)
    async with first.run():
        in_doubt = first.is_alive("0" * 32)
        with anyio.fail_after(SOON):
            await first.wait_for_end()
        alive = first.is_alive("0" * 32)

    assert (in_doubt, alive) == (True, False)


@pytest.mark.parametrize("seconds", [processes.RECONNECTION_SECONDS, 0.0])
async def test_who_has_lost_its_own_session_judges_nobody_for_a_while(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A restart of the database ends all sessions: the others need a moment as well."""
    monkeypatch.setattr(processes, "RECONNECTION_SECONDS", seconds)
    monkeypatch.setattr(processes, "READ_INTERVAL", 600.0)
    first, second = PostgresProcesses(ledger_url), PostgresProcesses(ledger_url)
    async with first.run(), second.run():
        await first.refresh()
        connection: asyncpg.Connection[Any] = await asyncpg.connect(ledger_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        await connection.close()
        for _ in range(2):  # it learns of the loss, and connects again
            await first.refresh()
        first.ensure_own_lock()
        alive = first.is_alive(second.own_id)

    assert alive == bool(seconds)


async def test_a_machine_that_sleeps_while_it_reads_the_time_keeps_the_one_it_knows(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is of somewhere in between, and nobody knows where."""
    monkeypatch.setattr(processes, "READ_INTERVAL", 600.0)
    true_time, slept = time.time, itertools.chain([0.0], itertools.repeat(3600.0))
    process = PostgresProcesses(ledger_url)
    async with process.run():
        monkeypatch.setattr(time, "time", lambda: true_time() + next(slept))
        await process.refresh()
        monkeypatch.undo()
        at = process.clock()

    assert at == pytest.approx(true_time(), abs=60.0)
