"""How often the service is asked: history, jitter, and the budget that everyone shares."""

from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_video_mcp.domain import polling
from geekai_video_mcp.domain.limits import REQUESTS_PER_SECOND
from geekai_video_mcp.domain.polling import (
    DEFAULT_PAUSE,
    JITTER,
    MAX_PAUSE,
    MAX_POLL_GAP,
    MIN_HISTORY,
    Budget,
    DurationSample,
    burst,
    duration_key,
    jittered,
    pause,
    take_tokens,
    typical_duration,
)

NOW = 1_790_000_000.0
FRESH = Budget(account="s")
BURST = burst(REQUESTS_PER_SECOND)
take_token = partial(polling.take_token, per_second=REQUESTS_PER_SECOND)


def span(took: float, *, gap: float = 4.0) -> DurationSample:
    """A task that was looked at *gap* seconds before it was seen to be done."""
    return DurationSample(
        submitted_at=NOW, last_polled_at=NOW + took - gap / 2, ended_at=NOW + took + gap / 2
    )


# History


def test_a_duration_key_is_what_decides_how_long_a_video_takes() -> None:
    request = {"model": "m", "prompt": "a fox", "duration": 5, "resolution": "720p"}

    assert duration_key(request) == duration_key({**request, "prompt": "a hare", "watermark": True})
    for other in ({"model": "n"}, {"duration": 10}, {"resolution": "1080p"}):
        assert duration_key({**request, **other}) != duration_key(request)
    assert "fox" not in duration_key(request)


def test_a_task_ended_between_two_polls() -> None:
    assert span(100).seconds == pytest.approx(100)


@pytest.mark.parametrize(
    "unmeasured",
    [
        pytest.param(
            DurationSample(submitted_at=None, last_polled_at=NOW, ended_at=NOW + 5),
            id="made elsewhere",
        ),
        pytest.param(
            DurationSample(submitted_at=NOW, last_polled_at=None, ended_at=NOW + 5),
            id="done at once",
        ),
        pytest.param(
            DurationSample(submitted_at=NOW, last_polled_at=NOW + 9, ended_at=None), id="no end"
        ),
        pytest.param(span(86_400, gap=80_000), id="the server was off"),
        pytest.param(span(100, gap=-3600), id="the clock was set back at the end"),
        pytest.param(span(-3000), id="the clock was set back while it ran"),
    ],
)
def test_a_task_that_was_not_polled_to_its_end_is_no_history(unmeasured: DurationSample) -> None:
    assert unmeasured.seconds is None
    assert typical_duration([span(100)] * (MIN_HISTORY - 1) + [unmeasured]) is None


def test_a_typical_duration_is_the_10th_and_the_95th_percentile() -> None:
    found = typical_duration([span(took) for took in range(60, 10, -1)])

    assert found is not None
    assert (found.p10, found.p95) == (pytest.approx(16), pytest.approx(58))


def test_a_few_tasks_are_enough_for_a_typical_duration() -> None:
    found = typical_duration([span(took) for took in (70, 50, 60, 90, 80)])

    assert found is not None
    assert (found.p10, found.p95) == (pytest.approx(50), pytest.approx(90))


# Jitter


@given(st.text(), st.floats(0, 1e6))
def test_jitter_is_a_tenth_at_most_and_the_same_each_time(by: str, delay: float) -> None:
    wait = jittered(delay, seed=by)

    assert wait == jittered(delay, seed=by)
    low, high = delay * (1 - JITTER), delay * (1 + JITTER)
    assert min(low, MAX_POLL_GAP) * 0.999 <= wait <= min(high, MAX_POLL_GAP) * 1.001


# The budget


def granted(budget: Budget, times: Sequence[float], *, ahead: bool = False) -> int:
    count = 0
    for at in times:
        budget, wait = take_token(budget, at=at, priority=ahead)
        count += wait == 0
    return count


def test_polls_may_come_at_once_and_then_as_tokens_are_refilled() -> None:
    assert granted(FRESH, [NOW] * 100) == BURST
    seconds = [NOW + tick / 10 for tick in range(600)]
    assert granted(FRESH, seconds) == pytest.approx(BURST + 60 * REQUESTS_PER_SECOND, abs=1)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=300).map(sorted))
def test_no_sequence_of_requests_gets_more_than_the_budget(offsets: list[float]) -> None:
    seconds = offsets[-1] - offsets[0]

    allowed = BURST + seconds * REQUESTS_PER_SECOND
    assert granted(FRESH, [NOW + offset for offset in offsets]) <= allowed + 0.1


def test_a_caller_without_a_token_learns_how_long_to_wait_and_then_gets_one() -> None:
    budget, at = FRESH, NOW
    for _ in range(50):
        budget, wait = take_token(budget, at=at)
        at += wait
        if wait:
            budget, wait = take_token(budget, at=at)
            assert wait == 0


@given(st.integers(1, 500), st.sampled_from([0.1, 2.0, 80.0]))
def test_many_tokens_at_once_are_as_many_as_one_by_one(count: int, per_second: float) -> None:
    one_by_one, granted = FRESH, 0
    for _ in range(count):
        one_by_one, wait = polling.take_token(one_by_one, at=NOW, per_second=per_second)
        granted += wait == 0

    budget, grant = take_tokens(FRESH, at=NOW, count=count, per_second=per_second)

    assert grant.granted == granted == min(count, burst(per_second))
    assert budget == one_by_one
    assert (grant.wait_seconds == 0) == (grant.granted == count)


def test_a_rate_is_kept_over_time_whatever_it_is() -> None:
    for per_second in (0.1, 2.0, 80.0):
        budget, granted = FRESH, 0
        for tick in range(6000):
            budget, grant = take_tokens(
                budget, at=NOW + tick / 10, count=1000, per_second=per_second
            )
            granted += grant.granted
        assert granted == pytest.approx(burst(per_second) + 600 * per_second, abs=1 + per_second)


def test_requests_that_are_not_granted_leave_nothing_to_record() -> None:
    spent, _ = take_tokens(FRESH, at=NOW, count=100, per_second=REQUESTS_PER_SECOND)

    left, grant = take_tokens(spent, at=NOW + 0.1, count=5, per_second=REQUESTS_PER_SECOND)

    assert left is spent
    assert (grant.granted, grant.wait_seconds) == (0, pytest.approx(0.4))


def test_a_submission_waits_for_no_token_and_polls_make_up_for_it() -> None:
    budget = FRESH
    for _ in range(40):
        budget, wait = take_token(budget, at=NOW, priority=True)
        assert wait == 0

    _, wait = take_token(budget, at=NOW)

    assert wait == pytest.approx((1 + BURST) / REQUESTS_PER_SECOND), "bounded all the same"


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(
    ("retry_after", "held"), [(None, DEFAULT_PAUSE), (40.0, 40.0), (1e9, MAX_PAUSE)]
)
def test_after_a_429_nothing_goes_for_as_long_as_the_service_asks_within_bounds(
    retry_after: float | None, held: float, *, ahead: bool
) -> None:
    blocked = pause(FRESH, at=NOW, seconds=retry_after)

    assert take_token(blocked, at=NOW + held - 1, priority=ahead) == (blocked, pytest.approx(1))
    assert take_token(blocked, at=NOW + held, priority=True)[1] == 0


def test_after_a_pause_polls_start_one_by_one() -> None:
    blocked = pause(FRESH, at=NOW, seconds=40)

    assert granted(blocked, [NOW + 40] * 10) == 0
    assert granted(blocked, [NOW + 41] * 10) == REQUESTS_PER_SECOND


def test_a_second_429_does_not_shorten_what_the_first_one_asked() -> None:
    blocked = pause(pause(FRESH, at=NOW, seconds=60), at=NOW + 1, seconds=1)

    assert take_token(blocked, at=NOW + 59)[1] == pytest.approx(1)


@pytest.mark.parametrize("back", [3600, 86_400])
def test_a_clock_set_back_neither_blocks_nor_starves(back: float) -> None:
    blocked, spent = pause(FRESH, at=NOW, seconds=120), FRESH
    for _ in range(int(BURST)):
        spent, _ = take_token(spent, at=NOW)

    assert take_token(blocked, at=NOW - back, priority=True)[1] == 0
    for budget in (blocked, spent):
        later, wait = take_token(budget, at=NOW - back)
        assert take_token(later, at=NOW - back + wait)[1] == 0


@pytest.mark.parametrize("ahead", [3600, 86_400])
def test_a_clock_set_forward_fills_the_budget_and_no_more(ahead: float) -> None:
    assert granted(pause(FRESH, at=NOW, seconds=120), [NOW + ahead] * 100) == BURST
