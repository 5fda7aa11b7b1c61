"""Numbers, booleans and words from a list, as callers write them. Pure.

A value that is meant well is taken: "5s" as 5, "yes" as true, "done" as succeed. A check raises
ValueError with the rule and what to write instead; it never repeats the value, except where
`quoting.quote` marks a word that was taken for another one.
"""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, ValidationInfo

MAX_LISTS: Final = 3
"""Lists around a single value."""
SECONDS: Final = frozenset({"s", "sec", "secs", "second", "seconds", "秒", "秒钟"})
_MINUTES: Final = frozenset({"m", "min", "mins", "minute", "minutes", "分钟"})
FRAMES_PER_SECOND: Final = frozenset(
    {
        *("fps", "f/s", "p", "hz", "frames", "frames per second", "frames/s", "frames/sec"),
        *("frames/second", "帧", "帧/秒", "帧每秒"),
    }
)

SECONDS_PER_MINUTE: Final = 60
MAX_NUMBER_CHARS: Final = 64
"""Characters of a number with its unit; Python reads no integer of more than 4,300 digits."""
_NUMBER: Final = re.compile(r"([+-]?\d{1,15})(?:\.(\d{1,15}))?\s*(\D.{0,20})?")
_CLOCK: Final = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{2})(\.\d{1,15})?", re.ASCII)
_AROUND: Final = "\"'`“”[] \t\r\n"
"""What may stand around a single value: quotation marks, or the brackets of a list."""
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1", "1.0", "enabled", "enable", "是"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0", "0.0", "disabled", "disable", "否"})


VIEWS: Final = {
    **dict.fromkeys(
        (
            *("frame", "sheet", "contact_sheet", "grid", "storyboard", "keyframes", "all"),
            *("first_frame", "last_frame", "first_and_last_frame", "first_and_last_frames"),
            *("true", "yes"),
        ),
        "frames",
    ),
    **dict.fromkeys(("thumbnail", "poster", "cover_image", "coverimage"), "cover"),
}
"""What callers write for the pictures of a result: the contact sheet has the first frame and the
last one."""


def context_of(info: ValidationInfo) -> Mapping[str, Any]:
    """What `Arguments.parse` tells the checks of an argument about the call."""
    return cast("Mapping[str, Any]", info.context or {})


def add_note(info: ValidationInfo, note: str) -> None:
    """Tell the caller, in the result, that a value was taken differently from how it reads."""
    notes = context_of(info).get("notes")
    if isinstance(notes, list):
        cast("list[str]", notes).append(note)


def unwrap(value: object) -> object:
    """The member of a list of one, or of one in another, where a single value is expected."""
    for _ in range(MAX_LISTS):
        if not isinstance(value, list):
            break
        members = cast("list[object]", value)
        if len(members) != 1:
            return members
        value = members[0]
    return value


def whole_number(
    lowest: int,
    highest: int,
    *,
    units: frozenset[str] = frozenset(),
    rule: str = "",
    is_capped: bool = False,
    is_truncated: bool = False,
) -> BeforeValidator:
    """Reads a whole number, also as a text with its unit.

    With *is_capped*, more than *highest* becomes *highest*, with a note to the caller; with
    *is_truncated*, parts of a whole number are left out.
    """
    what = "a whole number of seconds" if units is SECONDS else "a whole number"
    problem = f"must be {rule or f'{what} from {lowest} to {highest}'}"

    def read(value: object, info: ValidationInfo) -> int:
        number = _read_number(unwrap(value), units)
        if number is None or not (is_truncated or number == int(number)):
            raise ValueError(problem)
        if is_capped and number > highest:
            add_note(info, f"{info.field_name} is at most {highest}, so {highest} was used.")
            return highest
        if not lowest <= number <= highest:
            raise ValueError(problem)
        return int(number)

    return BeforeValidator(read)


def number_between(lowest: float, highest: float) -> BeforeValidator:
    """Reads a number, also as a text."""
    problem = f"must be a number from {lowest:g} to {highest:g}"

    def read(value: object) -> float:
        number = _read_number(unwrap(value), frozenset())
        if number is None or not lowest <= number <= highest:
            raise ValueError(problem)
        return float(number)

    return BeforeValidator(read)


def _read_number(value: object, units: frozenset[str]) -> int | float | None:
    """The number in *value*; None if there is none. `true` is an int in Python, but no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        # An integer is always finite, and may be too large to become a float.
        return value if isinstance(value, int) or math.isfinite(value) else None
    is_short = isinstance(value, str) and len(value) <= MAX_NUMBER_CHARS
    text = str(value).strip(_AROUND) if is_short else ""
    if units is SECONDS and (seconds := read_clock(text)) is not None:
        return seconds
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number = float(f"{match[1]}.{match[2]}") if match[2] else int(match[1])
    unit = (match[3] or "").casefold().strip(" .-")
    if units is SECONDS and unit in _MINUTES:
        return number * SECONDS_PER_MINUTE
    return number if not unit or unit in units else None


def read_clock(text: str) -> float | None:
    """The seconds of a time as a player shows it, M:SS or H:MM:SS; None if *text* is none."""
    match = _CLOCK.fullmatch(text)
    if match is None or int(match[3]) >= SECONDS_PER_MINUTE:
        return None
    minutes = int(match[1] or 0) * 60 + int(match[2])
    return minutes * SECONDS_PER_MINUTE + float(match[3] + (match[4] or ""))


def read_boolean(value: object) -> bool:
    """True or false, also as a word or as 1 or 0."""
    single = unwrap(value)
    if isinstance(single, bool):
        return single
    word = str(single).strip(_AROUND).casefold() if isinstance(single, str | int | float) else ""
    if word not in _TRUE | _FALSE:
        msg = "must be true or false"
        raise ValueError(msg)
    return word in _TRUE


def one_of(*words: str, meant: Mapping[str, str]) -> BeforeValidator:
    """Reads one of *words*, whatever its case, or one of those that are *meant* as them.

    The keys of *meant* are in lower case, with underscores. A word that is meant as "" is one
    for all of them, so that the argument is as if it had been left out.
    """
    readings = {**meant, **{word: word for word in words}}

    def read(value: object) -> str | None:
        if value in words:
            return cast("str", value)
        single = unwrap(value)
        # JSON has booleans where a model means yes or no.
        word = str(single).strip(_AROUND).casefold() if isinstance(single, str | bool) else None
        key = re.sub(r"[\s-]+", "_", word.rstrip(".")) if word is not None else None
        reading = readings.get(key) if key is not None else None
        if reading is None:
            msg = f"must be {'one of ' if len(words) > 1 else ''}{', '.join(words)}"
            raise ValueError(msg)
        return reading or None

    return BeforeValidator(read)


Boolean = Annotated[bool, BeforeValidator(read_boolean)]
