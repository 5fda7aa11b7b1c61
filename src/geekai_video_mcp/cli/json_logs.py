"""The log as one JSON object a line, for programs that collect it.

Also the notices for people on stderr, warnings of Python, and what ends a thread or the process.
Of an exception its class and place are logged and not its text, which may hold a prompt or a link.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, cast

from geekai_video_mcp.cli.logs import scrub
from geekai_video_mcp.cli.output import notice_formats, print_notice_line
from geekai_video_mcp.domain.log_context import REQUEST_METHOD, TENANT
from geekai_video_mcp.quoting import sanitize

MAX_MESSAGE: Final = 4_000
"""Characters: collectors cut or drop longer lines."""
MAX_FRAMES: Final = 20
MAX_LINKED: Final = 4
"""Exceptions that led to one another, and are described each."""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, in ASCII."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        message = scrub(record.getMessage(), self._secrets)
        line: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…",
        }
        if tenant := TENANT.get():
            line["tenant"] = tenant
        if method := REQUEST_METHOD.get():
            line["method"] = sanitize(method, limit=60)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe_traceback(record.exc_info[1])
        return json.dumps(line)


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


def log_everything(formatter: JsonFormatter) -> None:
    """Have what bypasses the log, on its way to stderr, be lines of JSON as well."""

    def format_notice(line: str) -> str:
        return formatter.format(_record(logging.INFO, line))

    def show_error(message: str, exc: BaseException | None) -> None:
        print_notice_line(formatter.format(_record(logging.CRITICAL, message, exc)))

    def show_uncaught(
        kind: type[BaseException], exc: BaseException, _: TracebackType | None
    ) -> None:
        show_error(f"the process ends with {kind.__name__}", exc)

    logging.captureWarnings(capture=True)
    notice_formats.append(format_notice)
    sys.excepthook = show_uncaught
    threading.excepthook = lambda args: show_error("a thread has failed", args.exc_value)
    sys.unraisablehook = lambda args: show_error("an error was ignored", args.exc_value)


def _record(level: int, message: str, exc: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(exc), exc, exc.__traceback__) if exc is not None else None
    return logging.LogRecord("geekai_video_mcp", level, __file__, 0, message, None, exc_info)
