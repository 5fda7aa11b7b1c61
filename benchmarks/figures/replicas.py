"""Tasks in flight on one, two and four processes that share a PostgreSQL database.

The database is a throw-away cluster of the system's packages on the same machine, with the settings
that it has when it is installed; so is the fake service, in a process of its own. All replicas are
started at once on tasks that nobody watches.

Where the time of a poll goes is shown by the most polls that they make: with a service over HTTP,
with httpx and no network, and without either; and by the most GETs of httpx alone.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import anyio

from benchmarks.comparison import Spread
from benchmarks.figures.tasks_in_flight import LONG, LONG_AGES, RATE, SHORT, SHORT_AGES, TASKS
from benchmarks.rows import Row, Target
from benchmarks.support.replicas import (
    Fleet,
    get_with_processes,
    record_tasks,
    watch_with_replicas,
)
from benchmarks.support.service import running_service
from benchmarks.support.watching import LONGEST_GAP, Provider, running_tasks, settings_of_service
from support.postgres import create_database, drop_database, find_binaries, running_cluster

_T = TypeVar("_T")
REPLICAS: Final = (1, 2, 4)
SECONDS: Final = 20.0
WARM_UP: Final = 15.0
"""Seconds until each measurement: all replicas have started, and every lease is taken."""
MAX_ROUNDS: Final = 3
MOST_TASKS: Final = 40_000
"""Of videos of two minutes, which want a poll every 8.5 s each: more polls than can be made."""
MOST_RATE: Final = 10_000.0
PROTOTYPE: Final = 3_647.0
"""Polls a second of the same statements on the same machine, without an engine around them."""
MOST: Final[tuple[tuple[Provider, str], ...]] = (
    ("http", "a fake service over HTTP on the same two cores"),
    ("memory", "httpx answered in memory"),
    ("none", "no httpx, and an answer after 20 ms"),
)


def measure(rounds: int) -> Sequence[Row]:
    """What 10,000 tasks take at a configured rate, and the most polls a second."""
    if find_binaries() is None:
        print("note: PostgreSQL is not installed, and these figures are left out")
        return []
    with running_service() as service, running_cluster() as cluster:
        at_rate = {
            count: _repeat(lambda count=count: _at_rate(cluster.url, service, count), rounds)
            for count in REPLICAS
        }
        most = {
            provider: _repeat(
                lambda provider=provider: _most(cluster.url, service, provider), rounds
            )
            for provider, _ in MOST
        }
        bare = _repeat(lambda: _most_gets(service), rounds)
    rows = [row for count in REPLICAS for row in _rows_of_rate(count, at_rate[count])]
    rows += [_row_of_most(what, most[provider]) for provider, what in MOST]
    return [*rows, _row_of_httpx(most["http"], bare)]


def _repeat(run: Callable[[], _T], rounds: int) -> list[_T]:
    return [run() for _ in range(min(rounds, MAX_ROUNDS))]


def _at_rate(cluster: str, service: str, count: int) -> Fleet:
    tasks = running_tasks(
        settings_of_service(service).account,
        TASKS,
        ages=LONG_AGES,
        typical=LONG,
        due_after=WARM_UP,  # when they are watched: what was due before would be late
    )
    database = anyio.run(create_database, cluster)
    try:
        anyio.run(record_tasks, database, tasks)
        return watch_with_replicas(
            count, database, service, per_second=RATE, warm_up=WARM_UP, seconds=SECONDS
        )
    finally:
        anyio.run(drop_database, database)


def _most(cluster: str, service: str, provider: Provider) -> Fleet:
    account = settings_of_service(service).account
    tasks = running_tasks(account, MOST_TASKS, ages=SHORT_AGES, typical=SHORT, due_within=10.0)
    database = anyio.run(create_database, cluster)
    try:
        anyio.run(record_tasks, database, tasks)
        return watch_with_replicas(
            REPLICAS[-1],
            database,
            service,
            per_second=MOST_RATE,
            warm_up=2 * WARM_UP,
            seconds=SECONDS,
            provider=provider,
        )
    finally:
        anyio.run(drop_database, database)


def _most_gets(service: str) -> float:
    return get_with_processes(REPLICAS[-1], service, warm_up=5.0, seconds=SECONDS)


def _rows_of_rate(count: int, fleets: Sequence[Fleet]) -> list[Row]:
    replicas = "1 replica" if count == 1 else f"{count} replicas"
    what = f"{TASKS:,} tasks in flight on {replicas}, {RATE:g} requests a second configured"
    polls = statistics.median(fleet.polls for fleet in fleets)
    median = statistics.median(fleet.median for fleet in fleets)
    cpus = [sum(fleet.cpu) for fleet in fleets]
    return [
        Row(
            figure=f"{what}: lateness of a poll, 99th percentile",
            floor=f"the tasks are due {TASKS / LONGEST_GAP:.0f} times a second",
            unit="s",
            value=statistics.median(fleet.late for fleet in fleets),
            spread=_quartiles([fleet.late for fleet in fleets]),
            target=Target(value=1),
            details=f"{polls:.0f} polls a second, the median {median:.2f} s late,"
            f" the smallest share {min(fleet.smallest_share for fleet in fleets):.0f} %",
        ),
        Row(
            figure=f"{what}: CPU of the replicas together",
            floor="the same figure with SQLite and one process is above",
            unit="% of a core",
            value=statistics.median(cpus),
            spread=_quartiles(cpus),
            details=f"and the database {_median(fleets, 'database_cpu'):.1f} %, with"
            f" {_median(fleets, 'commits'):.0f} transactions a second,"
            f" {_median(fleets, 'connections'):.0f} connections,"
            f" {_median(fleets, 'hot_updates'):.1f} % of the updates without an index",
        ),
        Row(
            figure=f"{what}: tasks that two replicas have polled",
            floor="since all of them were started at once, on tasks that nobody watched",
            unit="tasks",
            value=max(fleet.shared for fleet in fleets),
            target=Target(value=0),
        ),
    ]


def _row_of_most(what: str, fleets: Sequence[Fleet]) -> Row:
    polls = [fleet.polls for fleet in fleets]
    cpu = statistics.median(sum(fleet.cpu) for fleet in fleets)
    each = statistics.median(10 * sum(fleet.cpu) / fleet.polls for fleet in fleets)
    database = statistics.median(10 * fleet.database_cpu / fleet.polls for fleet in fleets)
    return Row(
        figure=f"the most polls a second of {REPLICAS[-1]} replicas on one database: {what}",
        floor=f"the database's statements alone, in a prototype: {PROTOTYPE:,.0f}",
        unit="polls a second",
        value=statistics.median(polls),
        spread=_quartiles(polls),
        target=Target(value=PROTOTYPE / 2, bound="at least"),
        details=f"the replicas {cpu:.0f} % of a core together, the database"
        f" {_median(fleets, 'database_cpu'):.0f} %: {each:.2f} and {database:.2f} ms for each;"
        f" {max(fleet.shared for fleet in fleets)} tasks polled by two",
    )


def _row_of_httpx(fleets: Sequence[Fleet], bare: Sequence[float]) -> Row:
    floor = statistics.median(bare)
    ratios = [fleet.polls / gets for fleet, gets in zip(fleets, bare, strict=True)]
    return Row(
        figure="the most polls a second over HTTP, with tokens, leases and records",
        floor=f"as many processes that GET with httpx alone, ten at a time: {floor:,.0f} a second",
        unit="x",
        value=statistics.median(ratios),
        spread=_quartiles(ratios),
    )


def _median(fleets: Sequence[Fleet], name: str) -> float:
    return statistics.median(float(getattr(fleet, name)) for fleet in fleets)


def _quartiles(values: Sequence[float]) -> tuple[float, float] | None:
    if len(values) == 1:
        return None
    spread = Spread.of(values)
    return spread.low, spread.high
