"""The polling schedule makes few polls, adds little waiting, and follows the service."""

import pytest

from geekai_video_mcp.domain.polling import POLL_WORTH
from reliability.schedule import (
    Cost,
    adaptive,
    best_possible,
    learnt_history,
    no_history,
    quantile,
    sample_durations,
    true_history,
)

SAMPLE = 2_000
"""Tasks: enough for figures that vary by less than the margins of these tests."""


@pytest.fixture(scope="module")
def with_history() -> Cost:
    return adaptive(sample_durations(SAMPLE), history=learnt_history)


def test_a_task_is_polled_few_times_and_a_finished_video_is_found_soon(with_history: Cost) -> None:
    assert with_history.mean_polls <= 16.5
    assert with_history.mean_wait <= 3.5
    assert quantile(with_history.waits, 0.95) <= 8


def test_no_schedule_could_do_much_better(with_history: Cost) -> None:
    polls, wait = best_possible(poll_worth=POLL_WORTH)

    assert with_history.mean_polls * with_history.mean_wait <= 1.1 * polls * wait


def test_history_saves_polls_and_waiting(with_history: Cost) -> None:
    without = adaptive(sample_durations(SAMPLE), history=no_history)

    assert with_history.mean_wait < 0.8 * without.mean_wait
    assert with_history.mean_polls < without.mean_polls


def test_history_follows_a_service_that_becomes_faster() -> None:
    durations = [
        seconds / (1 if n < SAMPLE / 2 else 3) for n, seconds in enumerate(sample_durations(SAMPLE))
    ]

    later = adaptive(durations, history=learnt_history).waits[SAMPLE // 2 + 200 :]

    assert sum(later) / len(later) <= 2


@pytest.mark.parametrize(("pace", "polls", "wait"), [(0.5, 6, 6), (2.0, 45, 4)])
def test_history_that_is_wrong_costs_no_more_than_a_poll_every_five_seconds(
    pace: float, polls: float, wait: float
) -> None:
    durations = [seconds * pace for seconds in sample_durations(SAMPLE // 2)]

    wrong = adaptive(durations, history=true_history)

    assert wrong.mean_polls <= polls
    assert wrong.mean_wait <= wait
