"""The end of a process that others use: nothing new is begun, and what was begun is finished.

One `Drain` for a process, whoever's engines run in it. It only says that the process is
stopping and who still works: what that means stands where something would be begun.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import anyio

from geekai_video_mcp.errors import NOT_CHARGED, ServiceUnavailable

DRAIN_TIMEOUT: Final = 8.0
"""Seconds that shutdown waits for the response to a POST; hosts kill a server soon after."""
ANSWER_SECONDS: Final = 1.0
"""Seconds of those in which a caller is told what is known when the time is up."""
RETRY_AFTER: Final = 15
"""Seconds after which a caller that was refused may try again: another process runs by then."""


def stopping_error() -> ServiceUnavailable:
    """What a request that would begin something is refused with."""
    return ServiceUnavailable(
        "This server is stopping and takes no new request",
        code="stopping",
        retry_after_seconds=RETRY_AFTER,
        money=NOT_CHARGED,
        remedy=f"Send the same call again in {RETRY_AFTER} seconds: it may have been started again"
        " by then.",
    )


class Drain:
    """Whether this process is stopping, and which of the calls that it took are unfinished."""

    def __init__(self) -> None:
        self.started = False
        self._begun = anyio.Event()
        self._ends_at = 0.0
        self._listeners: set[Callable[[], None]] = set()
        self._calls: set[object] = set()
        self._calls_before: set[object] = set()
        """Those of the calls that had begun before the drain did."""

    def start(self) -> None:
        """Begin to stop; called again, it changes nothing. To be called in the event loop."""
        if self.started:
            return
        self.started = True
        self._ends_at = anyio.current_time() + DRAIN_TIMEOUT
        self._calls_before = set(self._calls)
        self._begun.set()
        for notify in list(self._listeners):
            notify()

    @property
    def seconds_left(self) -> float:
        """How long a POST that is under way may still take."""
        if not self.started:
            return DRAIN_TIMEOUT
        return max(0.0, self._ends_at - anyio.current_time())

    @property
    def is_over(self) -> bool:
        """Whether the process may end: every call has been answered, or the time is up."""
        return self.started and (not self._calls_before or not self.seconds_left)

    @contextmanager
    def track_call(self) -> Generator[None]:
        """Let the process wait for the block, if it has begun before the drain."""
        call = object()
        self._calls.add(call)
        try:
            yield
        finally:
            self._calls.discard(call)
            self._calls_before.discard(call)

    @contextmanager
    def move_on_after(self, seconds: float) -> Generator[anyio.CancelScope]:
        """Leave the block after so long, or while there is still time to answer its caller."""
        with anyio.move_on_after(seconds) as scope:

            def shorten() -> None:
                scope.deadline = min(scope.deadline, self._ends_at - ANSWER_SECONDS)

            if self.started:
                shorten()
            with self.notifying(shorten):
                yield scope

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Leave the block when the drain starts: what it waits for would come too late.

        Raises:
            ServiceUnavailable: the process is stopping; nothing was charged.
        """
        if self.started:
            raise stopping_error()
        with anyio.CancelScope() as scope, self.notifying(scope.cancel):
            yield
        if scope.cancelled_caught:
            raise stopping_error()

    @contextmanager
    def notifying(self, notify: Callable[[], None]) -> Generator[None]:
        """Call *notify* when the drain starts, if that is while the block lasts."""
        self._listeners.add(notify)
        try:
            yield
        finally:
            self._listeners.discard(notify)

    async def sleep(self, seconds: float) -> None:
        """Sleep so long, or until the drain starts."""
        with anyio.move_on_after(seconds):
            await self._begun.wait()
