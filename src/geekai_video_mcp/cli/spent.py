"""`geekai-video-mcp spent`: what was requested on each day, and what that cost by the price list.

It counts what the caps count: not what was rejected, which cost nothing, nor what was made
elsewhere, nor the previews of the sandbox.
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import anyio

from geekai_video_mcp.cli.output import OK, print_line
from geekai_video_mcp.cli.table import format_table
from geekai_video_mcp.cli.tasks import (
    NO_TERMINAL_WIDTH,
    add_tenant_option,
    iterate_records,
    open_ledger,
    run_tasks,
)
from geekai_video_mcp.domain.catalogue import format_cny, rounded_cny
from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.service_names import is_sandbox
from geekai_video_mcp.domain.statuses import COUNTED_TODAY, Status
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.task_records import TaskRecord

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings

_HEADINGS: Final = ("DAY", "REQUESTS", "CNY", "PRICE UNKNOWN", "FAILED")
DEFAULT_DAYS: Final = 30
MAX_DAYS: Final = 36_500
_NOTES: Final = (
    "CNY is the sum of the listed prices, each as it was when the request was made; GeekAI may",
    "have charged less or more. Requests of unknown price are not in it. Failed ones are, because",
    "they may have been charged. Rejected requests and sandbox previews cost nothing.",
)


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Print what was requested on each day, and what it cost by the price list.",
    )
    parser.add_argument(
        "--days", type=_parse_days, default=DEFAULT_DAYS, help=f"days (default: {DEFAULT_DAYS})"
    )
    add_tenant_option(parser)
    parser.set_defaults(run=run_tasks, handler=_print_spent)
    return parser


def _parse_days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MAX_DAYS:
        msg = f"the number of days must be from 1 to {MAX_DAYS}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


@dataclass(kw_only=True)
class DaySpending:
    """The requests of one day, of this computer's time zone."""

    requests: int = 0
    listed_cny: float = 0.0
    unknown_price: int = 0
    failed: int = 0

    def add(self, task: TaskRecord) -> None:
        price = listed_price(task)
        self.requests += 1
        self.listed_cny = rounded_cny(self.listed_cny + (price.cny if price else 0.0))
        self.unknown_price += price is None
        self.failed += task.status == Status.FAILED


def _print_spent(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Print the days with a request, newest first; returns the exit status."""
    spent = anyio.run(_read_days, settings, _start_of(time.time(), days=arguments.days))
    if not spent:
        print_line(f"No request to GeekAI in the last {arguments.days} days.")
        return OK
    for line in spent_table(spent):
        print_line(line)
    print_line("")
    for note in _NOTES:
        print_line(note)
    return OK


def _start_of(now: float, *, days: int) -> float:
    """When the first of so many days began, of which today is the last."""
    today = datetime.fromtimestamp(now).astimezone()
    first = (today - timedelta(days=days - 1)).date()
    return datetime(first.year, first.month, first.day).astimezone().timestamp()


async def _read_days(settings: "Settings", since: float) -> dict[date, DaySpending]:
    days: dict[date, DaySpending] = {}
    async with open_ledger(settings) as ledger:
        async for page in iterate_records(ledger, since=since):
            for task in filter(_counts, page):
                day = datetime.fromtimestamp(task.created_at).astimezone().date()
                days.setdefault(day, DaySpending()).add(task)
    return days


def _counts(task: TaskRecord) -> bool:
    """Whether the task counts towards the caps."""
    free = is_sandbox(task.account) or task.account == LOCAL_ACCOUNT
    made_here = task.owner is not None and not free
    return made_here and task.status in COUNTED_TODAY


def spent_table(days: dict[date, DaySpending]) -> Iterable[str]:
    """A line for each day, and their sum if there are several."""
    rows = [_row(day.isoformat(), spent) for day, spent in days.items()]
    if len(rows) > 1:
        every = days.values()
        total = DaySpending(
            requests=sum(one.requests for one in every),
            listed_cny=rounded_cny(sum(one.listed_cny for one in every)),
            unknown_price=sum(one.unknown_price for one in every),
            failed=sum(one.failed for one in every),
        )
        rows.append(_row("all", total))
    return format_table(_HEADINGS, rows, width=NO_TERMINAL_WIDTH, shrinkable=(0,))


def _row(name: str, spent: DaySpending) -> tuple[str, ...]:
    amount = format_cny(spent.listed_cny).removesuffix(" CNY")
    numbers = (str(spent.requests), amount, str(spent.unknown_price), str(spent.failed))
    width = max(len("2026-11-26"), len(name))
    cells = (text.rjust(len(heading)) for text, heading in zip(numbers, _HEADINGS[1:], strict=True))
    return (name.ljust(width), *cells)
