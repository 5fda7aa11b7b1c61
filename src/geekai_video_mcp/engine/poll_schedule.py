"""When something is due for each of many tasks, and for which it is due now. Pure: no clock.

All times are Unix seconds, UTC.
"""

import heapq

from geekai_video_mcp.domain.polling import MAX_POLL_GAP


class PollSchedule:
    """One time for each task, ordered by time; thousands of tasks cost one heap."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        """All times that were set, in order; those that no longer hold are passed over."""

    def set(self, task_id: str, *, at: float) -> None:
        """Set the time of the task, in the place of an earlier one."""
        self._times[task_id] = at
        heapq.heappush(self._heap, (at, task_id))

    def remove(self, task_id: str) -> None:
        """Forget the task's time, if it has one."""
        self._times.pop(task_id, None)

    def next_time(self) -> float | None:
        """The earliest time; None without tasks."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, *, at: float, limit: int) -> dict[str, float]:
        """The tasks whose time has come, with that time, at most *limit*, the earliest first.

        They have no time from now on.
        """
        due = dict[str, float]()
        while len(due) < limit and (earliest := self.next_time()) is not None and earliest <= at:
            _, task_id = heapq.heappop(self._heap)
            due[task_id] = self._times.pop(task_id)
        return due

    def adjust_to_clock(self, *, at: float) -> None:
        """Make due what is further ahead than any schedule sets: the clock was set back to *at*."""
        for task_id, time in list(self._times.items()):
            if time > at + MAX_POLL_GAP:
                self.set(task_id, at=at)
