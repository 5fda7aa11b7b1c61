"""Where the ledger of a test is, in either database, and other processes that use it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.ledger import Ledger
from support.postgres import run_sql


@dataclass(frozen=True)
class LedgerPlace:
    """A state folder, and the database that has the ledger if it is not a file in there."""

    state: Path
    url: str | None = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Ledger]:
        """The ledger, as a process of its own would open it."""
        if self.url is None:
            ledger = await Ledger.open(self.state)
        else:
            ledger = await Ledger.open_database(self.url, self.state)
        try:
            yield ledger
        finally:
            await ledger.close()

    async def run_sql(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database itself says, or is made to hold, beside the ledger."""
        if self.url is not None:
            return await run_sql(self.url, statement)
        with closing(sqlite3.connect(self.state / "ledger.sqlite3")) as file, file:
            return file.execute(statement).fetchall()

    async def damage_row(self, task_id: str, **columns: str) -> None:
        """Set columns of a task to what no server writes into them."""
        for name, value in columns.items():
            await self.run_sql(f"UPDATE task SET {name} = '{value}' WHERE id = '{task_id}'")  # noqa: S608 - our own

    async def remove_tables(self) -> None:
        """As before the first server was started."""
        if self.url is not None:
            await run_sql(self.url, "DROP SCHEMA geekai_video CASCADE")

    def child(self, code: str, *arguments: object) -> "subprocess.Popen[str]":
        """Another process, whose code ends with `run_child`."""
        return start_python(code, self.state, self.url or "", *arguments)


@asynccontextmanager
async def open_ledger(state_dir: Path) -> AsyncGenerator[Ledger]:
    ledger = await Ledger.open(state_dir)
    try:
        yield ledger
    finally:
        await ledger.close()


async def record_tasks(state_dir: Path, *tasks: Task) -> list[Task]:
    """Leave tasks in the ledger, each to its tenant, as a server that is gone would have.

    Returns them as they are on record: under another id if theirs was taken.
    """
    async with open_ledger(state_dir) as ledger:
        return [await ledger.of_tenant(task.tenant).add(task) for task in tasks]


def start_python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """Another process of ours, with pipes."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(  # noqa: S603 - our own code
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def run_child(main: Callable[..., Awaitable[None]]) -> None:
    """Run *main* with the place and the arguments that `LedgerPlace.child` has passed on."""
    state, url, *arguments = sys.argv[1:]
    anyio.run(main, LedgerPlace(Path(state), url or None), *arguments)


def wait_for_others() -> None:
    """In a child: wait until all of them are ready."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def run_all_at_once(children: "Sequence[subprocess.Popen[str]]") -> list[str]:
    """Let every child go when the last of them is ready; what each of them prints after that."""
    for process in children:
        assert process.stdout is not None
        process.stdout.readline()
    for process in children:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=50)[0] for process in children]
