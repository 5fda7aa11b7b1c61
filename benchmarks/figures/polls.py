"""How often a task is polled, and how late its end is noticed; a simulation, the same every time.

The durations and the floor are those of `tests/reliability/schedule.py`: each task is advanced as
a real one is, and the history holds what its polls have measured. No service has published how
long its videos take, so the durations are drawn: lognormal, median 120 s.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.rows import Row, Target
from reliability.schedule import (
    Cost,
    adaptive,
    best_possible,
    fixed_interval,
    learnt_history,
    no_history,
    quantile,
    sample_durations,
    true_history,
)

TASKS: Final = 10_000
FEWER: Final = 2_000
"""Tasks for a row that is only shown."""
INTERVAL: Final = 5.0
"""Seconds between the polls of the floor: what the documents of providers suggest."""
POLLS: Final = Target(value=16)
WAIT: Final = Target(value=2.5)


def measure(_: int) -> Sequence[Row]:
    """The two figures, the best that any schedule can do, and histories that do not fit."""
    durations = sample_durations(TASKS)
    floor = fixed_interval(durations, every=INTERVAL)
    ours = adaptive(durations, history=learnt_history)
    few = durations[:FEWER]
    others = {
        "without history": (few, no_history),
        "the service twice as slow as its history": ([2 * s for s in few], true_history),
        "the service twice as fast as its history": ([s / 2 for s in few], true_history),
    }
    rows = list(_rows("with history as measured", ours, floor, targets=(POLLS, WAIT)))
    for name, (each, history) in others.items():
        cost = adaptive(each, history=history)
        rows += _rows(name, cost, fixed_interval(each, every=INTERVAL))
    return [*rows, *_best_rows()]


def _rows(
    name: str,
    cost: Cost,
    floor: Cost,
    *,
    targets: tuple[Target | None, Target | None] = (None, None),
) -> Iterator[Row]:
    yield Row(
        figure=f"polls of a task, {name}",
        floor=f"a poll every 5 s: {floor.mean_polls:.1f}",
        unit="polls",
        value=cost.mean_polls,
        target=targets[0],
        details=f"at the 99th percentile {quantile(cost.polls, 0.99):.0f}",
    )
    yield Row(
        figure=f"delay until its end is noticed, {name}",
        floor=f"a poll every 5 s: {floor.mean_wait:.1f} s",
        unit="s",
        value=cost.mean_wait,
        target=targets[1],
        details=f"mean; at the 95th percentile {quantile(cost.waits, 0.95):.1f} s",
    )


def _best_rows() -> Iterator[Row]:
    """What the best schedule needs of one for the target of the other."""
    paid = [best_possible(poll_worth=worth / 500) for worth in range(55, 110)]
    yield Row(
        figure="the least delay that any schedule has with 16 polls",
        floor="the best schedule for the distribution, which it knows",
        unit="s",
        value=min(wait for polls, wait in paid if polls <= POLLS.value),
    )
    yield Row(
        figure="the fewest polls that any schedule makes for a delay of 2.5 s",
        floor="the same",
        unit="polls",
        value=min(polls for polls, wait in paid if wait <= WAIT.value),
    )
