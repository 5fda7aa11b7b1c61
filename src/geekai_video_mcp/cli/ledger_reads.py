"""What commands read from the ledger. It is opened only if it exists: reading creates nothing."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.domain.task_ids import MIN_DIGITS
from geekai_video_mcp.domain.tenants import tasks_command

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.statuses import Status
    from geekai_video_mcp.domain.task_records import TaskRecord
    from geekai_video_mcp.domain.tasks import Task
    from geekai_video_mcp.ledger import Ledger

PAGE_SIZE: Final = 200
"""Tasks read in one transaction: a long one would keep running servers from writing."""
NONE_YET: Final = "No tasks yet."


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks a person wants to see; see `Ledger.list_tasks`."""

    statuses: "Collection[Status]" = ()
    query: str | None = None
    since: float | None = None


@asynccontextmanager
async def open_ledger(settings: "Settings") -> "AsyncGenerator[Ledger | None]":
    """Open the ledger; None if it does not exist, because reading must not create it."""
    from geekai_video_mcp.ledger import Ledger

    ledger: Ledger | None = None
    if settings.hosting.database_url is not None:
        url = settings.hosting.database_url.get_secret_value()
        if await Ledger.exists_in_database(url):
            ledger = await Ledger.open_database(url, settings.state_dir)
    elif Ledger.exists(settings.state_dir):
        ledger = await Ledger.open(settings.state_dir)
    if ledger is None:
        yield None
        return
    try:
        yield ledger.of_tenant(settings.tenant)
    finally:
        await ledger.close()


async def iterate_records(
    ledger: "Ledger | None", *, since: float | None = None
) -> "AsyncGenerator[Sequence[TaskRecord]]":
    """The record of every task, newest first, that was created from *since* on, in pages.

    A page is one short transaction, and a task that is added meanwhile is newer than all of them:
    each task of the beginning comes once, and servers go on writing.
    """
    last: str | None = None
    while ledger and (page := await ledger.list_records(limit=PAGE_SIZE, before=last, since=since)):
        yield page
        last = page[-1].id


async def read_newest(
    settings: "Settings", wanted: TaskFilter, limit: int | None
) -> "tuple[list[Task], bool]":
    """Read the newest tasks, and whether there are more."""
    tasks = list["Task"]()
    async with open_ledger(settings) as ledger:
        while ledger and (limit is None or len(tasks) <= limit):
            at_once = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit + 1 - len(tasks))
            page = await ledger.list_tasks(
                limit=at_once,
                statuses=wanted.statuses,
                before=tasks[-1].id if tasks else None,
                query=wanted.query,
                since=wanted.since,
            )
            tasks += page
            if len(page) < at_once:
                break
    return tasks[:limit], limit is not None and len(tasks) > limit


async def read_task(identifier: str, settings: "Settings", minimum: int = MIN_DIGITS) -> "Task":
    """The task of `find_task`, in a ledger that is opened for it alone."""
    async with open_ledger(settings) as ledger:
        return await find_task(ledger, identifier, minimum)


async def find_task(ledger: "Ledger | None", identifier: str, minimum: int = MIN_DIGITS) -> "Task":
    """Find the one task with this id, GeekAI id or prefix of an id of *minimum* digits.

    Raises:
        InvalidDecision: no task matches, or more than one.
    """
    from geekai_video_mcp.errors import (
        InvalidDecision,
        TaskNotFound,
    )
    from geekai_video_mcp.quoting import quote

    if ledger is None:
        raise InvalidDecision(NONE_YET)
    try:
        task = await ledger.find_by_any_id(identifier, minimum=minimum)
    except TaskNotFound as exc:
        raise InvalidDecision(exc.message) from exc
    if task is None:
        shown, command = quote(identifier, limit=64), tasks_command(ledger.tenant)
        msg = f"No task matches {shown}; list all tasks with: {command} --all"
        raise InvalidDecision(msg)
    return task
