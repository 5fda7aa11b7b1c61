"""A sample of random kills; `make reliability` makes more of them."""

from pathlib import Path

import pytest

from reliability.random_kills import run

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
