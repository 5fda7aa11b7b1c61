"""Many processes at once in one state folder: the same keys, one cap, the first opening.

What was paid is counted in the provider's log. `python -m reliability.concurrency --full` runs the
documented sizes; the tests run smaller ones. With `--database postgres` each process is on another
machine, and what they share is the database.
"""

import argparse
import multiprocessing
import signal
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

import anyio

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.ledger.sqlite import migrations
from reliability.cli import add_database_option, chosen_cluster
from reliability.crash_points import leave_task
from reliability.harness import KEY, Harness, open_harness
from reliability.oracle import Verdict, judge
from reliability.provider import video_bytes
from support.sync_store import SyncStore

TIMEOUT: Final = 400.0
"""Seconds for all processes together; sixteen of them may share two cores."""
SMALL: Final = 2_000
"""Bytes of a video: only the charges matter here."""
MAX_PAUSE: Final = 0.005
"""Seconds: as long as some transactions of the other processes."""
MAX_PAUSE_OF_STATEMENT: Final = 0.05
"""Seconds before a statement in PostgreSQL, so that the transactions of few processes overlap."""
FEW_CALLS: Final = 100
"""Calls that are few: more of them overlap without that."""
CURRENT: Final = 9
"""The schema version after every opening."""


@dataclass
class Outcome:
    """The result of a run."""

    calls: int
    posts: int
    refused: int
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.calls} calls: {self.posts} POSTs, {self.refused} refused; {self.verdict}"


async def run_same_keys(
    folder: Path,
    *,
    processes: int,
    keys: int,
    keyed: bool = True,
    server: str | None = None,
) -> Outcome:
    """Every process makes the same calls, with the same keys, or *keyed* by their content alone."""
    prompts = [f"prompt {number}" for number in range(keys)]
    async with open_harness(folder, size=SMALL, server=server) as harness:
        return await _run_processes(harness, [prompts] * processes, keyed=keyed)


async def run_one_cap(
    folder: Path,
    *,
    processes: int,
    calls: int,
    cap: int,
    server: str | None = None,
) -> Outcome:
    """Every process makes calls of its own, of which *cap* are allowed altogether."""
    prompts = [[f"prompt {mine} {n}" for n in range(calls)] for mine in range(processes)]
    async with open_harness(folder, size=SMALL, server=server) as harness:
        return await _run_processes(harness, prompts, cap=cap)


async def run_one_recovery(
    folder: Path, *, processes: int, unsent: int, sent: int, server: str
) -> Outcome:
    """Every process finds what dead ones left: requests not sent, and some that may have been."""
    async with open_harness(folder, size=SMALL, server=server) as harness:
        await harness.prepare()
        for status, count in ((Status.INTENDED, unsent), (Status.SUBMITTING, sent)):
            for number in range(count):
                await leave_task(harness, "one", status, about=f"{number}")
        return await _run_processes(harness, [[]] * processes)


async def _run_processes(
    harness: Harness,
    prompts: list[list[str]],
    *,
    keyed: bool = False,
    cap: int | None = None,
) -> Outcome:
    settings = {"GEEKAI_MAX_VIDEOS_PER_DAY": str(cap)} if cap is not None else {}
    order: dict[str, Any] = {"env": settings, "keyed": keyed, "max_seconds": TIMEOUT}
    order["constants"] = {"engine.SWEEP_INTERVAL": 0.5} if harness.server else {}
    shared = harness.server is None  # a file; otherwise each process is on another machine
    pause = MAX_PAUSE if shared or sum(map(len, prompts)) > FEW_CALLS else MAX_PAUSE_OF_STATEMENT
    order |= {"hold": True, "max_pause": pause}
    machines = ["" if shared else f"machine-{number}" for number in range(len(prompts))]
    children = [
        await harness.fork(prompts=mine, machine=machine, **order)
        for mine, machine in zip(prompts, machines, strict=True)
    ]
    for child in children:
        await child.ready.wait()
    for child in children:
        await harness.send_signal(child, signal.SIGUSR1)
    statuses = [await child.wait(max_seconds=TIMEOUT) for child in children]
    assert statuses == [0] * len(children), statuses
    return Outcome(
        calls=sum(map(len, prompts)),
        posts=len(harness.charges()),
        refused=sum(child.refused for child in children),
        verdict=judge(
            state=harness.folder / "one" / "state",
            output=harness.folder / "one" / "videos",
            charges=harness.charges(),
            video=lambda task_id: video_bytes(task_id, harness.size),
            key=KEY,
            videos_per_day=cap,
            database=harness.database(),
        ),
    )


def open_concurrently(folder: Path, *, processes: int, rounds: int) -> list[str]:
    """The errors when all open new files, and files of the first version, at once."""
    for number in range(rounds):
        _create_first_version(folder / f"old {number}")
    context = multiprocessing.get_context("spawn")
    barrier, errors = context.Barrier(processes), context.SimpleQueue()
    children = [
        context.Process(target=_open_all, args=(folder, rounds, barrier, errors))
        for _ in range(processes)
    ]
    for child in children:
        child.start()
    failures = [error for _ in children for error in errors.get()]
    for child in children:
        child.join()
    return failures + [error for path in sorted(folder.iterdir()) for error in _find_errors(path)]


def _open_all(
    folder: Path, rounds: int, barrier: Barrier, errors: "SimpleQueue[list[str]]"
) -> None:
    failures = list[str]()
    for number in range(rounds):
        for name in (f"new {number}", f"old {number}"):
            barrier.wait()
            try:
                SyncStore(folder / name).close()
            except Exception as exc:  # noqa: BLE001 - any exception is a failure
                failures.append(f"{name}: {exc}")
    errors.put(failures)


def _create_first_version(folder: Path) -> None:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as old:
        for statement in migrations.SCHEMA:
            old.execute(statement)
        old.execute(
            "INSERT INTO task (id, created_at, service, model, request, status, attempt, looks,"
            " file_status, fetches) VALUES ('old', 1, 's', 'm', '{}', 'pending', 1, 3, 'none', 0)"
        )
        old.execute("PRAGMA user_version=1")
        old.commit()


def _find_errors(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as ledger:
        version = ledger.execute("PRAGMA user_version").fetchone()[0]
        whole = ledger.execute("PRAGMA integrity_check").fetchone()[0]
        kept = ledger.execute("SELECT count(*) FROM task").fetchone()[0]
    found = (version, whole, kept)
    expected = (CURRENT, "ok", int(folder.name.startswith("old")))
    return [] if found == expected else [f"{folder.name}: {found}"]


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of a run."""

    processes: int
    keys: int
    calls: int
    cap: int
    rounds: int


FULL: Final = Size(processes=16, keys=60, calls=25, cap=100, rounds=25)
DATABASE: Final = Size(processes=16, keys=20, calls=10, cap=40, rounds=0)
"""The full size with a database, where each call takes several round trips in its turn."""
SAMPLE: Final = Size(processes=4, keys=12, calls=10, cap=20, rounds=4)


async def _run(size: Size, server: str | None) -> bool:
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        same = await run_same_keys(
            folder / "keys", processes=size.processes, keys=size.keys, server=server
        )
        alike = await run_same_keys(
            folder / "alike",
            processes=size.processes,
            keys=size.keys,
            keyed=False,
            server=server,
        )
        capped = await run_one_cap(
            folder / "cap",
            processes=size.processes,
            calls=size.calls,
            cap=size.cap,
            server=server,
        )
        (folder / "open").mkdir()
        # Servers that create the tables of a database at once: see `test_postgres`.
        rounds = 0 if server else size.rounds
        errors = open_concurrently(folder / "open", processes=size.processes, rounds=rounds)
    print(  # noqa: T201 - a program that a person runs
        f"{size.processes} processes in {time.monotonic() - started_at:.0f} s."
        f" Same keys: {same}. Same content: {alike}. One cap of {size.cap}: {capped}."
        f" {2 * size.processes * rounds} openings: {len(errors)} errors {errors[:3]}"
    )
    return (
        same.posts == alike.posts == size.keys
        and (capped.posts, capped.refused) == (size.cap, capped.calls - size.cap)
        # No process was killed, so no video may have been downloaded twice.
        and same.verdict.copies + capped.verdict.copies == 0
        and not (same.verdict.violations or capped.verdict.violations or errors)
        and not alike.verdict.violations
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="run the documented sizes")
    add_database_option(parser)
    options = parser.parse_args()
    full = FULL if options.database == "sqlite" else DATABASE
    size = full if options.full else SAMPLE
    with chosen_cluster(options.database) as cluster:
        raise SystemExit(0 if anyio.run(_run, size, cluster and cluster.url) else 1)


if __name__ == "__main__":
    main()
