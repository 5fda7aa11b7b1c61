"""Hostile calls and frames break nothing; a sample of `fuzz`."""

from pathlib import Path

from reliability.fuzz import attack, summarize


async def test_hostile_calls_frames_and_answers_break_no_server(tmp_path: Path) -> None:
    report = await attack(tmp_path, seed=11, calls=range(1000), frames=range(500))

    assert not report.failures, summarize(report, 0)
