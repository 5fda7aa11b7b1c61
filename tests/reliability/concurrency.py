"""Many processes at once on one state folder: the same keys, one cap, the first opening.

What was paid is counted by the provider's log. `python -m reliability.crowd --full` runs the
sizes that are promised; the tests run smaller ones.
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

from geekai_video_mcp.ledger import schema
from geekai_video_mcp.ledger.sqlite import Store
from reliability.harness import KEY, Child, Harness, open_harness
from reliability.oracle import Verdict, judge
from reliability.provider import video

AT_MOST: Final = 400.0
"""Seconds for a whole crowd: sixteen processes share two cores here."""
SMALL: Final = 2_000
"""Bytes of a video: the crowd is about the money."""
FALTER: Final = 0.005
"""Seconds: some transactions of the others."""
CURRENT: Final = 3
"""The schema's version that every opening ends with."""


@dataclass
class Outcome:
    """What a crowd came to."""

    calls: int
    posts: int
    refused: int
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.calls} calls: {self.posts} POSTs, {self.refused} refused; {self.verdict}"


async def same_keys(folder: Path, *, processes: int, keys: int) -> Outcome:
    """Every process makes the same calls, each with the same key."""
    prompts = [f"wish {number}" for number in range(keys)]
    async with open_harness(folder, size=SMALL) as here:
        return await _crowd(here, [prompts] * processes, keyed=True)


async def one_cap(folder: Path, *, processes: int, calls: int, cap: int) -> Outcome:
    """Every process makes calls of its own, and all together may make *cap*."""
    prompts = [[f"wish {mine} {n}" for n in range(calls)] for mine in range(processes)]
    async with open_harness(folder, size=SMALL) as here:
        return await _crowd(here, prompts, cap=cap)


async def _crowd(
    here: Harness,
    prompts: list[list[str]],
    *,
    keyed: bool = False,
    cap: int | None = None,
) -> Outcome:
    settings = {"GEEKAI_MAX_VIDEOS_PER_DAY": str(cap)} if cap is not None else {}
    order: dict[str, Any] = {"env": settings, "keyed": keyed, "at_most": AT_MOST}
    order |= {"hold": True, "falter": FALTER}
    children = [await here.fork(prompts=mine, **order) for mine in prompts]
    for child in children:
        await child.holds.wait()
    for child in children:
        await here.signal(child, signal.SIGUSR1)
    statuses = [await child.end(at_most=AT_MOST) for child in children]
    assert statuses == [0] * len(children), statuses
    return Outcome(
        calls=sum(map(len, prompts)),
        posts=len(here.charges()),
        refused=_refused(children),
        verdict=judge(
            state=here.folder / "one" / "state",
            output=here.folder / "one" / "videos",
            charges=here.charges(),
            video=lambda task_id: video(task_id, here.size),
            key=KEY,
            videos_per_day=cap,
        ),
    )


def _refused(children: list[Child]) -> int:
    return sum(child.refused for child in children)


def openings(folder: Path, *, processes: int, rounds: int) -> list[str]:
    """What goes wrong when all open new files, and files of the first version, at once."""
    for number in range(rounds):
        _first_version(folder / f"old {number}")
    context = multiprocessing.get_context("spawn")
    together, errors = context.Barrier(processes), context.SimpleQueue()
    children = [
        context.Process(target=_open_all, args=(folder, rounds, together, errors))
        for _ in range(processes)
    ]
    for child in children:
        child.start()
    said = [error for _ in children for error in errors.get()]
    for child in children:
        child.join()
    return said + [wrong for path in sorted(folder.iterdir()) for wrong in _wrong(path)]


def _open_all(
    folder: Path, rounds: int, together: Barrier, errors: "SimpleQueue[list[str]]"
) -> None:
    said = list[str]()
    for number in range(rounds):
        for name in (f"new {number}", f"old {number}"):
            together.wait()
            try:
                Store(folder / name).close()
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is looked for
                said.append(f"{name}: {exc}")
    errors.put(said)


def _first_version(folder: Path) -> None:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as old:
        for statement in schema.SCHEMA:
            old.execute(statement)
        old.execute(
            "INSERT INTO task (id, created_at, service, model, request, status, attempt, looks,"
            " file_status, fetches) VALUES ('old', 1, 's', 'm', '{}', 'pending', 1, 3, 'none', 0)"
        )
        old.execute("PRAGMA user_version=1")
        old.commit()


def _wrong(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as ledger:
        version = ledger.execute("PRAGMA user_version").fetchone()[0]
        whole = ledger.execute("PRAGMA integrity_check").fetchone()[0]
        kept = ledger.execute("SELECT count(*) FROM task").fetchone()[0]
    found = (version, whole, kept)
    expected = (CURRENT, "ok", int(folder.name.startswith("old")))
    return [] if found == expected else [f"{folder.name}: {found}"]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a crowd."""

    processes: int
    keys: int
    calls: int
    cap: int
    rounds: int


FULL: Final = Size(processes=16, keys=60, calls=25, cap=100, rounds=25)
SAMPLE: Final = Size(processes=4, keys=12, calls=10, cap=20, rounds=4)


async def _main(size: Size) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        same = await same_keys(folder / "keys", processes=size.processes, keys=size.keys)
        capped = await one_cap(
            folder / "cap", processes=size.processes, calls=size.calls, cap=size.cap
        )
        (folder / "open").mkdir()
        errors = openings(folder / "open", processes=size.processes, rounds=size.rounds)
    print(  # noqa: T201 - a program that a person runs
        f"{size.processes} processes in {time.monotonic() - began:.0f} s."
        f" Same keys: {same}. One cap of {size.cap}: {capped}."
        f" {2 * size.processes * size.rounds} openings: {len(errors)} errors {errors[:3]}"
    )
    return (
        same.posts == size.keys
        and (capped.posts, capped.refused) == (size.cap, capped.calls - size.cap)
        # No process was killed, so none may have fetched what another was fetching.
        and same.verdict.copies + capped.verdict.copies == 0
        and not (same.verdict.violations or capped.verdict.violations or errors)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that are promised")
    size = FULL if parser.parse_args().full else SAMPLE
    raise SystemExit(0 if anyio.run(_main, size) else 1)


if __name__ == "__main__":
    main()
