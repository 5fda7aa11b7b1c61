"""How often the service is polled: the polls of one task, and the rate of all requests. Pure.

A poll is free, and a late one makes a caller wait, so polls are timed for when the task is likely
to finish: by the service's own estimate, else by how long such tasks took before. Then each poll
is made when the wait that it ends has become worth a poll (`POLL_WORTH`), so polls are close
together where the end is likely. One request budget limits all tasks of a service in all processes
of a state folder.

Rule 1: there is no clock and no randomness here; jitter is a function of a seed.

Rule 2: a time further ahead than anything here sets was written before the clock was set
back, and does not count.

All times are Unix seconds, UTC. All durations are seconds.
"""

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

POLL_WORTH: Final = 0.21
"""Seconds of waiting, on average, that are worth a poll, if there is history. A task of 120 s
(median) takes 16 polls and is noticed 3.3 s late; no schedule that knows nothing else about a task
notices it less than 3.1 s late with 16 polls (`benchmarks/figures/polls.py`)."""
MIN_HISTORY_INTERVAL: Final = 1.0
"""The fewest seconds between polls by history: nobody notices a shorter delay."""
BEYOND_HISTORY: Final = 0.001
"""The share of such tasks that still run when history says nothing more about this one: the
service has become slower, or it is stuck."""
MIN_SPREAD: Final = 0.1
"""The least standard deviation of the logarithm of such durations: five tasks that took equally
long do not promise that the next one will."""
_Z_P10: Final = -1.2816
_Z_P95: Final = 1.6449
"""Where these percentiles are in a normal distribution, in standard deviations."""

FIRST_POLL_DELAY: Final = 10.0
"""Seconds until the first poll without an estimate or history; no known model needs less."""
POLL_INTERVAL: Final = 5.0
"""Seconds between polls without history, at first: twice as often would save 1.5 s and double the
requests."""
MAX_POLL_INTERVAL: Final = 30.0
"""Seconds between polls of a task that has run for five minutes or more."""
MAX_POLL_GAP: Final = 120.0
"""The most seconds between polls, whatever a Retry-After or the history says. No schedule sets
more, so a time further ahead can only come from a clock that was set back."""
POLL_AGE_FRACTION: Final = 0.1
"""The poll interval of a slow task, as a fraction of its age: nobody notices such a delay."""
ESTIMATE_SLACK: Final = 0.15
"""Seconds added to the service's own estimate: a poll a little late finds the task finished."""
MIN_POLL_INTERVAL: Final = 0.25
"""The fewest seconds between polls, so that an estimate that is stuck causes no busy loop."""
JITTER: Final = 0.1
"""Fraction of a delay, either way, so that tasks sent together are not polled together."""

HISTORY_LIMIT: Final = 50
"""How many tasks of one duration key count as history: older ones describe an older service."""
MIN_HISTORY: Final = 5
"""The fewest measured tasks that count as history: fewer say little about percentiles."""


@dataclass(frozen=True, kw_only=True)
class TypicalDuration:
    """How long tasks of one duration key usually take, in seconds."""

    p10: float
    """The 10th percentile: one in ten has finished by then."""
    p95: float
    """The 95th percentile: all but one in twenty have."""

    def share_running(self, age: float) -> float:
        """The share of such tasks that still run at this age, taking them for lognormal."""
        if age < MIN_HISTORY_INTERVAL:
            return 1.0
        p10 = max(self.p10, MIN_HISTORY_INTERVAL)
        p95 = max(self.p95, p10)
        spread = max(math.log(p95 / p10) / (_Z_P95 - _Z_P10), MIN_SPREAD)
        deviations = _Z_P10 + math.log(age / p10) / spread
        return math.erfc(deviations / math.sqrt(2)) / 2


@dataclass(frozen=True, kw_only=True)
class DurationSample:
    """The measured times of a finished task."""

    submitted_at: float | None
    last_polled_at: float | None
    """When a poll last found it unfinished."""
    ended_at: float | None

    @property
    def seconds(self) -> float | None:
        """Seconds it took, as precisely as the polls show; None if it was not polled.

        It ended between two polls, and the middle is taken. With the later poll, the history of
        tasks that had finished at their first poll would only ever grow: in a simulation, the
        extra wait of the slowest twentieth doubles (`tests/reliability/schedule.py`).
        """
        if self.submitted_at is None or self.last_polled_at is None or self.ended_at is None:
            return None
        if not 0 <= self.ended_at - self.last_polled_at <= MAX_POLL_GAP:
            return None  # no server ran, or a clock was set
        took = (self.last_polled_at + self.ended_at) / 2 - self.submitted_at
        return took if took > 0 else None


def duration_key(request: Mapping[str, Any]) -> str:
    """The same for requests that take about as long: model, duration and resolution."""
    return json.dumps([request.get(name) for name in ("model", "duration", "resolution")])


def typical_duration(samples: Iterable[DurationSample]) -> TypicalDuration | None:
    """The typical duration of these tasks; None if too few of them were measured."""
    seconds = sorted(sample.seconds for sample in samples if sample.seconds is not None)
    if len(seconds) < MIN_HISTORY:
        return None
    count = len(seconds)
    return TypicalDuration(p10=seconds[count // 10], p95=seconds[count * 19 // 20])


def poll_interval(*, age: float, typical: TypicalDuration | None, first: bool) -> float:
    """Seconds to the next poll of a task *age* seconds after it was sent, without jitter."""
    if typical is not None and typical.share_running(age) > BEYOND_HISTORY:
        return interval_from_history(age, typical)
    if typical is None and first:
        return FIRST_POLL_DELAY
    return min(max(POLL_INTERVAL, age * POLL_AGE_FRACTION), MAX_POLL_INTERVAL)


def interval_from_history(age: float, typical: TypicalDuration) -> float:
    """Seconds until the expected wait of a caller whose task has ended is worth a poll.

    The task ends within the interval with the probability that history gives, and then waits for
    the poll for half of it on average. So every poll ends the same wait. That is what the best
    schedule comes to: intervals inversely proportional to the square root of the hazard rate.
    """
    running = typical.share_running(age)
    early, late = MIN_HISTORY_INTERVAL, MAX_POLL_GAP
    while late - early > MIN_POLL_INTERVAL:
        interval = (early + late) / 2
        ended = 1 - typical.share_running(age + interval) / running
        if ended * interval / 2 < POLL_WORTH:
            early = interval
        else:
            late = interval
    return late


def interval_from_estimate(estimated_seconds: float) -> float:
    """Seconds to the next poll when the service estimates how much longer it needs."""
    return min(max(MIN_POLL_INTERVAL, estimated_seconds + ESTIMATE_SLACK), MAX_POLL_INTERVAL)


def jittered(delay: float, *, seed: str) -> float:
    """*delay*, up to a tenth shorter or longer: always the same for the same *seed*."""
    fraction = zlib.crc32(seed.encode()) / 0xFFFF_FFFF
    return min(delay * (1 + JITTER * (2 * fraction - 1)), MAX_POLL_GAP)


BURST_SECONDS: Final = 5.0
"""How long requests that are not sent are saved up: ten polls may come at once, as when a server
starts with ten unfinished tasks."""
MIN_POLLS_AT_ONCE: Final = 50
MAX_POLLS_AT_ONCE: Final = 400
"""Each has a connection, and a process may open 1,024 files where nobody has changed that."""
DEFAULT_PAUSE: Final = 10.0
"""Seconds without requests after a 429 that names no time."""
MAX_PAUSE: Final = MAX_POLL_GAP
"""Seconds without requests, whatever a 429 asks."""
_FULL_TOKEN: Final = 1.0 - 1e-3
"""Tokens that count as one, so that a wait that ends a rounding error early is not repeated."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many requests all processes together may still send to one service and key."""

    account: str
    tokens: float = 0.0
    """Polls that may be sent at once; below zero after submissions, which do not wait for one."""
    refilled_at: float = 0.0
    paused_until: float = 0.0
    """Nothing is sent before this time, because the service has asked for a pause."""


def burst(per_second: float) -> float:
    """The most requests that may come at once."""
    return max(1.0, per_second * BURST_SECONDS)


def polls_at_once(per_second: float) -> int:
    """The most polls of one process that wait for an answer: as many as a second allows."""
    return min(max(MIN_POLLS_AT_ONCE, int(per_second)), MAX_POLLS_AT_ONCE)


class Grant(NamedTuple):
    """What was granted of the requests that were asked for."""

    granted: int
    wait_seconds: float
    """After which the next may be granted; 0.0 if all of them were."""


def take_tokens(
    budget: Budget, *, at: float, count: int, per_second: float
) -> tuple[Budget, Grant]:
    """The budget less as many of *count* requests as may be sent now."""
    if _is_paused(budget, at=at):
        return budget, Grant(0, budget.paused_until - at)
    refilled = _refill(budget, at=at, per_second=per_second)
    granted = max(0, min(count, int(refilled.tokens + 1 - _FULL_TOKEN)))
    if not granted:
        # Nothing to record, unless the clock was set back.
        kept = budget if budget.refilled_at <= at else refilled
        return kept, Grant(0, (1 - refilled.tokens) / per_second)
    left = refilled.tokens - granted
    wait = 0.0 if granted == count else max(0.0, 1 - left) / per_second
    return replace(refilled, tokens=left), Grant(granted, wait)


def take_token(
    budget: Budget, *, at: float, per_second: float, priority: bool = False
) -> tuple[Budget, float]:
    """The budget less one request, and 0.0; or the same budget, and the seconds to wait.

    *priority* is for a request that a caller waits for: only a pause delays it, and later polls
    wait longer to compensate.
    """
    if not priority or _is_paused(budget, at=at):
        taken, grant = take_tokens(budget, at=at, count=1, per_second=per_second)
        return taken, grant.wait_seconds
    refilled = _refill(budget, at=at, per_second=per_second)
    return replace(refilled, tokens=max(refilled.tokens - 1, -burst(per_second))), 0.0


def _is_paused(budget: Budget, *, at: float) -> bool:
    return at < budget.paused_until <= at + MAX_PAUSE


def _refill(budget: Budget, *, at: float, per_second: float) -> Budget:
    # None are gained if the clock was set back and the last refill is ahead.
    gained = max(0.0, at - budget.refilled_at) * per_second
    tokens = min(burst(per_second), budget.tokens + gained)
    return replace(budget, tokens=tokens, refilled_at=at)


def pause(budget: Budget, *, at: float, seconds: float | None) -> Budget:
    """The budget after a 429 that asks for *seconds*; afterwards polls start one by one."""
    until = at + min(DEFAULT_PAUSE if seconds is None else seconds, MAX_PAUSE)
    if _is_paused(budget, at=at):
        until = max(until, budget.paused_until)
    return replace(budget, tokens=min(budget.tokens, 0.0), refilled_at=until, paused_until=until)
