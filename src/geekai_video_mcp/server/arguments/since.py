"""The time from which on something is listed, in the ways in which people name it.

Pure but for the clock, by which "today" is understood if the caller of `parse` gives no time.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from pydantic import ValidationInfo

from geekai_video_mcp.server.arguments.values import context_of, unwrap

_DATE: Final = re.compile(
    r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|(\d{2})(\d{2}))(?=\D|$)", re.ASCII
)
_CHINESE_DATE: Final = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日?", re.ASCII)
_AGO: Final = re.compile(
    r"(?:(?:in |since )?(?:the )?(?:last |past ))?(\d{1,3})\s*(h|hours?|d|days?|w|weeks?)(?: ago)?",
    re.ASCII,
)
_UNIX: Final = re.compile(r"(\d{10})(?:\.\d+|\d{3})?", re.ASCII)
"""Seconds or milliseconds; a date has no ten digits in a row."""
_WITH_MONTH_NAMES: Final = ("%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y")
_DAYS_AGO: Final = {"today": 0, "今天": 0, "yesterday": 1, "昨天": 1}
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
        return _find_moment(text, now.astimezone()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(_PROBLEM) from None


def _find_moment(text: str, now: datetime) -> datetime:
    """The moment that *text* names, by *now*, which is in this computer's zone."""
    word = text.casefold().removeprefix("since ").strip()
    if word in _DAYS_AGO:
        return _start_of_day(now.date() - timedelta(days=_DAYS_AGO[word]))
    if ago := _AGO.fullmatch(word):
        number, unit = int(ago[1]), ago[2][0]
        if unit == "h":
            return now - timedelta(hours=number)
        return _start_of_day(now.date() - timedelta(days=number * (7 if unit == "w" else 1)))
    if unix := _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(unix[1]), UTC)
    return _read_date(text)


def _start_of_day(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _read_date(text: str) -> datetime:
    """A date or a time; of what else Python reads, a person would expect no 2026-W48."""
    if chinese := _CHINESE_DATE.fullmatch(text):
        return _start_of_day(date(int(chinese[1]), int(chinese[2]), int(chinese[3])))
    if found := _DATE.match(text):
        year, month, day = (int(each) for each in (found[1], *(found.group(3, 4, 5, 6))) if each)
        rest = re.sub(r"\s*(?:UTC|GMT)$", "+00:00", text[found.end() :])
        return datetime.fromisoformat(f"{year:04}-{month:02}-{day:02}{rest}")
    plain = re.sub(r"[\s,]+", " ", text)
    for form in _WITH_MONTH_NAMES:
        try:
            return datetime.strptime(plain, form)  # noqa: DTZ007 - in this computer's zone
        except ValueError:
            continue
    msg = "no date"
    raise ValueError(msg)
