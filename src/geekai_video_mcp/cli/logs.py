"""What reaches the log on stderr.

GEEKAI_LOG_LEVEL holds for our own loggers. The libraries' get no lower level than WARNING: below
that they log whole messages (`mcp`, `sse_starlette`: prompts) and links (`httpx`: signed ones),
and a library that is updated tomorrow may log more. What a stranger can cause over HTTP is logged
once for each kind, and then counted. Of an exception its class and place are logged and not its
text, which may hold a prompt or a link.
"""

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, cast

from geekai_video_mcp.quoting import reveal

OWN_LOGGERS: Final = ("geekai_video_mcp", "geekai_sandbox")
NOISY_LOGGERS: Final = ("geekai_video_mcp.server.http", "uvicorn", "mcp", "sse_starlette")
"""Their warnings can be caused by whoever reaches the port."""
REPEAT_SECONDS: Final = 600.0
"""Seconds after which a kind that goes on is logged once more, with the count."""
MAX_MESSAGE: Final = 4_000
"""Characters: collectors cut or drop longer lines."""
MAX_FRAMES: Final = 20
MAX_LINKED: Final = 4
"""Exceptions that led to one another, and are described each."""


def configure_logging(level: str, *, log_format: str = "text", secrets: Sequence[str] = ()) -> None:
    """Log to stderr; *level* is a name such as DEBUG, and *secrets* are never written."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        from geekai_video_mcp.cli.json_logs import JsonFormatter, log_everything

        formatter = JsonFormatter(secrets)
        log_everything(formatter)
    else:
        formatter = TextFormatter(secrets)
    handler.setFormatter(formatter)
    handler.addFilter(is_of_interest)
    handler.addFilter(RepeatFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level)


class LogFormatter(logging.Formatter):
    """What the formats of the log have in common; *secrets* are never written."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def describe(self, record: logging.LogRecord) -> str:
        """The message without secrets, and not too long."""
        message = record.getMessage().strip()
        if record.name == "asyncio":  # the lines after the first repeat the texts of exceptions
            message = message.partition("\n")[0]
        message = scrub(message, self._secrets)
        return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"


class TextFormatter(LogFormatter):
    """A record as one line, in which nothing of a stranger looks like another line."""

    def format(self, record: logging.LogRecord) -> str:
        message = reveal(self.describe(record)).replace("\n", "\\n")
        line = f"{record.levelname}:{record.name}:{message}"
        if record.exc_info and record.exc_info[1] is not None:
            line = f"{line}\n{describe_traceback(record.exc_info[1])}"
        return line


def describe_traceback(exc: BaseException) -> str:
    """The classes of the exception and of those that led to it, each with its frames."""
    described = list[str]()
    seen: BaseException | None = exc
    while seen is not None and len(described) < MAX_LINKED:
        frames = traceback.extract_tb(seen.__traceback__)[-MAX_FRAMES:]
        places = [f"  {Path(one.filename).name}:{one.lineno} {one.name}" for one in frames]
        described.append("\n".join([type(seen).__name__, *places]))
        if isinstance(seen, BaseExceptionGroup):
            seen = cast("BaseExceptionGroup[BaseException]", seen).exceptions[0]
        else:
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\ncaused by ".join(described)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """*text* without secrets, bearer tokens, keys, and what signs a link."""
    for secret in secrets:
        text = text.replace(secret, _BLOT)
    for pattern, replacement in _SECRET_PATTERNS:
        text = pattern.sub(replacement, text)
    return text


_BLOT: Final = "***"
_SECRET_PATTERNS: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {_BLOT}"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{6,}"), f"sk-{_BLOT}"),
    (re.compile(r"(\w://)[^/\s@\"']+@"), rf"\1{_BLOT}@"),
    (re.compile(r"(\w://[^\s\"'<>?#]+)[?#][^\s\"'<>]*"), rf"\1?{_BLOT}"),
    (re.compile(r"(/files/)[^/\s\"'<>?#]+"), rf"\1{_BLOT}"),
)


def is_of_interest(record: logging.LogRecord) -> bool:
    """False for what asyncpg 0.32 leaves behind where connecting is cancelled: nothing is lost."""
    exc = record.exc_info[1] if record.exc_info else None
    of_asyncpg = isinstance(exc, ConnectionError) and str(exc) == _CONNECTION_ABANDONED
    return not (record.name == "asyncio" and of_asyncpg)


_CONNECTION_ABANDONED: Final = "unexpected connection_lost() call"
"""Of a connection on which TLS was to be negotiated: a future for which nobody waits any more."""


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
