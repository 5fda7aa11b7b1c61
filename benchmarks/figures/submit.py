"""How long a call of `generate_video` takes, against an SDK tool that does the same least."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from benchmarks.comparison import Comparison, compare
from benchmarks.report import ROOT
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.service import running_service
from benchmarks.support.stdio import StdioServer
from benchmarks.support.submission import FLOOR_WORK, Caller, paying_server, submitting_server

CALLS: Final = 60
"""Calls of each in a round: enough for a 95th percentile, and over before our first poll."""
Start = Callable[[str, Path], AbstractContextManager[StdioServer]]


def measure(rounds: int) -> Sequence[Row]:
    """A new process of each in every round, so that neither works while the other is measured."""
    with tempfile.TemporaryDirectory(dir=ROOT) as name, running_service() as url:
        floor = Series(paying_server, url, Path(name) / "floor")
        subject = Series(submitting_server, url, Path(name) / "subject")
        return compare_calls(
            subject,
            floor,
            rounds=rounds,
            figure="`generate_video`, call to answer",
            against=FLOOR_WORK,
            targets=(1.5, 3),
        )


def compare_calls(
    subject: "Series",
    floor: "Series",
    *,
    rounds: int,
    figure: str,
    against: str,
    targets: tuple[float, float],
) -> Sequence[Row]:
    """A row for the median call and one for the 95th percentile."""
    medians = compare(floor=floor.measure, subject=subject.measure, rounds=rounds)
    # Without the first of each, which `compare` does not count either.
    slowest = Comparison(floor=floor.slowest[1:], subject=subject.slowest[1:])
    parts = (("the median call", medians), ("95th percentile", slowest))
    return [
        ratio_row(
            compared,
            figure=f"{figure}, {name}",
            floor=against,
            target=Target(value=target),
            details=describe(compared),
        )
        for (name, compared), target in zip(parts, targets, strict=True)
    ]


class Series:
    """The calls of one kind of server."""

    def __init__(self, start: Start, url: str, folder: Path) -> None:
        self._start = start
        self._url = url
        self._folder = folder
        self.slowest: list[float] = []
        """The 95th percentile of each round, in seconds."""

    def measure(self) -> float:
        """Seconds of the median call of a round, after one that is not counted."""
        folder, took = self._folder / str(len(self.slowest)), list[float]()
        folder.mkdir(parents=True)
        with self._start(self._url, folder) as server:
            caller = Caller(server)
            caller.call()
            for _ in range(CALLS):
                began = time.perf_counter()
                caller.call()
                took.append(time.perf_counter() - began)
        took.sort()
        self.slowest.append(took[CALLS * 95 // 100])
        return statistics.median(took)


def describe(comparison: Comparison) -> str:
    """Both sides in milliseconds."""
    sides = (comparison.subject, comparison.floor)
    subject, floor = (statistics.median(side) * 1000 for side in sides)
    return f"{subject:.1f} ms against {floor:.1f} ms"
