"""What the schedule of looks costs, and what it makes people wait.

`python -m reliability.schedule`, run in `tests`, prints it. Durations are lognormal (sigma
0.5, median 120 s), each task is advanced by `lifecycle` as a real one is, and history is what
those looks have measured, never the truth.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from geekai_video_mcp.domain.lifecycle import Observation, Task, advance, with_typical_duration
from geekai_video_mcp.domain.polling import (
    HISTORY_LIMIT,
    MIN_HISTORY,
    DurationSample,
    TypicalDuration,
    typical_duration,
)
from geekai_video_mcp.domain.statuses import Status

TASKS: Final = 20_000
MEDIAN: Final = 120.0
"""Seconds."""
SIGMA: Final = 0.5
START: Final = 1_790_000_000.0

History = Callable[[Iterable[DurationSample]], TypicalDuration | None]


@dataclass(frozen=True)
class Cost:
    """What a schedule came to."""

    looks: list[int]
    waits: list[float]
    """Seconds from each end to the look that saw it."""

    def __str__(self) -> str:
        mean = sum(self.looks) / len(self.looks), sum(self.waits) / len(self.waits)
        return (
            f"{mean[0]:6.1f} /{share(self.looks, 0.99):4.0f}"
            f"      {mean[1]:5.1f} /{share(self.waits, 0.95):5.1f} s"
        )


def share(values: Iterable[float], of: float) -> float:
    """The value that this share of *values* does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(of * len(ordered)))]


def durations(count: int, *, seed: int = 1) -> list[float]:
    """Seconds that each of *count* tasks takes."""
    chance = random.Random(seed)  # noqa: S311 - a simulation that must repeat itself
    return [chance.lognormvariate(math.log(MEDIAN), SIGMA) for _ in range(count)]


def fixed(took: Iterable[float], *, every: float) -> Cost:
    """Looks at a fixed interval."""
    looks = [max(1, math.ceil(seconds / every)) for seconds in took]
    return Cost(looks, [n * every - s for n, s in zip(looks, took, strict=True)])


def ours(took: Iterable[float], *, history: History) -> Cost:
    """Our looks, by what *history* makes of the newest tasks before."""
    looks, waits = list[int](), list[float]()
    spans = deque[DurationSample](maxlen=HISTORY_LIMIT)
    for number, seconds in enumerate(took):
        task = _watched(_sent(number, history(spans)), ends=START + seconds)
        spans.append(_span(task))
        looks.append(task.poll_count)
        waits.append((task.ended_at or START) - START - seconds)
    return Cost(looks, waits)


def learnt(spans: Iterable[DurationSample]) -> TypicalDuration | None:
    """History as the ledger learns it."""
    return typical_duration(spans)


def none(_: Iterable[DurationSample]) -> None:
    """No history, as for a model that is used for the first time."""


def by_the_later_look(spans: Iterable[DurationSample]) -> TypicalDuration | None:
    """What history would become if a task were taken to end when it was seen to."""
    ended = [replace(span, last_polled_at=span.ended_at) for span in spans]
    return typical_duration(ended) if len(ended) >= MIN_HISTORY else None


def _sent(number: int, usual: TypicalDuration | None) -> Task:
    # Named by number: jitter goes by the name, and the simulation must repeat itself.
    task = Task(
        id=f"{number:032x}",
        created_at=START,
        account="s",
        model="m",
        status=Status.SUBMITTING,
        submitted_at=START,
    )
    return advance(with_typical_duration(task, usual), Observation(status=Status.PENDING, at=START))


def _watched(task: Task, *, ends: float) -> Task:
    while task.next_poll_at is not None:
        at = task.next_poll_at
        status = Status.SUCCEED if at >= ends else Status.RUNNING
        task = advance(task, Observation(status=status, at=at))
    return task


def _span(task: Task) -> DurationSample:
    return DurationSample(
        submitted_at=task.submitted_at, last_polled_at=task.last_polled_at, ended_at=task.ended_at
    )


def main() -> None:
    """Print what each schedule comes to."""
    took = durations(TASKS)
    schedules = {
        "fixed 5 s": fixed(took, every=5.0),
        "ours, no history": ours(took, history=none),
        "ours, history as it is learnt": ours(took, history=learnt),
        "ours, ends taken from the later look": ours(took, history=by_the_later_look),
    }
    print(f"{TASKS:,} tasks, median {MEDIAN:.0f} s     looks mean / p99   wait mean / p95")  # noqa: T201
    for name, cost in schedules.items():
        print(f"{name:38}{cost}")  # noqa: T201


if __name__ == "__main__":
    main()
