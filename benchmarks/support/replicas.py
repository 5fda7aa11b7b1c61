"""Several processes that watch the tasks of one PostgreSQL database, and what that takes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import asyncpg

from benchmarks.report import ROOT
from benchmarks.support.watching import DATABASE, MEASURING, Provider
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.ledger import Ledger, conversion, schema
from geekai_video_mcp.ledger.postgres.connection import connect
from geekai_video_mcp.ledger.postgres.dialect import translate

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SELECT_WORK: Final = """
    SELECT sum(xact_commit) AS commits,
           (SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = 'task') AS updates,
           (SELECT sum(n_tup_hot_upd) FROM pg_stat_user_tables WHERE relname = 'task') AS hot,
           (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'geekai-video-mcp')
               AS connections
    FROM pg_stat_database WHERE datname = current_database()
"""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What some replicas have done together over the same seconds."""

    polls: float
    """A second, of all together."""
    median: float
    """Seconds that a poll is late: the median of the replica that has the greatest."""
    late: float
    """The same at the 99th percentile."""
    cpu: Sequence[float]
    """Of each replica, in per cent of a core."""
    database_cpu: float
    """Of all processes of the database, in per cent of a core."""
    shared: int
    """Tasks that more than one replica has polled since all of them began."""
    smallest_share: float
    """Of the tasks that were polled, in per cent, which the replica with the fewest has polled."""
    hot_updates: float
    """Updates of tasks that wrote no index, in per cent."""
    commits: float
    """A second, of all together."""
    connections: int
    megabytes: float
    """Memory of the largest replica."""


async def record_tasks(url: str, tasks: Iterable[Task]) -> None:
    """Create the tables in an empty database, with these tasks, and its statistics."""
    with tempfile.TemporaryDirectory() as folder:
        await (await Ledger.open_database(url, Path(folder))).close()
    text, names = translate(schema.INSERT)
    rows = ({**conversion.to_row(task), "tenant": LOCAL_TENANT} for task in tasks)
    connection = await connect(url)
    try:
        await connection.executemany(text, [[row[name] for name in names] for row in rows])
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def watch_with_replicas(
    count: int,
    database: str,
    service: str,
    *,
    per_second: float,
    warm_up: float,
    seconds: float,
    provider: Provider = "http",
) -> Fleet:
    """Run *count* replicas on the *database*, all started at once."""
    options = (service, str(per_second), str(warm_up), str(seconds), "--provider", provider)
    with _watching(count, *options, database=database) as processes:
        before = anyio.run(_measure_database, database)
        measured = [json.loads(_read_line(process)) for process in processes]
        after = anyio.run(_measure_database, database)
    return _fleet(measured, before, after)


def get_with_processes(count: int, service: str, *, warm_up: float, seconds: float) -> float:
    """GETs a second of *count* processes together, with httpx alone."""
    with _watching(count, service, "0", str(warm_up), str(seconds), "--most") as processes:
        return sum(json.loads(_read_line(process))["polls"] for process in processes)


@contextmanager
def _watching(
    count: int, *options: str, database: str | None = None
) -> "Generator[list[subprocess.Popen[bytes]]]":
    """So many processes that watch, each with a folder, as soon as all of them measure."""
    program = (sys.executable, "-m", "benchmarks.support.watching")
    env = {**os.environ, **({} if database is None else {DATABASE: database})}
    with ExitStack() as stack:
        processes = list[subprocess.Popen[bytes]]()
        for _ in range(count):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            command = [*program, folder, *options]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=env
            )
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
        for process in processes:
            _require_line(process, MEASURING)
        yield processes


def _require_line(process: "subprocess.Popen[bytes]", expected: str) -> None:
    if (line := _read_line(process)) != expected:
        msg = f"a replica has ended: {line!r}"
        raise RuntimeError(msg)


def _read_line(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def _fleet(
    measured: Sequence[dict[str, Any]], before: dict[str, Any], after: dict[str, Any]
) -> Fleet:
    seconds = after["at"] - before["at"]
    polled = [set[str](one["polled"]) for one in measured]
    every = set[str]().union(*polled)
    updates = after["updates"] - before["updates"]
    return Fleet(
        polls=sum(one["polls"] for one in measured),
        median=max(one["median"] for one in measured),
        late=max(one["late"] for one in measured),
        cpu=[one["cpu"] for one in measured],
        database_cpu=100 * (after["cpu"] - before["cpu"]) / seconds,
        shared=sum(map(len, polled)) - len(every),
        smallest_share=100 * min(map(len, polled)) / max(len(every), 1),
        hot_updates=100 * (after["hot"] - before["hot"]) / max(updates, 1),
        commits=(after["commits"] - before["commits"]) / seconds,
        connections=before["connections"],
        megabytes=max(one["rss"] for one in measured),
    )


async def _measure_database(url: str) -> dict[str, Any]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(_SELECT_WORK)
        postmaster = _stat(await connection.fetchval("SELECT pg_backend_pid()"))[1]
    finally:
        await connection.close()
    assert row is not None
    work: dict[str, Any] = {name: int(value or 0) for name, value in row.items()}
    return {**work, "at": time.monotonic(), "cpu": _server_cpu(postmaster)}


def _server_cpu(postmaster: int) -> float:
    """Seconds that the server's processes have used, those that have ended among them."""
    total = sum(_stat(postmaster)[11:15])
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _stat(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
        if fields[1] == postmaster:
            total += sum(fields[11:15])
    return total / _TICKS


def _stat(pid: int) -> list[int]:
    """The numbers of a process after its state, from that of its parent on."""
    text = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2]
    return [0, *map(int, text.split()[1:])]
