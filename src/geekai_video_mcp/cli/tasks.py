"""`geekai-video-mcp tasks`: show the ledger, and resolve what only the user may decide.

Reading opens only the ledger: it needs no service, does not disturb a running server, and
creates no state folder. Large modules are imported when a command needs them.
"""

import argparse
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from geekai_video_mcp.cli.help import add_command, examples
from geekai_video_mcp.cli.ledger_reads import (
    PAGE_SIZE,
    find_task,
    iterate_records,
    open_ledger,
    read_task,
)
from geekai_video_mcp.cli.output import (
    FAILED,
    NO_TERMINAL_WIDTH,
    NOT_USABLE,
    OK,
    json_line,
    print_line,
    print_lines,
    print_notice,
    terminal_width,
    write_output,
)
from geekai_video_mcp.cli.start import load_settings, resume_gc
from geekai_video_mcp.cli.table import wrap_text
from geekai_video_mcp.cli.task_list import DEFAULT_LIMIT, add_list_options, list_tasks
from geekai_video_mcp.domain.task_ids import MIN_DIGITS, MIN_DIGITS_TO_SPEND
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, may_be_tenant

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage] - has no other name

    from geekai_video_mcp.config import Settings

__all__ = [
    "NO_TERMINAL_WIDTH",
    "PAGE_SIZE",
    "add_tenant_option",
    "build_parser",
    "iterate_records",
    "open_ledger",
    "run_tasks",
]


def build_parser(prog: str) -> argparse.ArgumentParser:
    tasks = argparse.ArgumentParser(
        prog=prog,
        description="List, show, open and export tasks, and resolve unknown outcomes. Without a"
        " command it lists the newest.",
        **examples(
            f"{prog}",
            f"{prog} --search fox --since 7d",
            f"{prog} --status failed --json | jq .error_code",
            f"{prog} show d306a0ba",
            note=f"ID is a task's id or its first digits ({MIN_DIGITS} or more), or GeekAI's id.",
        ),
    )
    tasks.set_defaults(run=run_tasks, handler=list_tasks, limit=DEFAULT_LIMIT)
    tasks.set_defaults(**dict.fromkeys(("search", "since", "status")))
    tasks.set_defaults(**dict.fromkeys(("all", "json"), False))
    add_tenant_option(tasks)
    add_list_options(tasks)
    commands = tasks.add_subparsers(title="commands", metavar="COMMAND")
    list_command = add_command(
        commands,
        "list",
        "list the newest tasks (default)",
        f"{prog} list --limit 50",
        f"{prog} list --search 'fox snow' --since 2026-11-01",
        f"{prog} list --all --json > tasks.jsonl",
    )
    list_command.set_defaults(handler=list_tasks)
    add_list_options(list_command)
    show = add_command(commands, "show", "show one task and its history", f"{prog} show d306a0ba")
    _add_id(show)
    show.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,  # as in the options of a list
        help="the same facts as list --json",
    )
    show.set_defaults(handler=_show_task)
    opened = add_command(
        commands,
        "open",
        "open a task's file in this system's player",
        f"{prog} open d306a0ba",
    )
    _add_id(opened)
    opened.set_defaults(handler=_open_task)
    export = add_command(
        commands,
        "export",
        "write all tasks as CSV to standard output",
        f"{prog} export > tasks.csv",
    )
    export.set_defaults(handler=_export_tasks)
    backup = add_command(
        commands,
        "backup",
        "copy the task database, while servers use it",
        f"{prog} backup ledger-copy.sqlite3",
    )
    backup.add_argument("file", metavar="FILE", help="where to; an existing file is not replaced")
    backup.set_defaults(handler=_write_backup)
    fetch = add_command(
        commands,
        "fetch",
        "wait for a task, or download a finished one's result once more",
        f"{prog} fetch d306a0ba",
        note="It costs nothing. A file that is on this machine already is left as it is.",
    )
    _add_id(fetch)
    fetch.set_defaults(handler=_fetch_file)
    resolve = _add_resolve(commands, prog)
    purge = _add_purge(commands, prog)
    for command in (list_command, show, opened, export, fetch, resolve, purge):
        # Suppressed, as below.
        add_tenant_option(command, default=argparse.SUPPRESS)
    return tasks


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id",
        metavar="ID",
        help=f"task id, GeekAI's id, or the first digits ({MIN_DIGITS} or more)",
    )


def _add_resolve(
    commands: "_SubParsersAction[argparse.ArgumentParser]", prog: str
) -> argparse.ArgumentParser:
    resolve = add_command(
        commands,
        "resolve",
        "resolve a task whose outcome is unknown",
        f"{prog} resolve d306a0ba --attach be386e16-91bc-4694-b5b8",
        f"{prog} resolve d306a0ba --abandon",
        note="Look at GeekAI's console first: if the video is there, attach it. It shows what it"
        " is going to do and asks.",
    )
    resolve.usage = (  # argparse would write it wider than 80 columns
        "%(prog)s [-h] [--tenant NAME] [--yes]\n"
        "         (--attach TASK_ID | --abandon | --resubmit) ID"
    )
    _add_id(resolve)
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
    return resolve


def _add_purge(
    commands: "_SubParsersAction[argparse.ArgumentParser]", prog: str
) -> argparse.ArgumentParser:
    purge = add_command(
        commands,
        "purge",
        "delete settled tasks for good, with their prompts and files",
        f"{prog} purge --before 2026-10-01",
        note="It shows what it would delete and asks. Unfinished tasks, unknown outcomes and the"
        " tasks of the last 24 hours stay.",
    )
    purge.add_argument(
        "--before",
        type=_parse_day,
        metavar="DATE",
        help="only those made before this day (UTC), such as 2026-11-26 (default: all)",
    )
    purge.add_argument("--yes", action="store_true", help="skip the confirmation")
    purge.set_defaults(handler=_purge_tasks)
    return purge


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


def _parse_day(text: str) -> float:
    """The beginning of the day in UTC, in which lists show times, as Unix seconds."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        msg = "the date must be written as 2026-11-26"
        raise argparse.ArgumentTypeError(msg) from None


def run_tasks(arguments: argparse.Namespace) -> int:
    """Execute the command, `arguments.handler`; return the exit status."""
    from geekai_video_mcp.errors import ConfigError, GeekAIVideoError

    settings = load_settings(arguments.tenant)
    resume_gc()
    try:
        status: int = arguments.handler(arguments, settings)
    except GeekAIVideoError as exc:
        sys.stdout.flush()  # so that earlier output appears before the error
        from geekai_video_mcp.cli.for_people import print_for_person

        print_for_person(exc.message)
        return NOT_USABLE if isinstance(exc, ConfigError) else FAILED
    return status


def _show_task(arguments: argparse.Namespace, settings: "Settings") -> int:
    if arguments.json:
        from geekai_video_mcp.cli.task_export import json_fields

        print_line(json_line(json_fields(anyio.run(read_task, arguments.id, settings))))
        return OK
    from geekai_video_mcp.cli.report import task_report

    async def read_report() -> list[str]:
        async with open_ledger(settings) as ledger:
            task = await find_task(ledger, arguments.id)
            events = await ledger.events(task.id) if ledger else []
        return task_report(task, events, width=terminal_width())

    print_lines(anyio.run(read_report))
    return OK


def _open_task(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.task_file import open_task_file

    return open_task_file(anyio.run(read_task, arguments.id, settings))


def _export_tasks(_: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.task_export import CSV_COLUMNS, csv_line

    async def write_pages() -> None:
        print_line(",".join(CSV_COLUMNS))
        async with open_ledger(settings) as ledger:
            async for page in iterate_records(ledger):
                write_output("".join(map(csv_line, page)))

    anyio.run(write_pages)
    return OK


def _write_backup(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.backup import write_backup

    return write_backup(arguments, settings)


def _fetch_file(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.fetch import fetch_once

    return fetch_once(settings, anyio.run(read_task, arguments.id, settings))


def _resolve_task(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.resolve import describe_decision, resolve_task

    minimum = MIN_DIGITS_TO_SPEND if arguments.resubmit else MIN_DIGITS
    task = anyio.run(read_task, arguments.id, settings, minimum)
    print_lines(describe_decision(task, arguments, width=terminal_width()))
    if not arguments.yes and not _confirm():
        return FAILED
    return anyio.run(resolve_task, settings, task, arguments)


def _purge_tasks(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.cli.purge import describe_found, find_tasks, purge_tasks

    before = time.time() if arguments.before is None else arguments.before
    found = anyio.run(find_tasks, settings, before)
    for line in describe_found(found, settings.tenant):
        print_lines(wrap_text(line, terminal_width()))
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
