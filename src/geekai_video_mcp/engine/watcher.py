"""From an accepted task to its end: polled by one process, among all processes together.

One scheduler works on all tasks of this process. A watched task is two entries in heaps, one for
its next poll and one for its lease, and nothing runs for it in between. The polls that are due
take their tokens from the budget that all processes share in one transaction, and what they bring
is recorded in one, in which the leases are renewed as well. A finished task is downloaded by a job
of its own.

A poll is free and harmless, so losing the lease that keeps watchers apart does no damage. A poll or
a download that fails changes nothing except the time of the next attempt.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio

from geekai_video_mcp.domain.leases import CLOCK_TOLERANCE
from geekai_video_mcp.domain.lifecycle import advance, needs_watching, poll_time
from geekai_video_mcp.domain.obstacles import (
    UNANSWERED,
    end_stall,
    record_missed_poll,
    record_stall,
)
from geekai_video_mcp.domain.polling import polls_at_once
from geekai_video_mcp.domain.retries import download_retry_delay
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.engine.exceptions import describe_exception, log_exception
from geekai_video_mcp.engine.poll_schedule import PollSchedule
from geekai_video_mcp.engine.result_fetcher import ResultFetcher
from geekai_video_mcp.errors import GeekAIVideoError, ServiceUnavailable, TaskNotFound
from geekai_video_mcp.quoting import as_sentence

if TYPE_CHECKING:
    from geekai_video_mcp.ledger import Change

logger = logging.getLogger(__name__)

POLL_RETRY_DELAY: Final = 10.0
"""Seconds until the next poll after one without an answer, unless the service asks for more."""

CRASHES_UNTIL_STALLED: Final = 3
"""Exceptions in a row until a task is shown as stalled: a busy disk may cause one."""

MAX_CRASH_DELAY: Final = 300.0
"""Seconds after which a watch that has ended with an exception is begun again, at the latest."""

DOWNLOADS_AT_ONCE: Final = 32
"""Downloads at the same time; further tasks wait for one to end."""
LEASES_AT_ONCE: Final = 200
"""Leases that are taken or renewed in one transaction, for which other calls wait."""
LOCKED_DELAY: Final = 1.0
"""Seconds until a lease is tried again whose task another process was just changing."""
LEASE_MARGIN: Final = 30.0
"""Seconds before the end of a lease at which it is renewed, if no poll has renewed it: its poll is
late because requests are limited."""
ROUND_SECONDS: Final = 0.25
"""Seconds of a round: the polls that are due at its beginning share a transaction for their tokens
and are spread over it, because httpx takes half as much time again for fifteen requests at once as
for three at a time. What polls have brought is recorded as often, unless it is the first."""
MAX_SLEEP: Final = 30.0
"""Seconds after which the clock is read again: it may be set, and a computer sleeps."""


class _PolledTask(NamedTuple):
    """What has to be known of a task to poll it; the rest stays in the ledger."""

    media: Media
    provider_task_id: str


class Watcher:
    """Polls and downloads the tasks of this process."""

    def __init__(self, context: EngineContext, *, start: Callable[..., None]) -> None:
        self._context = context
        self._start = start
        self._fetcher = ResultFetcher(context)
        self._watched: set[str] = set()
        self._running = False
        self._wake = anyio.Event()
        """Set when there is something to do before `_sleeps_until`."""
        self._sleeps_until = math.inf
        self._read_clock_at = 0.0
        self._lease_times = PollSchedule()
        """When to take or renew the lease of each task."""
        self._poll_times = PollSchedule()
        """When to poll each of the tasks in `_polled`."""
        self._polled: dict[str, _PolledTask] = {}
        """The tasks that this process has leased and polls when they are due."""
        self._polls_at_once = polls_at_once(context.requests_per_second)
        self._polls_under_way = 0
        self._next_round_at = 0.0
        """When more polls may begin, by the clock of the event loop."""
        self._changes: list[tuple[str, Change]] = []
        """What the polls have brought and is not recorded yet."""
        self._recording = False
        self._downloading: set[str] = set()
        self._finished: dict[str, Task] = {}
        """The tasks that wait for another download to end."""
        self._crash_counts = Counter[str]()
        """How often in a row the watch of a task has ended with an exception."""

    def watch(self, task_id: str, *, leased: Task | None = None) -> None:
        """Watch the task in the background until it settles, unless this process already does.

        *leased* is the task as it was just recorded, with the lease if that was to be had.
        """
        if task_id in self._watched:
            return
        self._watched.add(task_id)
        if leased is not None and self._context.has_lease(leased):
            self._follow(leased)
        else:
            self._plan(self._lease_times, task_id, at=self._context.clock())
        if not self._running:
            self._running = True
            self._start(self._run)

    async def fetch_again(self, task_id: str) -> Task:
        """See `ResultFetcher.fetch_again`."""
        return await self._fetcher.fetch_again(task_id)

    async def _run(self) -> None:
        """Do what is due for all tasks of this process, until none is left."""
        try:
            while self._watched:
                self._wake, self._sleeps_until = anyio.Event(), math.inf
                await self._take_due_leases()
                await self._start_due_polls()
                seconds = self._seconds_until_due()
                self._sleeps_until = self._read_clock_at + seconds
                with anyio.move_on_after(seconds):
                    await self._wake.wait()
        finally:
            self._running = False

    def _plan(self, times: PollSchedule, task_id: str, *, at: float) -> None:
        times.set(task_id, at=at)
        if at < self._sleeps_until:
            self._wake.set()

    def _read_clock(self) -> float:
        """The time; what seems to be far ahead because the clock was set back is due now."""
        at = self._context.clock()
        if at < self._read_clock_at - CLOCK_TOLERANCE:
            self._lease_times.adjust_to_clock(at=at)
            self._poll_times.adjust_to_clock(at=at)
        self._read_clock_at = at
        return at

    def _seconds_until_due(self) -> float:
        at, seconds = self._read_clock(), MAX_SLEEP
        if (lease_at := self._lease_times.next_time()) is not None:
            seconds = min(seconds, lease_at - at)
        poll_at = self._poll_times.next_time()
        if poll_at is not None and self._polls_under_way < self._polls_at_once:
            next_round = self._next_round_at - anyio.current_time()
            seconds = min(seconds, max(poll_at - at, next_round))
        return max(seconds, 0.0)

    async def _take_due_leases(self) -> None:
        """Take or renew the leases that are due, in one transaction."""
        due = [*self._lease_times.take_due(at=self._read_clock(), limit=LEASES_AT_ONCE)]
        if not due:
            return
        try:
            outcomes = await self._context.ledger.take_leases(due, self._context.take_lease)
        except Exception as exc:  # noqa: BLE001 - the tasks were paid for, whatever fails here
            outcomes = [exc] * len(due)
        await self._go_on(due, outcomes)

    async def _start_due_polls(self) -> None:
        """Poll the tasks that are due, as many as the budget allows, spread over a round."""
        if anyio.current_time() < self._next_round_at:
            return
        limit = self._polls_at_once - self._polls_under_way
        due = self._poll_times.take_due(at=self._read_clock(), limit=limit)
        if not due:
            return
        try:
            grant = await self._context.acquire_poll_slots(len(due))
        except Exception as exc:  # noqa: BLE001 - as above
            await self._go_on([*due], [exc] * len(due))
            return
        # Tokens are asked for again after half a minute: the clock may be set back meanwhile.
        pause = min(max(ROUND_SECONDS, grant.wait_seconds), MAX_SLEEP)
        self._next_round_at = anyio.current_time() + pause
        for task_id, time in [*due.items()][grant.granted :]:
            self._poll_times.set(task_id, at=time)
        for number, task_id in enumerate([*due][: grant.granted]):
            self._lease_times.remove(task_id)
            self._polls_under_way += 1
            delay = ROUND_SECONDS * number / grant.granted
            late = self._read_clock_at - due[task_id]
            self._context.counters.observe_poll_lateness(late + delay)
            self._start(self._poll, task_id, self._polled.pop(task_id), delay)

    async def _poll(self, task_id: str, polled: _PolledTask, delay: float) -> None:
        """Poll the task after *delay* seconds, and see that what this brings is recorded."""
        await anyio.sleep(delay)
        try:
            change = await self._ask_service(task_id, polled)
        except Exception as exc:  # noqa: BLE001 - as above
            self._end_poll()
            await self._record_crash(task_id, exc)
        else:
            self._end_poll()
            self._changes.append((task_id, partial(self._change_and_lease, change)))
            await self._record_changes()

    def _end_poll(self) -> None:
        if self._polls_under_way == self._polls_at_once:  # others may have waited for this
            self._wake.set()
        self._polls_under_way -= 1

    async def _ask_service(self, task_id: str, polled: _PolledTask) -> "Change":
        """What one poll changes about the task."""
        counters = self._context.counters
        try:
            observation = await self._context.poll(polled.media, polled.provider_task_id)
        except ServiceUnavailable as exc:
            counters.count_poll(answered=False)
            delay = max(POLL_RETRY_DELAY, exc.retry_after_seconds or 0.0)
            answered = exc.raw_response is not None
            reason = exc.reason if answered else f"{UNANSWERED}: {exc.reason}"
            return self._missed_poll(delay, reason, exc, unusable=answered)
        except TaskNotFound as exc:
            counters.count_poll(answered=True)
            reason = f"{self._context.service} answered that it knows no such task (HTTP 404)"
            return self._missed_poll(POLL_RETRY_DELAY * 3, reason, exc, not_found=True)
        except GeekAIVideoError as exc:
            # The key was changed, or the service lost the task: it may still be running.
            counters.count_poll(answered=True)
            logger.warning("polling task %s was refused: %s", task_id, type(exc).__name__)
            return self._missed_poll(POLL_RETRY_DELAY * 3, exc.message, exc)
        counters.count_poll(answered=True)
        return partial(advance, observation=observation)

    def _missed_poll(
        self,
        delay: float,
        reason: str,
        exc: GeekAIVideoError,
        *,
        not_found: bool = False,
        unusable: bool = False,
    ) -> "Change":
        return partial(
            record_missed_poll,
            at=self._context.clock(),
            delay=delay,
            reason=as_sentence(reason),
            raw_response=exc.raw_response,
            not_found=not_found,
            unusable=unusable,
        )

    def _change_and_lease(self, change: "Change", task: Task) -> Task:
        return self._context.take_lease(change(task))

    async def _record_changes(self) -> None:
        """Record what polls have brought: all that has come so far in one transaction.

        The poll that comes first does it for those that come while it does.
        """
        if self._recording:
            return
        self._recording = True
        try:
            while self._changes:
                changes, self._changes = self._changes, []
                try:
                    outcomes = await self._context.change_all(changes)
                except Exception as exc:  # noqa: BLE001 - as above
                    outcomes = [exc] * len(changes)
                for outcome in outcomes:
                    if isinstance(outcome, Task):
                        self._forget_crashes(outcome.id)
                await self._go_on([task_id for task_id, _ in changes], outcomes)
                await anyio.sleep(ROUND_SECONDS)
        finally:
            self._recording = False

    async def _go_on(
        self, task_ids: Sequence[str], outcomes: Sequence[Task | Exception | None]
    ) -> None:
        """Plan what is next for each of these tasks, after what became of its last change."""
        failed = list[tuple[str, Exception]]()
        for task_id, outcome in zip(task_ids, outcomes, strict=True):
            if isinstance(outcome, Task):
                self._follow(outcome)
            elif outcome is None:  # another process is changing it, and may be taking its lease
                self._plan(self._lease_times, task_id, at=self._context.clock() + LOCKED_DELAY)
            elif isinstance(outcome, KeyError):
                self._forget(task_id)  # a duplicate, or a request that was refused, is not recorded
            else:
                failed.append((task_id, outcome))
        for task_id, exc in failed:
            await self._record_crash(task_id, exc)

    def _follow(self, task: Task) -> None:
        """Plan what is next for the task, as the ledger holds it now."""
        if not self._context.has_lease(task):
            self._forget(task.id)
            return
        at = self._context.clock()
        renew_at = (task.lease_expires_at or at) - LEASE_MARGIN
        self._plan(self._lease_times, task.id, at=renew_at)
        if task.status is Status.SUCCEED:
            self._stop_polling(task.id)
            self._finished[task.id] = task
            self._start_downloads()
        else:
            self._polled[task.id] = _PolledTask(task.media, str(task.provider_task_id))
            self._plan(self._poll_times, task.id, at=poll_time(task, at=at))

    def _start_downloads(self) -> None:
        while self._finished and len(self._downloading) < DOWNLOADS_AT_ONCE:
            task_id = next(iter(self._finished))
            self._lease_times.remove(task_id)
            self._downloading.add(task_id)
            self._start(self._download, self._finished.pop(task_id))

    async def _download(self, task: Task) -> None:
        try:
            after = await self._fetcher.fetch(task)
            if self._forget_crashes(task.id):
                after = await self._context.change(task.id, end_stall)
        except Exception as exc:  # noqa: BLE001 - as above
            await self._record_crash(task.id, exc)
        else:
            if needs_watching(after):
                delay = download_retry_delay(after.failed_downloads)
                self._plan(self._lease_times, task.id, at=self._context.clock() + delay)
            else:
                self._forget(task.id)
        self._downloading.discard(task.id)
        self._start_downloads()

    def _stop_polling(self, task_id: str) -> None:
        self._polled.pop(task_id, None)
        self._poll_times.remove(task_id)

    def _forget(self, task_id: str) -> None:
        """Watch the task no longer."""
        self._watched.discard(task_id)
        self._stop_polling(task_id)
        self._lease_times.remove(task_id)
        self._finished.pop(task_id, None)
        self._crash_counts.pop(task_id, None)
        self._fetcher.forget_obstacles(task_id)
        if not self._watched:
            self._wake.set()

    def _forget_crashes(self, task_id: str) -> bool:
        """Count anew after an attempt that has worked; whether the task is shown as stalled.

        A poll itself ends that.
        """
        self._context.stalls.pop(task_id, None)
        return self._crash_counts.pop(task_id, 0) >= CRASHES_UNTIL_STALLED

    async def _record_crash(self, task_id: str, exc: Exception) -> None:
        """Try again later after an exception; after some in a row, show the task as stalled.

        The reason names the exception's class and place: its text may hold a prompt or a link.
        """
        self._crash_counts[task_id] += 1
        count = self._crash_counts[task_id]
        log_exception(self.watch, exc)
        delay = min(download_retry_delay(count), MAX_CRASH_DELAY)
        self._stop_polling(task_id)
        self._plan(self._lease_times, task_id, at=self._context.clock() + delay)
        if count < CRASHES_UNTIL_STALLED:
            return
        what = exc.message if isinstance(exc, GeekAIVideoError) else describe_exception(exc)
        reason = f"This server could not follow it, {count} times in a row: {as_sentence(what)}"
        stall = partial(record_stall, at=self._context.clock(), reason=reason)
        try:
            await self._context.change(task_id, stall)
        except Exception:  # noqa: BLE001 - the ledger may be what fails, so memory has to do
            self._context.stalls.setdefault(task_id, stall)
            self._context.signals.notify(task_id)
