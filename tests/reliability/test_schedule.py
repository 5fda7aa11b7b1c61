"""The polling schedule makes few polls, adds little waiting, and follows the service."""

import pytest

from reliability.schedule import (
    Cost,
    adaptive,
    learnt_history,
    no_history,
    quantile,
    sample_durations,
)

SAMPLE = 2_000
"""Tasks: enough for figures that vary by less than the margins of these tests."""


def mean(values: list[int] | list[float]) -> float:
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def with_history() -> Cost:
    return adaptive(sample_durations(SAMPLE), history=learnt_history)


def test_a_task_is_polled_few_times(with_history: Cost) -> None:
    assert mean(with_history.polls) <= 20


def test_a_finished_video_is_found_soon(with_history: Cost) -> None:
    assert mean(with_history.waits) <= 5
    assert quantile(with_history.waits, 0.95) <= 20


def test_history_saves_polls_and_waiting(with_history: Cost) -> None:
    without = adaptive(sample_durations(SAMPLE), history=no_history)

    assert mean(with_history.waits) < 0.8 * mean(without.waits)
    assert mean(with_history.polls) < mean(without.polls)


def test_history_follows_a_service_that_becomes_faster() -> None:
    durations = [
        seconds / (1 if n < SAMPLE / 2 else 3) for n, seconds in enumerate(sample_durations(SAMPLE))
    ]

    later = adaptive(durations, history=learnt_history).waits[SAMPLE // 2 + 200 :]

    assert mean(later) <= 4
