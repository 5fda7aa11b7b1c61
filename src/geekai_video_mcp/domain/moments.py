"""The times that people name: "yesterday", "7d", 2026-11-26. Pure."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

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


def find_moment(text: str, now: datetime) -> datetime:
    """The moment that *text* names, by *now*.

    Without a zone it is one of the clock of *now*: the beginning of a day, or a time of it.

    Raises:
        ValueError: it names none. OverflowError or OSError: none that there is.
    """
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
            return datetime.strptime(plain, form)  # noqa: DTZ007 - in the zone of the clock
        except ValueError:
            continue
    msg = "no date"
    raise ValueError(msg)
