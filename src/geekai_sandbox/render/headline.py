"""Splitting a prompt into a headline and a deck, and the largest size at which each fits.

It decides words, sizes and lines, not positions. Pure, except that fonts are measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from geekai_sandbox.render.lines import (
    ELLIPSIS,
    Measure,
    balance_lines,
    has_tall_marks,
    is_cjk,
    is_mostly_cjk,
    split_tokens,
    truncate,
    wrap_lines,
)
from geekai_sandbox.render.shaping import is_rtl, split_clusters
from geekai_sandbox.render.typesetter import Typesetter

MAX_CHARACTERS: Final = 700
"""More than fits in any frame at the smallest size; the metadata has the whole prompt."""

MAX_HEAD_WIDTH: Final = 60
"""Maximum width of a headline, in half-width characters."""

MIN_HEAD_WIDTH: Final = 8

TALL_SCRIPT_SPACING: Final = 1.42
"""Factor of the line spacing for scripts with marks above and below the letters."""

MIN_DECK_WIDTH: Final = 8

_STOPS: Final = frozenset("，。！？、；,.!?;:：—")
_EMPHATIC: Final = frozenset("！？!?")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Lines of one size in pixels; `spacing` is from baseline to baseline."""

    lines: list[str]
    size: int
    spacing: float

    @property
    def height(self) -> float:
        return len(self.lines) * self.spacing


@dataclass(frozen=True, slots=True)
class TextLimits:
    """The most that a block may take: width and height in pixels, and number of lines."""

    width: float
    height: float
    lines: int


def _count_half_widths(text: str) -> int:
    return sum(2 if is_cjk(c) else 1 for c in text)


def _stands_alone(head: str, rest: str) -> bool:
    width = _count_half_widths(head)
    if not MIN_HEAD_WIDTH <= width <= MAX_HEAD_WIDTH or _count_half_widths(rest) < MIN_DECK_WIDTH:
        return False
    return is_cjk(head[0]) or width >= 2 * MIN_HEAD_WIDTH or len(head.split()) > 2


def split_headline(text: str) -> tuple[str, str]:
    """Return the first clause and the rest; the whole text and "" if there is no headline."""
    if is_rtl(text):
        return text, ""  # its punctuation would be at the wrong end of a line
    for i, c in enumerate(text):
        following = text[i + 1 : i + 2]
        # Punctuation inside a word or number does not end a clause: 3.5, U.S., 12:30.
        if c not in _STOPS or (following.isalnum() and not is_cjk(c) and not is_cjk(following)):
            continue
        head, rest = text[:i].rstrip(), text[i + 1 :].strip()
        if _count_half_widths(head) > MAX_HEAD_WIDTH:
            break
        if _stands_alone(head, rest):
            return head + (c if c in _EMPHATIC else ""), rest
    return text, ""


def fit_text(
    typesetter: Typesetter,
    text: str,
    limits: TextLimits,
    sizes: list[int],
    *,
    cjk: float,
    other: float,
) -> TextBlock:
    """Return *text* at the largest of *sizes* that fits; truncated at the last if none does.

    `cjk` and `other` are line spacings, as factors of the size.
    """
    pieces = split_tokens(text)
    spacing = (
        cjk if is_mostly_cjk(text) else other * (TALL_SCRIPT_SPACING if has_tall_marks(text) else 1)
    )
    for size in sizes:
        lines = wrap_lines(
            pieces, limits.width, lambda piece, size=size: typesetter.estimate_width(piece, size)
        )
        widest = max((typesetter.estimate_width(line, size) for line in lines), default=0.0)
        max_lines = min(limits.lines, int(limits.height / (size * spacing)))
        if len(lines) <= max_lines and widest <= limits.width:
            break
    else:
        size = sizes[-1]

    def measure(piece: str) -> float:
        return typesetter.estimate_width(piece, size)

    max_lines = max(1, min(limits.lines, int(limits.height / (size * spacing))))
    unbroken = [part for piece in pieces for part in _split_word(piece, limits.width, measure)]
    lines = wrap_lines(unbroken, limits.width, measure)
    balanced = (
        balance_lines(unbroken, limits.width, measure)
        if len(lines) <= max_lines
        else truncate(lines, max_lines)
    )
    return TextBlock(_shorten_last_line(balanced, limits.width, measure), size, size * spacing)


def _split_word(piece: str, width: float, measure: Measure) -> list[str]:
    """Split a word that is wider than the frame at any character."""
    if measure(piece.rstrip()) <= width:
        return [piece]
    parts = [""]
    for cluster in split_clusters(piece):
        if parts[-1] and measure(parts[-1] + cluster) > width:
            parts.append("")
        parts[-1] += cluster
    return parts


def _shorten_last_line(lines: list[str], width: float, measure: Measure) -> list[str]:
    """Shorten a truncated last line until it fits with its ellipsis."""
    if not lines or measure(lines[-1]) <= width:
        return lines
    last = lines[-1].removesuffix(ELLIPSIS)
    while last and measure(last + ELLIPSIS) > width:
        last = last[:-1]
    return [*lines[:-1], last.rstrip() + ELLIPSIS]
