"""The listed price that a task keeps from the moment its request was made. Pure.

The price list changes, and what a request cost does not: nothing that shows a recorded task
works its price out again.
"""

from dataclasses import replace
from typing import NamedTuple

from geekai_video_mcp.domain.catalogue import Cost
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.domain.tasks import Task


class ListedPrice(NamedTuple):
    """What a request cost by the price list when it was made; what was charged may differ."""

    cny: float
    source: str
    read_on: str
    """The day on which the list was read, such as 2026-04-25."""


def with_price(task: Task, cost: Cost | None) -> Task:
    """A new task with its listed price; with none if the total is not known."""
    if cost is None or cost.total_cny is None:
        return task
    return replace(
        task,
        price_cny=cost.total_cny,
        price_source=cost.source,
        price_read_on=cost.read_on.isoformat(),
    )


def listed_price(task: Task | TaskRecord) -> ListedPrice | None:
    """The price that was recorded with the task; None if there is none, or nothing was charged."""
    if task.price_cny is None or task.status == Status.REJECTED:
        return None
    return ListedPrice(
        cny=task.price_cny, source=task.price_source or "", read_on=task.price_read_on or ""
    )
