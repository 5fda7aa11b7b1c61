"""How many polls the polling schedule makes, and how long it makes a user wait.

`python -m reliability.schedule`, run in `tests`, prints it. Durations are lognormal (sigma
0.5, median 120 s), each task is advanced by `lifecycle` as a real one is, and the history
contains what those polls have measured, never the true durations.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist
from typing import Final

from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.polling import (
    HISTORY_LIMIT,
    MAX_POLL_GAP,
    MIN_HISTORY,
    DurationSample,
    TypicalDuration,
    typical_duration,
)
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
    with_typical_duration,
)

TASKS: Final = 20_000
MEDIAN: Final = 120.0
"""Seconds."""
SIGMA: Final = 0.5
START: Final = 1_790_000_000.0

History = Callable[[Iterable[DurationSample]], TypicalDuration | None]


@dataclass(frozen=True)
class Cost:
    """The result of a schedule."""

    polls: list[int]
    waits: list[float]
    """Seconds from the end of each task to the poll that found it finished."""

    @property
    def mean_polls(self) -> float:
        return sum(self.polls) / len(self.polls)

    @property
    def mean_wait(self) -> float:
        return sum(self.waits) / len(self.waits)

    def __str__(self) -> str:
        return (
            f"{self.mean_polls:6.1f} /{quantile(self.polls, 0.99):4.0f}"
            f"      {self.mean_wait:5.1f} /{quantile(self.waits, 0.95):5.1f} s"
        )


def quantile(values: Iterable[float], of: float) -> float:
    """The value that this share of *values* does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(of * len(ordered)))]


def sample_durations(count: int, *, seed: int = 1) -> list[float]:
    """Seconds that each of *count* tasks takes."""
    chance = random.Random(seed)  # noqa: S311 - a simulation that must be reproducible
    return [chance.lognormvariate(math.log(MEDIAN), SIGMA) for _ in range(count)]


def fixed_interval(durations: Iterable[float], *, every: float) -> Cost:
    """Polls at a fixed interval."""
    polls = [max(1, math.ceil(seconds / every)) for seconds in durations]
    return Cost(polls, [n * every - s for n, s in zip(polls, durations, strict=True)])


def adaptive(durations: Iterable[float], *, history: History) -> Cost:
    """Our polls, with the typical duration that *history* gives for the latest tasks."""
    polls, waits = list[int](), list[float]()
    samples = deque[DurationSample](maxlen=HISTORY_LIMIT)
    for number, seconds in enumerate(durations):
        task = _poll_to_end(_submitted_task(number, history(samples)), ends=START + seconds)
        samples.append(_duration_sample(task))
        polls.append(task.poll_count)
        waits.append((task.ended_at or START) - START - seconds)
    return Cost(polls, waits)


def learnt_history(samples: Iterable[DurationSample]) -> TypicalDuration | None:
    """The typical duration as the ledger computes it."""
    return typical_duration(samples)


def true_history(_: Iterable[DurationSample]) -> TypicalDuration:
    """The percentiles of the distribution that the durations are taken from."""
    return TypicalDuration(
        p10=MEDIAN * math.exp(SIGMA * NormalDist().inv_cdf(0.1)),
        p95=MEDIAN * math.exp(SIGMA * NormalDist().inv_cdf(0.95)),
    )


def no_history(_: Iterable[DurationSample]) -> None:
    """No history, as for a model that is used for the first time."""


def history_by_last_poll(samples: Iterable[DurationSample]) -> TypicalDuration | None:
    """The typical duration if a task counted as finished at the poll that found it so."""
    ended = [replace(sample, last_polled_at=sample.ended_at) for sample in samples]
    return typical_duration(ended) if len(ended) >= MIN_HISTORY else None


def _submitted_task(number: int, typical: TypicalDuration | None) -> Task:
    # The id is the number: jitter depends on the id, and the simulation must be reproducible.
    task = Task(
        id=f"{number:032x}",
        created_at=START,
        account="s",
        model="m",
        status=Status.SUBMITTING,
        submitted_at=START,
    )
    return advance(
        with_typical_duration(task, typical), Observation(status=Status.PENDING, at=START)
    )


def _poll_to_end(task: Task, *, ends: float) -> Task:
    while task.next_poll_at is not None:
        at = task.next_poll_at
        status = Status.SUCCEED if at >= ends else Status.RUNNING
        task = advance(task, Observation(status=status, at=at))
    return task


def _duration_sample(task: Task) -> DurationSample:
    return DurationSample(
        submitted_at=task.submitted_at, last_polled_at=task.last_polled_at, ended_at=task.ended_at
    )


def best_possible(*, poll_worth: float) -> tuple[float, float]:
    """The polls and seconds of waiting, on average, of the best schedule there can be.

    It knows the distribution of the durations, and nothing else of a task, like every schedule
    without an estimate from the service. *poll_worth* is the waiting, in seconds, that it gives
    for one poll less: the smaller, the more polls. Found by going back from the end of the
    slowest task, where there is nothing left to decide.
    """
    step, ends = 1.0, 1500
    normal = NormalDist(math.log(MEDIAN), SIGMA)
    running = [1.0, *(1 - normal.cdf(math.log(step * at)) for at in range(1, ends + 1))]
    # The time, over all tasks, that has run by each step; what a poll at b after one at a makes
    # those wait that end in between is the time from a to b less what of it they still ran.
    run = [0.0]
    for before, after in pairwise(running):
        run.append(run[-1] + step * (before + after) / 2)
    costs, polls, waits = ([0.0] * (ends + 1) for _ in range(3))
    for a in reversed(range(ends)):
        choices = list[tuple[float, int, float]]()
        for b in range(a + 1, min(ends, a + int(MAX_POLL_GAP / step)) + 1):
            wait = step * (b - a) * running[a] - (run[b] - run[a])
            choices.append((running[a] * poll_worth + wait + costs[b], b, wait))
        costs[a], b, wait = min(choices)
        polls[a], waits[a] = running[a] + polls[b], wait + waits[b]
    return polls[0], waits[0]


def main() -> None:
    """Print the result of each schedule."""
    durations = sample_durations(TASKS)
    slower, faster = ([seconds * by for seconds in durations] for by in (2.0, 0.5))
    schedules = {
        "fixed 5 s": fixed_interval(durations, every=5.0),
        "ours, no history": adaptive(durations, history=no_history),
        "ours, history as measured": adaptive(durations, history=learnt_history),
        "ours, ends taken from the last poll": adaptive(durations, history=history_by_last_poll),
        "ours, service twice as slow as before": adaptive(slower, history=true_history),
        "ours, service twice as fast as before": adaptive(faster, history=true_history),
    }
    print(f"{TASKS:,} tasks, median {MEDIAN:.0f} s     polls mean / p99   wait mean / p95")  # noqa: T201
    for name, cost in schedules.items():
        print(f"{name:38}{cost}")  # noqa: T201


if __name__ == "__main__":
    main()
