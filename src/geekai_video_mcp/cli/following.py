"""Follows one task of the command line to its end, on the live display.

The command line takes up no other task than its own. Its own it does take up where the process that
worked on it is gone: an earlier command, or a server.
"""

import math
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import anyio

from geekai_video_mcp.cli.live import Display, State
from geekai_video_mcp.domain.statuses import POLLED, Status
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.quoting import sanitize
from geekai_video_mcp.server.results import make_report
from geekai_video_mcp.server.views.text import stall_text, state_text
from geekai_video_mcp.server.views.times import elapsed_text, span_text

if TYPE_CHECKING:
    from geekai_video_mcp.app import App
    from geekai_video_mcp.domain.tasks import Task

TAKE_UP_SECONDS: Final = 10.0
"""Seconds after which it is looked again whether the process is gone that works on the task."""


async def follow_task(
    app: "App",
    task: "Task",
    display: Display,
    *,
    may_send: bool = False,
    is_over: Callable[["Task"], bool] = lambda task: task.settled,
) -> "Task":
    """Wait until *is_over*; returns the task as it is then.

    Only with *may_send* is a request sent that a process which is gone has recorded.

    Raises:
        StorageUnavailable: the ledger cannot be read.
    """
    newest, next_look = task, anyio.current_time()
    async with aclosing(app.engine.follow(task, wait_seconds=math.inf)) as states:
        async for (newest,) in states:
            show_task(app, newest, display)
            if is_over(newest):
                break
            if anyio.current_time() >= next_look:
                next_look = anyio.current_time() + TAKE_UP_SECONDS
                await app.engine.take_up(newest, may_send=may_send)
    return newest


def show_task(app: "App", task: "Task", display: Display) -> None:
    """Show how far the task is, from now on."""
    display.show(lambda: describe_state(app, task))


def describe_state(app: "App", task: "Task") -> State:
    """How far the task is now."""
    at = app.clock()
    name = "joining" if task.media is Media.FILM and task.status is Status.RUNNING else None
    typical = task.typical_duration if task.status in POLLED else None
    usually = f"usually {span_text(typical.p10, typical.p95)}" if typical else ""
    stall = stall_text(make_report(app, task))
    return State(
        name=sanitize(name or state_text(task)),
        elapsed=elapsed_text(max(0.0, (task.ended_at or at) - task.created_at)),
        note="" if stall else usually,
        warning=sanitize(stall) if stall else "",
        share=app.engine.film_share(task.id),
    )
