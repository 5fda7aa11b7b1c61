"""Hostile calls and frames break nothing; a sample of `fuzz`."""

from pathlib import Path

import pytest

from reliability.fuzz import attack, summarize
from support.sampling import sample


@pytest.mark.parametrize(("calls", "frames"), sample([(100, 50), (1000, 500)], every=2))
async def test_hostile_calls_frames_and_answers_break_no_server(
    tmp_path: Path, calls: int, frames: int
) -> None:
    report = await attack(tmp_path, seed=11, calls=range(calls), frames=range(frames))

    assert not report.failures, summarize(report, 0)
