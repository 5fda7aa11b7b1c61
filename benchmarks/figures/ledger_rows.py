"""A ledger of 200,000 rows against one of ten: lists, admission, sweeps, look-ups and export."""

import csv
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from benchmarks.comparison import Spread, compare
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.ledger_rows import ACCOUNT, fill, make_busy
from geekai_video_mcp.domain.admission import Admission, ExistingTasks, Limits, admit
from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.retries import LINK_TTL
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task, new_task
from geekai_video_mcp.ledger import Ledger, conversion
from geekai_video_mcp.ledger.sqlite.database import path_in

FEW: Final = 10
DECADES: Final = (200, 2_000, 20_000, 200_000)
MANY: Final = DECADES[-1]
PAGE: Final = 4
"""Tasks of a page: two pages fit into the smallest ledger, so that both ledgers return as many."""
CALLS: Final = 10
"""Calls that are timed together."""
LIMITS: Final = Limits(per_day=1_000_000, in_flight=1_000_000)
"""Caps that let every request through, so that all are counted."""
ANY_WORD: Final = "take"
"""A word of every prompt."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A ledger, and a moment shortly after its newest task."""

    ledger: Ledger
    now: float
    newest: Sequence[Task]

    async def list_all(self) -> None:
        await self._list_two_pages()

    async def list_by_status(self) -> None:
        # In the smallest ledger no task may have failed: the page has what there is.
        await self._list_two_pages(statuses={Status.SUCCEED, Status.RUNNING})

    async def list_by_day(self) -> None:
        await self._list_two_pages(since=self.newest[-1].created_at)

    async def list_by_words(self) -> None:
        await self._list_two_pages(query=ANY_WORD)

    async def _list_two_pages(self, **chosen: Any) -> None:  # noqa: ANN401 - those of `list_tasks`
        first = await self.ledger.list_tasks(limit=PAGE, **chosen)
        await self.ledger.list_tasks(limit=PAGE, before=first[-1].id, **chosen)

    async def admit(self) -> None:
        request = {"model": "m", "prompt": f"a fox, {time.perf_counter_ns()}"}
        task = new_task(request=request, account=ACCOUNT, owner="here", at=self.now)

        def decide(existing: ExistingTasks, _: Budget) -> Admission:
            return Admission(task=admit(task, existing, at=self.now), is_new=True)

        await self.ledger.admit(task, body=request, admit=decide, limits=LIMITS)

    async def sweep(self) -> None:
        """What `Recovery` and `FilmMaker` read in one round."""
        await self.ledger.unfinished(ACCOUNT)
        await self.ledger.retryable_downloads(ACCOUNT, since=self.now - LINK_TTL)
        await self.ledger.unfinished_of_other_accounts(ACCOUNT)
        await self.ledger.unfinished(LOCAL_ACCOUNT)

    async def look_up(self) -> None:
        task = self.newest[0]
        await self.ledger.find(task.id)
        await self.ledger.find("a1b2c3d4-nothing-has-this-id")
        await self.ledger.find_by_prefix(task.id[:8], limit=5)
        await self.ledger.events(task.id)
        last = await self.ledger.event_cursor()
        await self.ledger.events_after(str(int(last) - 5))


FIGURES: Final[Mapping[str, Callable[[Opened], Awaitable[None]]]] = {
    "list, all": Opened.list_all,
    "list, by status": Opened.list_by_status,
    "list, by day": Opened.list_by_day,
    "list, by a word that every prompt has": Opened.list_by_words,
    "sweep": Opened.sweep,
    "look-ups by id, beginning and event": Opened.look_up,
    "admission": Opened.admit,
}


def measure(rounds: int) -> Sequence[Row]:
    with tempfile.TemporaryDirectory(prefix="ledger-rows-") as folder, start_blocking_portal() as p:
        now = time.time()
        states = {rows: Path(folder) / str(rows) for rows in (FEW, *DECADES)}
        for rows, state in states.items():
            # In a process of its own: what it takes would count as the export's.
            filler = get_context("spawn").Process(target=fill, args=(state, rows, now))
            filler.start()
            filler.join()
        busy = shutil.copytree(states[MANY], Path(folder) / "busy")
        make_busy(busy, now=now)
        return [
            *_call_rows(p, states, busy, now, rounds),
            _opening_row(states, rounds),
            *_export_rows(states, min(rounds, 5)),
        ]


def _call_rows(
    portal: BlockingPortal, states: Mapping[int, Path], busy: Path, now: float, rounds: int
) -> list[Row]:
    with portal.wrap_async_context_manager(_opened([*states.values(), busy], now)) as opened:
        by_rows = dict(zip(states, opened, strict=False))
        rows = [_row(portal, figure, by_rows, rounds) for figure in FIGURES.items()]
        name = "admission, with half of the account's tasks within the day"
        in_one_day = {FEW: by_rows[FEW], MANY: opened[-1]}
        return [*rows, _row(portal, (name, Opened.admit), in_one_day, rounds)]


@asynccontextmanager
async def _opened(states: Sequence[Path], now: float) -> AsyncGenerator[list[Opened]]:
    async with AsyncExitStack() as stack:
        ledgers = [await Ledger.open(state) for state in states]
        for ledger in ledgers:
            stack.push_async_callback(ledger.close)
        yield [
            Opened(ledger=ledger, now=now, newest=await ledger.list_tasks(limit=FEW))
            for ledger in ledgers
        ]


def _row(
    portal: BlockingPortal,
    figure: tuple[str, Callable[[Opened], Awaitable[None]]],
    by_rows: Mapping[int, Opened],
    rounds: int,
) -> Row:
    name, call = figure

    def timed(rows: int) -> float:
        return portal.call(_milliseconds, call, by_rows[rows])

    compared = compare(floor=partial(timed, FEW), subject=partial(timed, MANY), rounds=rounds)
    costs = (
        f"{statistics.median(timed(rows) for _ in range(5)):.2f} ms with {rows:,}"
        for rows in by_rows
    )
    return ratio_row(
        compared,
        figure=f"ledger of 200,000 rows: {name}",
        floor=f"the same in a ledger of {FEW} rows",
        target=Target(value=1.5),
        details=", ".join(costs),
    )


async def _milliseconds(call: Callable[[Opened], Awaitable[None]], opened: Opened) -> float:
    """Of one call."""
    began = time.perf_counter()
    for _ in range(CALLS):
        await call(opened)
    return (time.perf_counter() - began) * 1000 / CALLS


def _opening_row(states: Mapping[int, Path], rounds: int) -> Row:
    async def open_and_close(state: Path) -> float:
        began = time.perf_counter()
        await (await Ledger.open(state)).close()
        return time.perf_counter() - began

    def timed(rows: int) -> float:
        return anyio.run(open_and_close, states[rows])

    compared = compare(floor=partial(timed, FEW), subject=partial(timed, MANY), rounds=rounds)
    return ratio_row(
        compared,
        figure="ledger of 200,000 rows: opening",
        floor=f"the same with {FEW} rows",
        target=Target(value=1.5),
        details=f"{Spread.of(compared.subject).median * 1000:.1f} ms",
    )


def _export_rows(states: Mapping[int, Path], rounds: int) -> list[Row]:
    runs = [_export(states[MANY]) for _ in range(rounds)]
    small = [_export(states[2_000]) for _ in range(rounds)]
    seconds = Spread.of([run.seconds for run in runs])
    floor = statistics.median(_export_plainly(states[MANY]) for _ in range(rounds))
    memory = Spread.of([a.megabytes - b.megabytes for a, b in zip(runs, small, strict=True)])
    first = statistics.median(run.first_byte for run in runs)
    return [
        Row(
            figure="`tasks export` of 200,000 rows",
            floor=f"sqlite3 and csv write the same columns as they are in {floor:.1f} s",
            unit="s",
            value=seconds.median,
            spread=(seconds.low, seconds.high),
            target=Target(value=5.0),
            details=f"the first line after {first:.2f} s, the start included",
        ),
        Row(
            figure="`tasks export`, memory of 200,000 rows",
            floor="the export of 2,000 rows",
            unit="MB",
            value=memory.median,
            spread=(memory.low, memory.high),
            target=Target(value=2.0),
            details=f"{statistics.median(run.megabytes for run in runs):.0f} MB at most",
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One run of the command."""

    seconds: float
    first_byte: float
    megabytes: float


def _export(state: Path) -> Exported:
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "geekai_video_mcp", "tasks", "export"],
        env={**os.environ, "GEEKAI_STATE_DIR": str(state)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first_byte = time.perf_counter() - began
        while process.stdout.read(1 << 20):
            pass
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    return Exported(seconds=seconds, first_byte=first_byte, megabytes=usage.ru_maxrss / 1024)


def _export_plainly(state: Path) -> float:
    began = time.perf_counter()
    columns = ", ".join(conversion.RECORD_COLUMNS)
    with (
        closing(sqlite3.connect(path_in(state))) as db,
        Path(os.devnull).open("w", encoding="utf-8") as out,
    ):
        found = db.execute(f"SELECT {columns} FROM task ORDER BY created_at DESC, id DESC")  # noqa: S608 - our own columns
        csv.writer(out).writerows(found)
    return time.perf_counter() - began
