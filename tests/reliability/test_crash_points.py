"""A sample of the crash points; `make reliability` tries a third of them, or all."""

import os
from pathlib import Path

import pytest

from reliability.crash_points import SCENARIOS, run
from reliability.tracing import parse_log, why_unavailable
from support.postgres import VARIABLE as CLUSTER
from support.postgres import needs_postgres

POINTS = 12


@pytest.mark.exhaustive
@pytest.mark.timeout(180)
@pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable() or "strace can attach")
async def test_a_kill_at_a_system_call_charges_nothing_twice_and_loses_none(
    tmp_path: Path,
) -> None:
    outcome = await run(tmp_path, seed=3, max_points=POINTS)

    assert outcome.clean, outcome
    assert outcome.tried == POINTS
    assert outcome.covered, "strace killed too few: the calls were counted wrongly"
    assert set(outcome.points) == {scenario.name for scenario in SCENARIOS}
    assert outcome.points.total() >= 300


@needs_postgres
@pytest.mark.timeout(180)
@pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable() or "strace can attach")
async def test_a_kill_at_a_message_to_the_database_charges_nothing_twice_and_loses_none(
    tmp_path: Path,
) -> None:
    outcome = await run(
        tmp_path, seed=3, max_points=6, server=os.environ[CLUSTER], scenarios=["submit"]
    )

    assert outcome.clean, outcome
    assert outcome.covered, "strace killed too few: the calls were counted wrongly"
    assert outcome.commits >= 3, "the tables, the request, and its response are committed"


def test_calls_are_counted_by_thread_and_by_name() -> None:
    """As strace counts for `when=N`: per name, not over a set of names."""
    log = [
        '10 openat(AT_FDCWD, "a", O_RDONLY) = 3</a>',
        '11 openat(AT_FDCWD, "b", O_RDWR|O_CREAT, 0600 <unfinished ...>',
        '10 pwrite64(3</a>, "x", 1, 0) = 1',
        "11 <... openat resumed>) = 4</b>",
        '10 openat(AT_FDCWD, "c", O_RDWR|O_CREAT, 0600) = 5</c>',
        "12 +++ exited with 0 +++",
    ]

    calls = parse_log(log, [10, 11])

    assert [(c.thread, c.name, c.number, c.matters) for c in calls] == [
        (0, "openat", 1, False),
        (1, "openat", 1, True),
        (0, "pwrite64", 1, True),
        (0, "openat", 2, True),
    ]
