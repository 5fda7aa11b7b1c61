"""The one place where a caller waits for tasks: it ends with the call, and the tasks go on.

What this process changes is noticed at once. For the changes of other processes one reader looks
at the ledger's events every second, for all callers together: however many wait, each reads its
own tasks only when one of them has changed.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

import anyio

from geekai_video_mcp.domain.statuses import UNSENT, Status
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import StorageUnavailable

if TYPE_CHECKING:
    from geekai_video_mcp.ledger import EventNotice

LEDGER_POLL_INTERVAL: Final = 1.0
"""Seconds between reads of the ledger's events: another process may be the watcher."""
HEARTBEAT: Final = 3.0
"""Seconds between progress reports to a waiting client; clients expect one every five."""

Until = Literal["all", "any"]


class Follower:
    """Waits for tasks on behalf of the callers of one process."""

    def __init__(self, context: EngineContext, *, start: Callable[..., None]) -> None:
        self._context = context
        self._start = start
        self._waiting = 0
        """Callers that need the changes of other processes."""
        self._reading = anyio.CancelScope()

    async def follow_tasks(
        self, tasks: tuple[Task, ...], *, wait_seconds: float, until: Until
    ) -> AsyncGenerator[tuple[Task, ...]]:
        """The tasks as given, at each change of a status, and every few seconds, until all settle.

        With *until* `any`, until one has settled whose result has not been delivered to a caller.
        Ends after *wait_seconds* in any case, and when the process stops; the last ones yielded
        are the newest known. The ledger is not read if there is nothing to wait for.
        """
        now = anyio.current_time()
        ends, heartbeat_at = now + wait_seconds, now + HEARTBEAT
        yield tasks
        if wait_seconds <= 0 or _is_over(tasks, until):
            return
        task_ids, changed = [task.id for task in tasks], True
        with self._context.signals.listen(*task_ids) as changes, self._reading_events():
            while True:
                newest, now = tasks, anyio.current_time()
                if changed or now >= ends:
                    newest = tuple([await self._context.require_task(each) for each in task_ids])
                    now = anyio.current_time()
                over = now >= ends or self._context.drain.started or _is_over(newest, until)
                is_new = [task.status for task in newest] != [task.status for task in tasks]
                tasks = newest
                if over or is_new or now >= heartbeat_at:
                    heartbeat_at = now + HEARTBEAT
                    yield tasks
                if over:
                    return
                # By the clock and not by what is left: rounded down, that would never pass.
                with anyio.CancelScope(deadline=min(heartbeat_at, ends)) as waiting:
                    await changes.wait()
                changed = not waiting.cancelled_caught

    async def wait_for_answer(self, task: Task, *, seconds: float) -> Task:
        """The task once the service has answered its request, or after so many seconds.

        One that waits for other tasks is returned as it is.
        """
        newest = task
        following = self.follow_tasks((task,), wait_seconds=seconds, until="all")
        async with aclosing(following) as states:
            async for (newest,) in states:
                if newest.status not in UNSENT or newest.status is Status.WAITING:
                    break
        return newest

    async def watch_events(self, cursor: str) -> "AsyncGenerator[EventNotice]":
        """Every change of any task, by any process, behind *cursor*; never ends.

        Changes by this process come at once, those by others within `LEDGER_POLL_INTERVAL`.
        """
        with self._context.signals.listen() as changes:
            while True:
                with suppress(StorageUnavailable):  # reported when the ledger can be read again
                    for notice in await self._context.ledger.events_after(cursor):
                        cursor = notice.cursor
                        yield notice
                with anyio.move_on_after(LEDGER_POLL_INTERVAL):
                    await changes.wait()

    @contextmanager
    def _reading_events(self) -> Generator[None]:
        """Have the events of other processes read while the block lasts; there is one reader."""
        self._waiting += 1
        self._context.counters.begin_wait()
        if self._waiting == 1:
            self._reading = anyio.CancelScope()
            self._start(self._read_events, self._reading)
        try:
            yield
        finally:
            self._waiting -= 1
            self._context.counters.end_wait()
            if not self._waiting:
                self._reading.cancel()

    async def _read_events(self, scope: anyio.CancelScope) -> None:
        """Notify the callers of a task whenever any process has changed it."""
        signals, ledger, cursor = self._context.signals, self._context.ledger, None
        with scope:
            while True:
                try:
                    if cursor is None:
                        cursor = await ledger.event_cursor()
                        signals.notify_all()  # they may have read their tasks before this
                    for notice in await ledger.events_after(cursor):
                        cursor = notice.cursor
                        signals.notify(notice.task_id)
                except StorageUnavailable:
                    signals.notify_all()  # each learns by reading why nothing can be read
                await anyio.sleep(LEDGER_POLL_INTERVAL)


def _is_over(tasks: tuple[Task, ...], until: Until) -> bool:
    settled = [task for task in tasks if task.settled]
    is_new = any(task.delivered_at is None for task in settled)
    return len(settled) == len(tasks) or (until == "any" and is_new)
