"""Many processes on one state folder, at a size for every day."""

from pathlib import Path

from reliability.concurrency import SAMPLE, one_cap, openings, same_keys


async def test_processes_that_ask_with_the_same_keys_pay_once_for_each(tmp_path: Path) -> None:
    crowd = await same_keys(tmp_path, processes=SAMPLE.processes, keys=SAMPLE.keys)

    assert crowd.posts == SAMPLE.keys
    assert not crowd.verdict.violations
    assert crowd.verdict.copies == 0


async def test_processes_that_race_to_a_cap_pay_for_no_more(tmp_path: Path) -> None:
    crowd = await one_cap(tmp_path, processes=SAMPLE.processes, calls=SAMPLE.calls, cap=SAMPLE.cap)

    assert (crowd.posts, crowd.refused) == (SAMPLE.cap, crowd.calls - SAMPLE.cap)
    assert not crowd.verdict.violations
    assert crowd.verdict.copies == 0


def test_processes_that_open_a_ledger_at_once_all_open_it(tmp_path: Path) -> None:
    assert openings(tmp_path, processes=SAMPLE.processes, rounds=SAMPLE.rounds) == []
