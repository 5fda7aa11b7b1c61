"""The options of the reliability programs, and their end: a printed line and an exit status."""

import argparse
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from reliability.oracle import Verdict
from support.postgres import PostgresCluster, find_binaries, running_cluster


def add_database_option(parser: argparse.ArgumentParser) -> None:
    """The option for `chosen_cluster`."""
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")


@contextmanager
def chosen_cluster(database: str) -> Generator[PostgresCluster | None]:
    """A throw-away PostgreSQL cluster while the block lasts; None for SQLite."""
    if database == "sqlite":
        yield None
        return
    if find_binaries() is None:
        sys.exit("not run: PostgreSQL is not installed")
    with running_cluster() as cluster:
        yield cluster


def finish(summary: str, verdicts: Sequence[Verdict], folder: Path, *, covered: bool) -> NoReturn:
    """Print *summary* and every violation, and exit; after a clean run, delete *folder*.

    A run that is not *covered* made too few kills to prove anything, and fails as well.
    """
    sys.stdout.write(summary + "\n")
    found = [verdict.violations for verdict in verdicts if verdict.violations]
    for violations in found:
        for kind, cases in violations.items():
            sys.stdout.writelines(f"  {kind}: {case}\n" for case in cases)
    if not covered:
        sys.stdout.write("  too few kills hit the intended moments\n")
    if found or not covered:
        sys.stdout.write(f"  the files of the run are in {folder}\n")
        sys.exit(1)
    shutil.rmtree(folder)
    sys.exit(0)
