"""uvicorn's server, which on a signal finishes what it has begun before it closes its socket.

In the order of time, from a signal on: `Drain` starts, so that /ready responds with 503 and nothing
new is begun; the calls that were taken get their responses, and the responses to paid requests are
recorded, for `DRAIN_TIMEOUT` at most; the socket is closed and streams end, for `CLOSING_SECONDS`
at most; the application closes. A second signal ends the process at once: the task database is as
after a crash, and the next process goes on from there.
"""

import os
import sys
from types import FrameType

import uvicorn

from geekai_video_mcp.engine.drain import Drain

SETTLED_TICKS = 3
"""Tenths of a second for which no call may be unfinished, so that the last response is sent."""


class GracefulServer(uvicorn.Server):
    """Drains before it shuts down; *drain* is that of the process."""

    def __init__(self, config: uvicorn.Config, *, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain
        self._signalled = False
        self._settled = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop. The base class would at once, and cut the streams of responses."""
        del frame
        if self._signalled:
            sys.stderr.flush()
            os._exit(128 + sig)
        self._signalled = True
        self._captured_signals.append(sig)
        if not self.started:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to shut down; uvicorn calls it ten times a second."""
        if self._signalled and not self.should_exit:
            self._drain.start()
            self._settled = self._settled + 1 if self._drain.is_over else 0
            self.should_exit = self._settled >= SETTLED_TICKS or not self._drain.seconds_left
        return await super().on_tick(counter)
