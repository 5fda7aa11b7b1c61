"""Many processes in one state folder, or on one database; a small run."""

import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.ledger import Ledger
from reliability.concurrency import (
    SAMPLE,
    open_concurrently,
    run_one_cap,
    run_one_recovery,
    run_same_keys,
)
from support.postgres import VARIABLE as CLUSTER
from support.postgres import create_database, drop_database, needs_postgres

MACHINES = 4
TOKENS = 25
"""Tokens that each machine takes."""


@pytest.mark.exhaustive
async def test_processes_with_the_same_keys_pay_once_for_each_key(tmp_path: Path) -> None:
    outcome = await run_same_keys(tmp_path, processes=SAMPLE.processes, keys=SAMPLE.keys)

    assert outcome.posts == SAMPLE.keys
    assert not outcome.verdict.violations
    assert outcome.verdict.copies == 0


@pytest.mark.exhaustive
async def test_processes_that_race_to_a_cap_pay_for_no_more(tmp_path: Path) -> None:
    outcome = await run_one_cap(
        tmp_path, processes=SAMPLE.processes, calls=SAMPLE.calls, cap=SAMPLE.cap
    )

    assert (outcome.posts, outcome.refused) == (SAMPLE.cap, outcome.calls - SAMPLE.cap)
    assert not outcome.verdict.violations
    assert outcome.verdict.copies == 0


@pytest.mark.exhaustive
def test_processes_that_open_a_ledger_at_once_all_open_it(tmp_path: Path) -> None:
    assert open_concurrently(tmp_path, processes=SAMPLE.processes, rounds=SAMPLE.rounds) == []


@needs_postgres
async def test_machines_with_the_same_keys_pay_once_for_each_key(tmp_path: Path) -> None:
    outcome = await run_same_keys(tmp_path, processes=MACHINES, keys=6, server=os.environ[CLUSTER])

    assert outcome.posts == 6
    assert not outcome.verdict.violations


@needs_postgres
async def test_machines_that_request_the_same_pay_once(tmp_path: Path) -> None:
    outcome = await run_same_keys(
        tmp_path, processes=MACHINES, keys=6, keyed=False, server=os.environ[CLUSTER]
    )

    assert outcome.posts == 6
    assert not outcome.verdict.violations


@needs_postgres
async def test_machines_that_race_to_a_cap_pay_for_no_more(tmp_path: Path) -> None:
    outcome = await run_one_cap(
        tmp_path, processes=MACHINES, calls=5, cap=8, server=os.environ[CLUSTER]
    )

    assert (outcome.posts, outcome.refused) == (8, MACHINES * 5 - 8)
    assert not outcome.verdict.violations


@needs_postgres
async def test_machines_that_find_what_dead_ones_left_send_each_request_once(
    tmp_path: Path,
) -> None:
    outcome = await run_one_recovery(
        tmp_path, processes=MACHINES, unsent=6, sent=2, server=os.environ[CLUSTER]
    )

    assert outcome.posts == 6 + 2
    assert not outcome.verdict.violations
    assert (outcome.verdict.stored, outcome.verdict.unknown) == (6, 2)


@needs_postgres
async def test_machines_that_take_tokens_at_once_take_each_of_them_once(tmp_path: Path) -> None:
    url = await create_database(os.environ[CLUSTER])
    ledgers = [await Ledger.open_database(url, tmp_path / str(n)) for n in range(MACHINES)]

    def take(budget: Budget) -> tuple[Budget, float]:
        return replace(budget, tokens=budget.tokens - 1), budget.tokens

    taken = set[float]()

    async def take_all(ledger: Ledger) -> None:
        for _ in range(TOKENS):
            taken.add(await ledger.update_budget("s", take))

    async with anyio.create_task_group() as machines:
        for ledger in ledgers:
            machines.start_soon(take_all, ledger)
    for ledger in ledgers:
        await ledger.close()
    await drop_database(url)

    assert len(taken) == MACHINES * TOKENS
