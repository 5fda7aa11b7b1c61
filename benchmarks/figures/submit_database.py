"""How long a call of `generate_video` takes with PostgreSQL, against the same with SQLite."""

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from benchmarks.figures.submit import Series, compare_calls
from benchmarks.report import ROOT
from benchmarks.rows import Row
from benchmarks.support.service import running_service
from benchmarks.support.stdio import StdioServer
from benchmarks.support.submission import submitting_server
from support.postgres import create_database, drop_database, find_binaries, running_cluster

FLOOR: Final = "the same server with its ledger in SQLite, on the same disk"


def measure(rounds: int) -> Sequence[Row]:
    """A new process of each in every round, on the same disk; the cluster is a throw-away one."""
    if find_binaries() is None:
        print("note: PostgreSQL is not installed, and these figures are left out")
        return []
    with (
        tempfile.TemporaryDirectory(dir=ROOT) as name,
        running_service() as url,
        running_cluster() as cluster,
    ):
        floor = Series(submitting_server, url, Path(name) / "floor")
        start = partial(_server_with_database, cluster.url)
        subject = Series(start, url, Path(name) / "subject")
        return compare_calls(
            subject,
            floor,
            rounds=rounds,
            figure="`generate_video` with PostgreSQL, call to answer",
            against=FLOOR,
            targets=(1.5, 1.5),
        )


@contextmanager
def _server_with_database(cluster: str, url: str, folder: Path) -> Generator[StdioServer]:
    """With an empty database, as the other has an empty folder: no request is a repeated one."""
    database = anyio.run(create_database, cluster)
    with submitting_server(url, folder, database=database) as server:
        yield server
    anyio.run(drop_database, database)
