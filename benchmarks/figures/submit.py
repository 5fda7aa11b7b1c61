"""How long a call of `generate_video` takes, against an SDK tool that does the same least."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.comparison import Comparison, compare
from benchmarks.report import ROOT
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.service import running_service
from benchmarks.support.stdio import StdioServer
from benchmarks.support.submission import FLOOR_WORK, Caller, paying_server, submitting_server

CALLS: Final = 40
"""Calls of each in a round: enough for a 95th percentile."""


def measure(rounds: int) -> Sequence[Row]:
    """Both servers run all the time, and are called in turn."""
    with tempfile.TemporaryDirectory(dir=ROOT) as name, running_service() as url:
        folder = Path(name)
        with paying_server(url, folder) as floor, submitting_server(url, folder) as subject:
            floor_calls, subject_calls = Series(floor), Series(subject)
            medians = compare(
                floor=floor_calls.measure, subject=subject_calls.measure, rounds=rounds
            )
    # Without the first of each, which `compare` does not count either.
    slowest = Comparison(floor=floor_calls.slowest[1:], subject=subject_calls.slowest[1:])
    return [
        ratio_row(
            medians,
            figure="`generate_video`, call to answer, the median call",
            floor=FLOOR_WORK,
            target=Target(value=1.5),
            details=describe(medians),
        ),
        ratio_row(
            slowest,
            figure="`generate_video`, call to answer, 95th percentile",
            floor=FLOOR_WORK,
            target=Target(value=3),
            details=describe(slowest),
        ),
    ]


class Series:
    """The calls of one server."""

    def __init__(self, server: StdioServer) -> None:
        self._caller = Caller(server)
        self.slowest: list[float] = []
        """The 95th percentile of each round, in seconds."""

    def measure(self) -> float:
        """Seconds of the median call of a round."""
        took = list[float]()
        for _ in range(CALLS):
            began = time.perf_counter()
            self._caller.call()
            took.append(time.perf_counter() - began)
        took.sort()
        self.slowest.append(took[CALLS * 95 // 100])
        return statistics.median(took)


def describe(comparison: Comparison) -> str:
    """Both sides in milliseconds."""
    sides = (comparison.subject, comparison.floor)
    subject, floor = (statistics.median(side) * 1000 for side in sides)
    return f"{subject:.1f} ms against {floor:.1f} ms"
