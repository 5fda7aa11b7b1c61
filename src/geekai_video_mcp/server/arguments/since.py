"""The time from which on something is listed, in the ways in which people name it.

Pure but for the clock, by which "today" is understood if the caller of `parse` gives no time.
"""

from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationInfo

from geekai_video_mcp.domain.moments import find_moment
from geekai_video_mcp.server.arguments.values import context_of, unwrap

_PROBLEM: Final = (
    "must be a date such as 2026-11-26, a time such as 2026-11-26T18:00,"
    ' "today", "yesterday" or "7 days ago"'
)


def read_since(value: object, info: ValidationInfo) -> float:
    """Unix seconds of the day or time that is named, on this computer's clock."""
    single = unwrap(value)
    is_text = isinstance(single, str | int | float) and not isinstance(single, bool)
    text = str(single).strip("\"' \t\r\n").rstrip(".") if is_text else ""
    clock = context_of(info).get("now")
    now = datetime.fromtimestamp(clock, UTC) if clock is not None else datetime.now(UTC)
    try:
        return find_moment(text, now.astimezone()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(_PROBLEM) from None
