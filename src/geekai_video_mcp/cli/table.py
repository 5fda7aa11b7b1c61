"""Text layout for terminals: display width, truncation, wrapping and tables.

The input is one line without control characters (`quoting.sanitize`), and so without the joiners
and selectors that make one picture of several characters: each emoji is shown by itself, two cells
wide, which every terminal does alike. A Chinese or Korean character is two cells wide, and a
combining mark has no width.
"""

import unicodedata
from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import Final

GAP: Final = "  "
ELLIPSIS: Final = "…"
MIN_COLUMN_WIDTH: Final = 8
"""Cells that a shrinkable column keeps; with fewer, nothing of a prompt could be seen."""
_JAMO: Final = (("\u1160", "\u11ff"), ("\ud7b0", "\ud7ff"))
"""Korean vowels and final consonants: they join the syllable before, as macOS writes file names."""
_WIDE: Final = 2
_CLOSING: Final = frozenset("、。，．！？；：）」』】》〉”’…ー")
"""What no line begins with."""
_OPENING: Final = frozenset("（「『【《〈“‘")
"""What no line ends with."""


def display_width(text: str) -> int:
    """The width of *text* in cells of a terminal."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if character.isascii():
        return 1
    joins = any(first <= character <= last for first, last in _JAMO)
    if joins or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return _WIDE if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def truncate(text: str, width: int) -> str:
    """*text* in at most *width* cells; an ellipsis replaces what is cut off, whole words.

    A single word that is too long is cut.
    """
    if display_width(text) <= width:
        return text
    fits = _characters_that_fit(text, width - 1)
    end = _last_break(text, 0, fits) or fits
    return text[:end].rstrip(" -") + ELLIPSIS


def _characters_that_fit(text: str, width: int, start: int = 0) -> int:
    """How many characters of *text*, from *start* on, fit into *width* cells."""
    remaining = width
    for index in range(start, len(text)):
        remaining -= _character_width(text[index])
        if remaining < 0:
            return index - start
    return len(text) - start


def _last_break(text: str, start: int, end: int) -> int:
    """The last place up to *end* where *text* may be broken; *start* if there is none."""
    return next((at for at in range(end, start, -1) if _may_break(text, at)), start)


def _may_break(text: str, at: int) -> bool:
    """Whether a line may end before the character *at*: at a space, or beside a wide character."""
    if at == len(text):
        return True
    before, after = text[at - 1], text[at]
    if before == " " or after == " ":
        return True
    widths = _character_width(before), _character_width(after)
    return _WIDE in widths and widths[1] > 0 and before not in _OPENING and after not in _CLOSING


def wrap_text(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width* cells, broken between words where there are any."""
    # Never with all that follows: a text from outside may have millions of characters.
    lines, start = list[str](), 0
    while start + (fits := _characters_that_fit(text, width, start)) < len(text):
        fits = max(1, fits)
        end = _last_break(text, start, start + fits)
        if end == start:
            end = start + fits
        lines.append(text[start:end].rstrip())
        start = end
        while start < len(text) and text[start].isspace():
            start += 1
    return [*lines, text[start:]]


def format_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    shrinkable: Collection[int] = (),
    wrapped: Collection[int] = (),
) -> list[str]:
    """A table in lines of at most *width* cells, as far as the columns allow; see `table_rows`."""
    blocks = table_rows(head, rows, width=width, shrinkable=shrinkable, wrapped=wrapped)
    return [line for block in blocks for line in block]


def format_named_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    wrapped: Collection[int] = (),
) -> list[str]:
    """The same; where that is too wide, the name in the first column has a line of its own."""
    lines = format_table(head, rows, width=width, wrapped=wrapped)
    if max(map(display_width, lines)) <= width:
        return lines
    nameless = [("", *rest) for _, *rest in (head, *rows)]
    blocks = table_rows(nameless[0], nameless[1:], width=width, wrapped=wrapped)
    names = [name for name, *_ in (head, *rows)]
    return [line for name, block in zip(names, blocks, strict=True) for line in (name, *block)]


def table_rows(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    shrinkable: Collection[int] = (),
    wrapped: Collection[int] = (),
) -> list[list[str]]:
    """The lines of the head and of each row.

    The texts of *shrinkable* columns are truncated as the width needs it; those of *wrapped* ones
    take several lines, and no word of them is torn. All other columns stay as they are.
    """
    all_rows = [head, *rows]
    columns = list(zip(*all_rows, strict=True))
    widths = [max(map(display_width, column)) for column in columns]
    least = {column: min(widths[column], MIN_COLUMN_WIDTH) for column in shrinkable}
    least |= {column: _longest_word(columns[column]) for column in wrapped}
    excess = table_width(widths) - width
    while excess > 0:
        roomy = [column for column, narrowest in least.items() if widths[column] > narrowest]
        if not roomy:
            break
        widths[max(roomy, key=widths.__getitem__)] -= 1
        excess -= 1
    return [_format_row(row, widths, wrapped) for row in all_rows]


def table_width(widths: Collection[int]) -> int:
    """The cells of a line whose columns have these widths."""
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _longest_word(texts: Sequence[str]) -> int:
    return max(display_width(word) for text in texts for word in text.split(" "))


def _format_row(row: Sequence[str], widths: Sequence[int], wrapped: Collection[int]) -> list[str]:
    cells = [
        wrap_text(text, width) if column in wrapped else [truncate(text, width)]
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return [GAP.join(map(pad, line, widths)).rstrip() for line in zip_longest(*cells, fillvalue="")]


def pad(text: str, width: int) -> str:
    """*text* with spaces after it, up to *width* cells."""
    return text + " " * (width - display_width(text))


def key_value_lines(rows: Sequence[tuple[str, str]], *, width: int) -> list[str]:
    """Names and values in two columns, the values wrapped in theirs."""
    name_width = max((display_width(name) for name, _ in rows), default=0)
    value_width = max(width - len(GAP) * 2 - name_width, MIN_COLUMN_WIDTH)
    lines = list[str]()
    for name, value in rows:
        first, *rest = wrap_text(value, value_width)
        lines.append(f"{GAP}{pad(name, name_width)}{GAP}{first}".rstrip())
        lines.extend(f"{GAP}{' ' * name_width}{GAP}{more}" for more in rest)
    return lines
