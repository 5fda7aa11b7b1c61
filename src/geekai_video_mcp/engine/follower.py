"""The one place where a caller waits for tasks: it ends with the call, and the tasks go on."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import anyio

from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import StorageUnavailable

if TYPE_CHECKING:
    from geekai_video_mcp.ledger import EventNotice

LEDGER_POLL_INTERVAL: Final = 1.0
"""Seconds between reads of the ledger by a waiting call: another process may be the watcher."""
HEARTBEAT: Final = 3.0
"""Seconds between progress reports to a waiting client; clients expect one every five."""

Until = Literal["all", "any"]


async def follow_tasks(
    context: EngineContext, task_ids: Sequence[str], *, wait_seconds: float, until: Until
) -> AsyncGenerator[tuple[Task, ...]]:
    """The tasks now, at each change of a status, and every few seconds, until all have settled.

    With *until* `any`, until one has settled whose result has not been delivered to a caller.
    Ends after *wait_seconds* in any case; the last ones yielded are the newest known.
    """
    ends = anyio.current_time() + wait_seconds
    yielded, yielded_at = None, 0.0
    while True:
        changed = context.signals.event_for(task_ids[0] if len(task_ids) == 1 else None)
        tasks = tuple([await context.require_task(task_id) for task_id in task_ids])
        now = anyio.current_time()
        settled = [task for task in tasks if task.settled]
        is_new = any(task.delivered_at is None for task in settled)
        over = len(settled) == len(tasks) or now >= ends or (until == "any" and is_new)
        statuses = tuple(task.status for task in tasks)
        if over or statuses != yielded or now - yielded_at >= HEARTBEAT:
            yielded, yielded_at = statuses, now
            yield tasks
        if over:
            return
        with anyio.move_on_after(min(LEDGER_POLL_INTERVAL, ends - now)):
            await changed.wait()


async def watch_events(context: EngineContext, *, after: int) -> "AsyncGenerator[EventNotice]":
    """Every change of any task, by any process, after event id *after*; never ends.

    Changes by this process come at once, those by others within `LEDGER_POLL_INTERVAL`.
    """
    while True:
        changed = context.signals.event_for(None)
        with suppress(StorageUnavailable):  # reported when the ledger can be read again
            for notice in await context.ledger.events_after(after=after):
                after = notice.number
                yield notice
        with anyio.move_on_after(LEDGER_POLL_INTERVAL):
            await changed.wait()
