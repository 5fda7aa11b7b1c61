"""`geekai-video-mcp tasks`: show the ledger, and resolve what only the user may decide.

Reading opens only the ledger: it needs no service, does not disturb a running server, and
creates no state folder. Large modules are imported when a command needs them.
"""

import argparse
import shutil
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio

from geekai_video_mcp.cli.output import (
    BROKEN_PIPE,
    FAILED,
    NOT_USABLE,
    OK,
    drop_output,
    prepare_output,
    print_line,
    print_notice,
)
from geekai_video_mcp.cli.start import load_settings, resume_gc
from geekai_video_mcp.domain.task_ids import MIN_DIGITS, MIN_DIGITS_TO_SPEND
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, may_be_tenant, tasks_command

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.statuses import Status
    from geekai_video_mcp.domain.task_records import TaskRecord
    from geekai_video_mcp.domain.tasks import Task
    from geekai_video_mcp.ledger import Ledger

DEFAULT_LIMIT: Final = 20
"""Tasks in a list without --limit or --all: one screen."""
PAGE_SIZE: Final = 200
"""Tasks read in one transaction: a long one would keep running servers from writing."""
NO_TERMINAL_WIDTH: Final = 10_000
"""Cells of a line without a terminal: nothing is truncated in a file or a pipe."""
NONE_YET: Final = "No tasks yet."


def build_parser(prog: str) -> argparse.ArgumentParser:
    tasks = argparse.ArgumentParser(
        prog=prog, description="List, show and export tasks, and resolve unknown outcomes."
    )
    tasks.set_defaults(
        run=run_tasks, handler=_list_tasks, status=None, limit=DEFAULT_LIMIT, all=False
    )
    add_tenant_option(tasks)
    _add_list_options(tasks)
    commands = tasks.add_subparsers(title="commands", metavar="COMMAND")
    list_command = commands.add_parser("list", help="list the newest tasks (default)")
    list_command.set_defaults(handler=_list_tasks)
    _add_list_options(list_command)
    show = commands.add_parser("show", help="show one task and its history")
    show.add_argument("id", help=f"task id, GeekAI id, or the first digits ({MIN_DIGITS} or more)")
    show.set_defaults(handler=_show_task)
    export = commands.add_parser("export", help="write all tasks as CSV to standard output")
    export.set_defaults(handler=_export_tasks)
    backup = commands.add_parser("backup", help="copy the task database, while servers use it")
    backup.add_argument("file", metavar="FILE", help="where to; an existing file is not replaced")
    backup.set_defaults(handler=_write_backup)
    fetch = commands.add_parser(
        "fetch", help="wait for a task, or download a finished one's result once more"
    )
    fetch.add_argument("id", help="task id, in the same forms as for show")
    fetch.set_defaults(handler=_fetch_file)
    resolve = commands.add_parser("resolve", help="resolve a task whose outcome is unknown")
    resolve.add_argument("id", help="task id, in the same forms as for show")
    decision = resolve.add_mutually_exclusive_group(required=True)
    decision.add_argument("--attach", metavar="TASK_ID", help="link it to this GeekAI task")
    decision.add_argument("--abandon", action="store_true", help="mark it abandoned")
    decision.add_argument(
        "--resubmit",
        action="store_true",
        help=f"send it again; it may be charged twice (ID: {MIN_DIGITS_TO_SPEND} digits or more)",
    )
    resolve.add_argument("--yes", action="store_true", help="skip the confirmation")
    resolve.set_defaults(handler=_resolve_task)
    purge = commands.add_parser(
        "purge", help="delete settled tasks for good, with their prompts and files"
    )
    purge.add_argument(
        "--before",
        type=_parse_day,
        metavar="DATE",
        help="only those made before this day (UTC), such as 2026-11-26",
    )
    purge.add_argument("--yes", action="store_true", help="skip the confirmation")
    purge.set_defaults(handler=_purge_tasks)
    for command in (list_command, show, export, fetch, resolve, purge):
        # Suppressed, as below.
        add_tenant_option(command, default=argparse.SUPPRESS)
    return tasks


def add_tenant_option(parser: argparse.ArgumentParser, *, default: str = LOCAL_TENANT) -> None:
    """The option that says whose tasks are meant; `run_tasks` reads it."""
    parser.add_argument(
        "--tenant",
        type=_parse_tenant,
        metavar="NAME",
        default=default,
        help=f"whose tasks, on a server that others use as well (default: {LOCAL_TENANT})",
    )


def _parse_tenant(text: str) -> str:
    if not may_be_tenant(text):
        msg = "the name of a tenant has small letters, digits, - and _, and at most 40 of them"
        raise argparse.ArgumentTypeError(msg)
    return text


def _add_list_options(parser: argparse.ArgumentParser) -> None:
    # Suppressed: the defaults of `list` would override options that were given before it.
    unset = argparse.SUPPRESS
    parser.add_argument("--status", default=unset, help="list only tasks with this status")
    parser.add_argument(
        "--limit",
        type=_parse_limit,
        default=unset,
        help=f"number of tasks (default: {DEFAULT_LIMIT})",
    )
    parser.add_argument("--all", action="store_true", default=unset, help="list all tasks")


def _parse_day(text: str) -> float:
    """The beginning of the day in UTC, in which lists show times, as Unix seconds."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        msg = "the date must be written as 2026-11-26"
        raise argparse.ArgumentTypeError(msg) from None


def _parse_limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        msg = "the limit must be a whole number of at least 1"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def run_tasks(arguments: argparse.Namespace) -> int:
    """Execute the command, `arguments.handler`; return the exit status."""
    from geekai_video_mcp.errors import ConfigError, GeekAIVideoError

    settings = load_settings(arguments.tenant)
    resume_gc()
    try:
        prepare_output()
        status: int = arguments.handler(arguments, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        return BROKEN_PIPE
    except GeekAIVideoError as exc:
        sys.stdout.flush()  # so that earlier output appears before the error
        print_notice(exc.message)
        return NOT_USABLE if isinstance(exc, ConfigError) else FAILED
    return status


def _list_tasks(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.report import task_table
    from geekai_video_mcp.domain.statuses import Status

    all_statuses = [status.value for status in Status]
    if arguments.status not in {None, *all_statuses}:
        print_notice(f"--status must be one of {', '.join(all_statuses)}")
        return NOT_USABLE
    statuses = {Status(arguments.status)} if arguments.status else set[Status]()
    limit = None if arguments.all else arguments.limit
    tasks, has_more = anyio.run(_read_newest, settings, statuses, limit)
    if not tasks:
        print_line(NONE_YET if not statuses else f"No task has the status {arguments.status}.")
        return OK
    for line in task_table(tasks, at=time.time(), width=_terminal_width()):
        print_line(line)
    if has_more:
        print_line("")
        command = tasks_command(settings.tenant)
        print_line(f"Only the newest {limit} are shown. List all tasks with: {command} --all")
    return OK


async def _read_newest(
    settings: "Settings", statuses: "Collection[Status]", limit: int | None
) -> "tuple[list[Task], bool]":
    """Read the newest tasks, and whether there are more."""
    tasks = list["Task"]()
    async with open_ledger(settings) as ledger:
        while ledger and (limit is None or len(tasks) <= limit):
            page = await ledger.list_tasks(
                limit=PAGE_SIZE if limit is None else min(PAGE_SIZE, limit + 1 - len(tasks)),
                statuses=statuses,
                before=tasks[-1].id if tasks else None,
            )
            if not page:
                break
            tasks += page
    return tasks[:limit], limit is not None and len(tasks) > limit


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


def _show_task(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.report import task_report

    async def read_report() -> list[str]:
        async with open_ledger(settings) as ledger:
            task = await _find_task(ledger, arguments.id)
            events = await ledger.events(task.id) if ledger else []
        return task_report(task, events, width=_terminal_width())

    for line in anyio.run(read_report):
        print_line(line)
    return OK


def _export_tasks(_: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.report import CSV_COLUMNS, csv_line

    async def write_pages() -> None:
        print_line(",".join(CSV_COLUMNS))
        async with open_ledger(settings) as ledger:
            async for page in iterate_records(ledger):
                sys.stdout.write("".join(map(csv_line, page)))
                sys.stdout.flush()

    anyio.run(write_pages)
    return OK


def _write_backup(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.backup import write_backup

    return write_backup(arguments, settings)


def _fetch_file(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.fetch import fetch_once

    return fetch_once(settings, anyio.run(_read_task, arguments.id, settings))


async def _read_task(identifier: str, settings: "Settings", minimum: int = MIN_DIGITS) -> "Task":
    async with open_ledger(settings) as ledger:
        return await _find_task(ledger, identifier, minimum)


def _resolve_task(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.resolve import describe_decision, resolve_task

    minimum = MIN_DIGITS_TO_SPEND if arguments.resubmit else MIN_DIGITS
    task = anyio.run(_read_task, arguments.id, settings, minimum)
    for line in describe_decision(task, arguments, width=_terminal_width()):
        print_line(line)
    if not arguments.yes and not _confirm():
        return FAILED
    return anyio.run(resolve_task, settings, task, arguments)


def _purge_tasks(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.purge import describe_found, find_tasks, purge_tasks

    before = time.time() if arguments.before is None else arguments.before
    found = anyio.run(find_tasks, settings, before)
    for line in describe_found(found, settings.tenant):
        print_line(line)
    if found.going and not arguments.yes and not _confirm():
        return FAILED
    return anyio.run(purge_tasks, settings, found, before)


def _confirm() -> bool:
    """Ask at the terminal whether to continue."""
    if not sys.stdin.isatty():
        print_notice("Not a terminal: pass --yes to confirm. Nothing was changed.")
        return False
    try:
        confirmed = input("Type yes to continue: ").strip().lower() == "yes"
    except EOFError:
        confirmed = False
    if not confirmed:
        print_notice("Nothing was changed.")
    return confirmed


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


async def _find_task(ledger: "Ledger | None", identifier: str, minimum: int = MIN_DIGITS) -> "Task":
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


def _terminal_width() -> int:
    return shutil.get_terminal_size((NO_TERMINAL_WIDTH, 0)).columns
