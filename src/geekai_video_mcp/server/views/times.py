"""Times, lengths of time and sizes in words. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

_MINUTE: Final = 60
_KB_UP_TO: Final = 100
"""Kilobytes from which on a size is given in megabytes."""
_IN_SECONDS: Final = 90
"""Seconds up to which a duration is given in seconds."""


def iso_time(at: float | None) -> str | None:
    """*at*, Unix seconds, as an ISO 8601 time in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at is not None else None


def elapsed_text(seconds: float) -> str:
    """A length of time, such as 42 s, 2 min 10 s or 1 h 5 min."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    minutes, rest = divmod(whole, _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size_text(size: int) -> str:
    """The size of a file, such as 5.2 MB or 40 kB."""
    kilobytes = max(1, round(size / 1e3))
    return f"{kilobytes} kB" if kilobytes < _KB_UP_TO else f"{size / 1e6:.1f} MB"


def length_and_size(seconds: float | None, width: int | None, height: int | None) -> Iterator[str]:
    """What is known of the length of a video and of its pixels, such as 5.0 s and 1280x720."""
    if seconds is not None:
        yield f"{seconds:.1f} s"
    if width and height:
        yield f"{width}x{height}"


def span_text(shortest: float, longest: float) -> str:
    """Two lengths of time between which others lie, such as 20 to 40 s or 3 to 5 min."""
    divisor, unit = (1, "s") if longest < _IN_SECONDS else (_MINUTE, "min")
    low, high = max(1, round(shortest / divisor)), max(1, round(longest / divisor))
    return f"{low} to {high} {unit}" if low < high else f"about {high} {unit}"
