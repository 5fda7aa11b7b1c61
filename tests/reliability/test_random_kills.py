"""A sample of random kills; `make reliability` makes more of them."""

from pathlib import Path

import pytest

from reliability.random_kills import run
from support.postgres import needs_postgres, running_cluster

KILLS = 30
SERVERS = 15
"""One victim in so many is a whole server: two of them."""


@pytest.mark.exhaustive
@pytest.mark.timeout(180)
async def test_kills_at_any_moment_charge_nothing_twice_and_lose_nothing(tmp_path: Path) -> None:
    outcome = await run(tmp_path, kills=KILLS, seed=3, real_every=SERVERS)

    assert outcome.clean, outcome
    assert (outcome.kills, outcome.real) == (KILLS, 2)
    assert outcome.covered, "no kill hit a POST or a download: the moments are wrong"


@needs_postgres
@pytest.mark.timeout(180)
async def test_kills_and_a_restart_of_the_database_charge_nothing_twice_and_lose_nothing(
    tmp_path: Path,
) -> None:
    with running_cluster() as cluster:
        outcome = await run(
            tmp_path, kills=8, seed=4, real_every=1000, cluster=cluster, replicas=4, restarts=1
        )

    assert outcome.clean, outcome
    assert (outcome.kills, outcome.restarts) == (8, 1)
