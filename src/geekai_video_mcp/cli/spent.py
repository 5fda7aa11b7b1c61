"""`geekai-video-mcp spent`: what was requested by day, month or model, and its listed price.

It counts what the caps count: not what was rejected, which cost nothing, nor what was made
elsewhere, nor the previews of the sandbox.
"""

import argparse
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import anyio

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.ledger_reads import iterate_records, open_ledger
from geekai_video_mcp.cli.output import (
    NO_TERMINAL_WIDTH,
    OK,
    json_line,
    print_line,
    print_lines,
    terminal_width,
)
from geekai_video_mcp.cli.table import format_named_table, wrap_text
from geekai_video_mcp.cli.tasks import add_tenant_option, run_tasks
from geekai_video_mcp.domain.catalogue import format_cny, rounded_cny
from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.service_names import is_sandbox
from geekai_video_mcp.domain.statuses import COUNTED_TODAY, Status
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.quoting import sanitize

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings

_NUMBERS: Final = ("REQUESTS", "CNY", "PRICE UNKNOWN", "FAILED")
DEFAULT_DAYS: Final = 30
DEFAULT_MONTHS: Final = 12
MAX_DAYS: Final = 36_500
PROSE_WIDTH: Final = 80
_NOTE: Final = (
    "CNY is the sum of the listed prices, each as it was when the request was made; GeekAI may"
    " have charged less or more. Requests of unknown price are not in it. Failed ones are, because"
    " they may have been charged. Rejected requests and sandbox previews cost nothing."
)


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Print what was requested, and what it cost by the price list: by day, by month"
        " or by model. Days are those of this computer's time zone.",
        **examples(
            f"{prog}",
            f"{prog} --days 7 --by model",
            f"{prog} --by month --json | jq .listed_cny",
        ),
    )
    parser.add_argument(
        "--by", choices=list(_KEYS), default="day", help="what a line stands for (default: day)"
    )
    parser.add_argument(
        "--days",
        type=_parse_days,
        metavar="N",
        help=f"days up to today (default: {DEFAULT_DAYS}; by month, this month and the"
        f" {DEFAULT_MONTHS - 1} before)",
    )
    parser.add_argument(
        "--json", action="store_true", help="a line of JSON for each, without a sum"
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
class Spending:
    """The requests of one day, month or model."""

    requests: int = 0
    listed_cny: float = 0.0
    price_unknown: int = 0
    failed: int = 0

    def add(self, task: TaskRecord) -> None:
        price = listed_price(task)
        self.requests += 1
        self.listed_cny = rounded_cny(self.listed_cny + (price.cny if price else 0.0))
        self.price_unknown += price is None
        self.failed += task.status == Status.FAILED


def _local_day(task: TaskRecord) -> str:
    return datetime.fromtimestamp(task.created_at).astimezone().date().isoformat()


def _local_month(task: TaskRecord) -> str:
    return _local_day(task)[: len("2026-11")]


def _model(task: TaskRecord) -> str:
    return sanitize(task.model) or "unknown"


_KEYS: Final[Mapping[str, Callable[[TaskRecord], str]]] = {
    "day": _local_day,
    "month": _local_month,
    "model": _model,
}
"""For each `--by`: what the requests of one line have in common."""


def _print_spent(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Print the spending, newest first, or by model the most first; returns the exit status."""
    since = _start(arguments, today=datetime.fromtimestamp(time.time()).astimezone().date())
    spent = anyio.run(_read_spending, settings, since.timestamp(), _KEYS[arguments.by])
    if arguments.by == "model":
        spent = dict(sorted(spent.items(), key=lambda one: (-one[1].listed_cny, one[0])))
    if arguments.json:
        print_lines(json_line({arguments.by: name, **vars(one)}) for name, one in spent.items())
        return OK
    if not spent:
        print_line(f"No request to GeekAI {_describe_span(arguments)}.")
        return OK
    width = terminal_width()
    print_lines(spent_table(arguments.by.upper(), spent, width=width))
    print_lines(["", *wrap_text(_NOTE, min(width, PROSE_WIDTH))])
    return OK


def _describe_span(arguments: argparse.Namespace) -> str:
    if arguments.days is None and arguments.by == "month":
        return f"in the last {DEFAULT_MONTHS} months"
    return f"in the last {arguments.days or DEFAULT_DAYS} days"


def _start(arguments: argparse.Namespace, *, today: date) -> datetime:
    """When the first of the days or months began, of which today's is the last."""
    if arguments.days is None and arguments.by == "month":
        months = today.year * 12 + today.month - DEFAULT_MONTHS
        first = date(months // 12, months % 12 + 1, 1)
    else:
        first = today - timedelta(days=(arguments.days or DEFAULT_DAYS) - 1)
    return datetime(first.year, first.month, first.day).astimezone()


async def _read_spending(
    settings: "Settings", since: float, key: Callable[[TaskRecord], str]
) -> dict[str, Spending]:
    spent: dict[str, Spending] = {}
    async with open_ledger(settings) as ledger:
        async for page in iterate_records(ledger, since=since):
            for task in filter(_counts, page):
                spent.setdefault(key(task), Spending()).add(task)
    return spent


def _counts(task: TaskRecord) -> bool:
    """Whether the task counts towards the caps."""
    free = is_sandbox(task.account) or task.account == LOCAL_ACCOUNT
    made_here = task.owner is not None and not free
    return made_here and task.status in COUNTED_TODAY


def spent_table(
    heading: str, spent: Mapping[str, Spending], *, width: int = NO_TERMINAL_WIDTH
) -> list[str]:
    """A line for each, and their sum if there are several; a name that is too long has its own."""
    names, numbers = [heading, *spent], [_NUMBERS, *map(_cells, spent.values())]
    if len(spent) > 1:
        names.append("all")
        numbers.append(_cells(_sum(spent.values())))
    widths = [max(map(len, column)) for column in zip(*numbers, strict=True)]
    aligned = [[*map(str.rjust, row, widths)] for row in numbers]
    head, *rows = [[name, *row] for name, row in zip(names, aligned, strict=True)]
    return format_named_table(head, rows, width=width)


def _sum(every: Collection[Spending]) -> Spending:
    return Spending(
        requests=sum(one.requests for one in every),
        listed_cny=rounded_cny(sum(one.listed_cny for one in every)),
        price_unknown=sum(one.price_unknown for one in every),
        failed=sum(one.failed for one in every),
    )


def _cells(spent: Spending) -> tuple[str, ...]:
    cny = format_cny(spent.listed_cny).removesuffix(" CNY")
    return (str(spent.requests), cny, str(spent.price_unknown), str(spent.failed))
