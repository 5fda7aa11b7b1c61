"""Many processes in one state folder; a small run."""

from pathlib import Path

import pytest

from reliability.concurrency import SAMPLE, open_concurrently, run_one_cap, run_same_keys


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
