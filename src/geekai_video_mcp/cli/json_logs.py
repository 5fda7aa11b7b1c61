"""The log as one JSON object a line, for programs that collect it.

Also the notices for people on stderr, warnings of Python, and what ends a thread or the process.
"""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType

from geekai_video_mcp.cli.logs import LogFormatter, describe_traceback
from geekai_video_mcp.cli.output import NoticeLevel, notice_formats, print_notice_line
from geekai_video_mcp.domain.log_context import REQUEST_METHOD, TENANT
from geekai_video_mcp.quoting import sanitize


class JsonFormatter(LogFormatter):
    """A record as one line of JSON, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.describe(record),
        }
        if tenant := TENANT.get():
            line["tenant"] = tenant
        if method := REQUEST_METHOD.get():
            line["method"] = sanitize(method, limit=60)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe_traceback(record.exc_info[1])
        return json.dumps(line)


def log_everything(formatter: JsonFormatter) -> None:
    """Have what bypasses the log, on its way to stderr, be lines of JSON as well."""

    def format_notice(line: str, level: NoticeLevel) -> str:
        return formatter.format(_record(logging.getLevelNamesMapping()[level], line))

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
