"""What reaches the log on stderr.

GEEKAI_LOG_LEVEL holds for our own loggers. The libraries' get no lower level than WARNING: below
that they log whole messages (`mcp`, `sse_starlette`: prompts) and links (`httpx`: signed ones),
and a library that is updated tomorrow may log more. What a stranger can cause over HTTP is logged
once for each kind, and then counted.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Final

OWN_LOGGERS: Final = ("geekai_video_mcp", "geekai_sandbox")
NOISY_LOGGERS: Final = ("geekai_video_mcp.server.http", "uvicorn", "mcp", "sse_starlette")
"""Their warnings can be caused by whoever reaches the port."""
REPEAT_SECONDS: Final = 600.0
"""Seconds after which a kind that goes on is logged once more, with the count."""


def configure_logging(level: str) -> None:
    """Log to stderr; *level* is a name such as DEBUG."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    handler.addFilter(RepeatFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level)


class RepeatFilter(logging.Filter):
    """Lets the first warning of each kind of noise through; a kind is a line of the source."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged_at: dict[tuple[str, int], float] = {}
        self._dropped: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(NOISY_LOGGERS) or record.levelno < logging.WARNING:
            return True
        kind, now = (record.pathname, record.lineno), self._clock()
        last = self._logged_at.get(kind)
        if last is not None and now - last < REPEAT_SECONDS:
            self._dropped[kind] = self._dropped.get(kind, 0) + 1
            return False
        self._logged_at[kind] = now
        if dropped := self._dropped.pop(kind, 0):
            record.msg = f"{record.getMessage()} (and {dropped} more like it since the last one)"
            record.args = None
            record.exc_info = None
        return True
