"""What it takes to watch thousands of tasks in one process, over HTTP and with a ledger on disk.

The service is a fake in a process of its own, and no task ends meanwhile. The floor of the time is
the same number of GETs by httpx alone; that of the memory, a process with nothing to watch.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.comparison import Spread
from benchmarks.report import ROOT
from benchmarks.rows import Row, Target
from benchmarks.support.service import running_service
from benchmarks.support.watching import record_running_tasks
from geekai_video_mcp.domain.limits import REQUESTS_PER_SECOND
from geekai_video_mcp.domain.polling import TypicalDuration

TASKS: Final = 10_000
SIZES: Final = (10, 100, 1_000, 10_000)
RATE: Final = 100.0
"""Requests per second that are configured: a fifth more than 10,000 tasks want at the longest gap
between two polls (120 s)."""
SECONDS: Final = 20.0
"""Of each measurement."""
WARM_UP: Final = 5.0
"""Seconds until each measurement, in which every connection is opened."""
LEASES_PER_SECOND: Final = 400.0
"""Every lease is taken before the measurement, on a slow disk as well."""
MAX_ROUNDS: Final = 3
"""Each takes minutes, and the spread is small."""
SHORT: Final = TypicalDuration(p10=63.0, p95=273.0)
"""Of videos that take two minutes (median), of which 10,000 want 1,200 polls a second."""
SHORT_AGES: Final = (15.0, 45.0, 75.0, 105.0, 135.0, 165.0, 225.0)
LONG: Final = TypicalDuration(p10=6 * 3600.0, p95=24 * 3600.0)
"""Of videos that take hours: their polls are as far apart as any are."""
LONG_AGES: Final = (300.0, 600.0, 1200.0, 1800.0)

Measured = dict[str, Any]


def measure(rounds: int) -> Sequence[Row]:
    """The targets, and what each of four sizes takes."""
    with running_service() as url:
        rates = (REQUESTS_PER_SECOND, RATE)
        subjects: dict[float, list[Measured]] = {rate: [] for rate in rates}
        floors: dict[float, list[Measured]] = {rate: [] for rate in rates}
        for _ in range(min(rounds, MAX_ROUNDS)):
            for rate in rates:
                subjects[rate].append(_watch(url, TASKS, rate))
                floors[rate].append(_get_bare(url, subjects[rate][-1]["polls"]))
        rows = [row for rate in rates for row in _rows_of_rate(rate, subjects[rate], floors[rate])]
        empty = _watch(url, 0, RATE)
        sizes = [_watch(url, size, RATE) for size in SIZES[:-1]]
        sizes.append(subjects[RATE][0])
    return [*rows, *map(_row_of_size, SIZES, sizes, [empty] * len(SIZES))]


def _rows_of_rate(rate: float, subject: Sequence[Measured], floor: Sequence[Measured]) -> list[Row]:
    what = f"{TASKS:,} tasks in flight, {rate:g} requests a second configured"
    cpu, rss = _of(subject, "cpu"), _of(subject, "rss")
    polls, late = statistics.median(_of(subject, "polls")), statistics.median(_of(subject, "late"))
    bare = statistics.median(_of(floor, "cpu"))
    rows = [
        Row(
            figure=f"{what}: CPU",
            floor=f"{polls:.0f} GETs a second by httpx alone: {bare:.1f} % of a core",
            unit="% of a core",
            value=statistics.median(cpu),
            spread=_quartiles(cpu),
            target=Target(value=25),
            details=f"{polls:.0f} polls a second",
        ),
        Row(
            figure=f"{what}: memory of the process",
            floor=f"httpx alone: {statistics.median(_of(floor, 'rss')):.0f} MB",
            unit="MB",
            value=statistics.median(rss),
            spread=_quartiles(rss),
            target=Target(value=150),
        ),
    ]
    if rate == RATE:
        rows.append(
            Row(
                figure=f"{what}: lateness of a poll, 99th percentile",
                floor=f"the tasks are due {TASKS / 120:.0f} times a second",
                unit="s",
                value=late,
                spread=_quartiles(_of(subject, "late")),
                target=Target(value=1),
            )
        )
    return rows


def _row_of_size(size: int, measured: Measured, empty: Measured) -> Row:
    return Row(
        figure=f"{size:,} tasks in flight, a poll of each every 120 s: CPU",
        floor=f"nothing to watch: {empty['cpu']:.1f} %, {empty['rss']:.0f} MB",
        unit="% of a core",
        value=measured["cpu"],
        details=f"{measured['rss']:.0f} MB, {measured['polls']:.1f} polls a second,"
        f" 99 % of them at most {measured['late']:.2f} s late",
    )


def _watch(url: str, count: int, rate: float) -> Measured:
    typical, ages = (SHORT, SHORT_AGES) if rate == REQUESTS_PER_SECOND else (LONG, LONG_AGES)
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        record_running_tasks(Path(name), url, count, ages=ages, typical=typical)
        return _run(name, url, rate, WARM_UP + count / LEASES_PER_SECOND)


def _get_bare(url: str, rate: float) -> Measured:
    return _run(".", url, rate, WARM_UP, "--bare")


def _run(folder: str, url: str, rate: float, warm_up: float, *options: str) -> Measured:
    program = (sys.executable, "-m", "benchmarks.support.watching")
    command = [*program, folder, url, str(rate), str(warm_up), str(SECONDS), *options]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    return json.loads(done.stdout.splitlines()[-1])


def _of(measured: Sequence[Measured], name: str) -> list[float]:
    return [one[name] for one in measured]


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    spread = Spread.of(values)
    return spread.low, spread.high
