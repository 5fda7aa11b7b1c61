"""Text layout for terminals: display width, truncation, wrapping and tables.

The input is one line without control characters (`quoting.sanitize`). A Chinese or Korean
character is two cells wide, and a combining mark has no width.
"""

import unicodedata
from collections.abc import Collection, Sequence
from typing import Final

GAP: Final = "  "
MIN_COLUMN_WIDTH: Final = 8
"""Cells that a shrinkable column keeps; with fewer, nothing of a prompt could be seen."""


def display_width(text: str) -> int:
    """The width of *text* in cells of a terminal."""
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def truncate(text: str, width: int) -> str:
    """*text* in at most *width* cells; an ellipsis replaces what is cut off."""
    if display_width(text) <= width:
        return text
    return text[: _characters_that_fit(text, width - 1)].rstrip() + "…"


def _characters_that_fit(text: str, width: int, start: int = 0) -> int:
    """How many characters of *text*, from *start* on, fit into *width* cells."""
    remaining = width
    for index in range(start, len(text)):
        remaining -= _character_width(text[index])
        if remaining < 0:
            return index - start
    return len(text) - start


def wrap_text(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width* cells, broken at spaces where there are any."""
    # Never with all that follows: a text from outside may have millions of characters.
    lines, start = list[str](), 0
    while start + (fits := _characters_that_fit(text, width, start)) < len(text):
        fits = max(1, fits)
        end = text.rfind(" ", start, start + fits + 1)
        if end <= start:
            end = start + fits
        lines.append(text[start:end].rstrip())
        start = end
        while start < len(text) and text[start].isspace():
            start += 1
    return [*lines, text[start:]]


def format_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, shrinkable: Collection[int]
) -> list[str]:
    """A table in lines of at most *width* cells, as far as the *shrinkable* columns allow."""
    all_rows = [head, *rows]
    widths = [max(display_width(row[column]) for row in all_rows) for column in range(len(head))]
    excess = sum(widths) + len(GAP) * (len(head) - 1) - width
    while excess > 0:
        widest = max(shrinkable, key=lambda column: widths[column])
        if widths[widest] <= MIN_COLUMN_WIDTH:
            break
        widths[widest] -= 1
        excess -= 1
    return [_format_row(row, widths) for row in all_rows]


def _format_row(row: Sequence[str], widths: Sequence[int]) -> str:
    parts = [truncate(text, width) for text, width in zip(row, widths, strict=True)]
    padded = [
        part + " " * (width - display_width(part))
        for part, width in zip(parts, widths, strict=True)
    ]
    return GAP.join(padded).rstrip()


def key_value_lines(rows: Sequence[tuple[str, str]], *, width: int) -> list[str]:
    """Names and values in two columns, the values wrapped in theirs."""
    name_width = max((display_width(name) for name, _ in rows), default=0)
    value_width = max(width - len(GAP) * 2 - name_width, MIN_COLUMN_WIDTH)
    lines = list[str]()
    for name, value in rows:
        first, *rest = wrap_text(value, value_width)
        lines.append(f"{GAP}{name}{' ' * (name_width - display_width(name))}{GAP}{first}".rstrip())
        lines.extend(f"{GAP}{' ' * name_width}{GAP}{more}" for more in rest)
    return lines
