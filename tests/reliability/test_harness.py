"""The harness itself: a run without kills is clean, and a killed worker is really dead."""

import signal
from pathlib import Path

import pytest

from reliability.harness import open_harness
from reliability.oracle import tasks_by_prompt

pytestmark = pytest.mark.timeout(180)


async def test_an_undisturbed_video_is_paid_once_and_stored(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as harness:
        worker = await harness.fork(prompts=["a fox", "a hare"])
        assert await worker.wait() == 0
        verdict = harness.verdict()

    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (2, 2, 0)


async def test_a_killed_submission_is_unknown_and_is_not_sent_again(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as harness:
        worker = await harness.fork(prompts=["a fox POST=late:5"])
        await harness.wait_for_event("POST", 1)
        await harness.kill(worker)
        await harness.settle()
        verdict = harness.verdict()

    assert worker.status == -signal.SIGKILL
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (1, 0, 1)


@pytest.mark.exhaustive
async def test_a_server_that_closes_while_submitting_still_gets_the_answer(
    tmp_path: Path,
) -> None:
    async with open_harness(tmp_path) as harness:
        worker = await harness.fork(prompts=["a fox POST=late:4"], close_after=2)
        assert await worker.wait() == 0
        (row,) = tasks_by_prompt(tmp_path / "one" / "state").values()
        await harness.settle()
        verdict = harness.verdict()

    assert row["status"] == "pending"
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (1, 1, 0)
