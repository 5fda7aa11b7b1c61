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
from typing import Final

from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.polling import (
    HISTORY_LIMIT,
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

    def __str__(self) -> str:
        mean = sum(self.polls) / len(self.polls), sum(self.waits) / len(self.waits)
        return (
            f"{mean[0]:6.1f} /{quantile(self.polls, 0.99):4.0f}"
            f"      {mean[1]:5.1f} /{quantile(self.waits, 0.95):5.1f} s"
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


def main() -> None:
    """Print the result of each schedule."""
    durations = sample_durations(TASKS)
    schedules = {
        "fixed 5 s": fixed_interval(durations, every=5.0),
        "ours, no history": adaptive(durations, history=no_history),
        "ours, history as measured": adaptive(durations, history=learnt_history),
        "ours, ends taken from the last poll": adaptive(durations, history=history_by_last_poll),
    }
    print(f"{TASKS:,} tasks, median {MEDIAN:.0f} s     polls mean / p99   wait mean / p95")  # noqa: T201
    for name, cost in schedules.items():
        print(f"{name:38}{cost}")  # noqa: T201


if __name__ == "__main__":
    main()
