"""The stage itself: an undisturbed run is clean, and a killed worker is really gone."""

import signal
from pathlib import Path

import pytest

from reliability.harness import open_harness
from reliability.oracle import tasks

pytestmark = pytest.mark.timeout(180)


async def test_an_undisturbed_video_is_paid_once_and_stored(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as here:
        worker = await here.fork(prompts=["a fox", "a hare"])
        assert await worker.end() == 0
        verdict = here.verdict()

    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (2, 2, 0)


async def test_a_killed_payment_is_unknown_and_stays_unsent(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as here:
        worker = await here.fork(prompts=["a fox POST=late:5"])
        await here.happened("POST", 1)
        await here.kill(worker)
        await here.settle()
        verdict = here.verdict()

    assert worker.status == -signal.SIGKILL
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (1, 0, 1)


async def test_a_server_that_closes_while_paying_still_hears_the_answer(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as here:
        worker = await here.fork(prompts=["a fox POST=late:1"], close_after=0.5)
        assert await worker.end() == 0
        (row,) = tasks(tmp_path / "one" / "state").values()
        await here.settle()
        verdict = here.verdict()

    assert row["status"] == "pending"
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (1, 1, 0)
