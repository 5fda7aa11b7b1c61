"""The promise of the schedule: few looks, little waiting, and a history that stays true."""

import pytest

from reliability.schedule import Cost, durations, learnt, none, ours, share

SAMPLE = 2_000
"""Tasks: enough for figures that move by less than the room left here."""


def mean(values: list[int] | list[float]) -> float:
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def with_history() -> Cost:
    return ours(durations(SAMPLE), history=learnt)


def test_a_task_is_looked_at_seldom(with_history: Cost) -> None:
    assert mean(with_history.looks) <= 20


def test_nobody_waits_long_for_a_video_that_is_done(with_history: Cost) -> None:
    assert mean(with_history.waits) <= 5
    assert share(with_history.waits, 0.95) <= 20


def test_history_pays(with_history: Cost) -> None:
    without = ours(durations(SAMPLE), history=none)

    assert mean(with_history.waits) < 0.8 * mean(without.waits)
    assert mean(with_history.looks) < mean(without.looks)


def test_history_follows_a_service_that_becomes_faster() -> None:
    took = [seconds / (1 if n < SAMPLE / 2 else 3) for n, seconds in enumerate(durations(SAMPLE))]

    later = ours(took, history=learnt).waits[SAMPLE // 2 + 200 :]

    assert mean(later) <= 4
