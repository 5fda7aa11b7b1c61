"""`tasks list`: the newest tasks, those with some words, or those since a day."""

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio

from geekai_video_mcp.cli.ledger_reads import NONE_YET, TaskFilter, read_newest
from geekai_video_mcp.cli.output import OK, json_line, print_line, print_lines, terminal_width
from geekai_video_mcp.domain.moments import find_moment
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tenants import tasks_command

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.tasks import Task

DEFAULT_LIMIT: Final = 20
"""Tasks in a list without --limit or --all."""


def add_list_options(parser: argparse.ArgumentParser) -> None:
    # Suppressed: the defaults of `list` would override options that were given before it.
    unset = argparse.SUPPRESS
    statuses = [status.value for status in Status]
    parser.add_argument(
        "--search",
        metavar="WORDS",
        default=unset,
        help="only tasks with all these words in the prompt or model, or this beginning of an id",
    )
    parser.add_argument(
        "--since",
        type=_parse_since,
        metavar="WHEN",
        default=unset,
        help="only tasks from this day or time on (UTC): 2026-11-26, yesterday, 7d, 12h",
    )
    parser.add_argument(
        "--status",
        choices=statuses,
        metavar="STATUS",
        default=unset,
        help=f"only tasks with this status: {', '.join(statuses)}",
    )
    parser.add_argument(
        "--limit",
        type=_parse_limit,
        metavar="N",
        default=unset,
        help=f"number of tasks, newest first (default: {DEFAULT_LIMIT})",
    )
    parser.add_argument("--all", action="store_true", default=unset, help="no limit")
    parser.add_argument(
        "--json", action="store_true", default=unset, help="a line of JSON for each task"
    )


def _parse_since(text: str) -> float:
    """The moment in Unix seconds; days are those of UTC, in which lists show times."""
    try:
        moment = find_moment(text.strip(), datetime.now(UTC))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        msg = "the time must be written as 2026-11-26, 2026-11-26T18:00, yesterday, 7d or 12h"
        raise argparse.ArgumentTypeError(msg) from None


def _parse_limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        msg = "the limit must be a whole number of at least 1"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def list_tasks(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Print the tasks as a table or as JSON; returns the exit status."""
    wanted = TaskFilter(
        statuses={Status(arguments.status)} if arguments.status else set[Status](),
        query=arguments.search,
        since=arguments.since,
    )
    limit = None if arguments.all else arguments.limit
    tasks, has_more = anyio.run(read_newest, settings, wanted, limit)
    if arguments.json:
        _print_json(tasks)
    elif tasks:
        _print_table(tasks, f"{tasks_command(settings.tenant)} --all" if has_more else None)
    else:
        print_line(_nothing_found(wanted))
    return OK


def _print_json(tasks: "Sequence[Task]") -> None:
    from geekai_video_mcp.cli.task_export import json_fields

    print_lines(json_line(json_fields(task)) for task in tasks)


def _print_table(tasks: "Sequence[Task]", rest: str | None) -> None:
    """Print the table, and the command for the *rest* of the tasks."""
    from geekai_video_mcp.cli.task_table import task_table

    print_lines(task_table(tasks, at=time.time(), width=terminal_width()))
    if rest:
        print_line("")
        print_line(f"Only the newest {len(tasks)} are shown. List all tasks with: {rest}")


def _nothing_found(wanted: TaskFilter) -> str:
    if wanted.query is not None or wanted.since is not None:
        return "No task matches."
    statuses = ", ".join(wanted.statuses)
    return f"No task has the status {statuses}." if statuses else NONE_YET
