"""A prompt as a headline and a deck, and the largest size at which each fits.

Pure but for measuring: it decides words, sizes and lines, never places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from geekai_video_mcp.sandbox.render.lines import (
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
from geekai_video_mcp.sandbox.render.shaping import is_rtl, split_clusters
from geekai_video_mcp.sandbox.render.typesetter import Typesetter

MAX_CHARACTERS: Final = 700
"""More than any frame holds at the smallest size; the rest is in the file's metadata."""

MAX_HEAD_WIDTH: Final = 60
"""Widest first clause that still reads as a headline, in half-width characters."""

MIN_HEAD_WIDTH: Final = 8

TALL_SCRIPT_SPACING: Final = 1.42
"""Line spacing where marks stand above and below the letters, beside that of Latin."""

MIN_DECK_WIDTH: Final = 8

_STOPS: Final = frozenset("，。！？、；,.!?;:：—")
_EMPHATIC: Final = frozenset("！？!?")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Lines at one size in pixels; `spacing` is from baseline to baseline."""

    lines: list[str]
    size: int
    spacing: float

    @property
    def height(self) -> float:
        return len(self.lines) * self.spacing


@dataclass(frozen=True, slots=True)
class TextLimits:
    """What a block may take: pixels, and how many lines."""

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
    """Return the first clause and the rest; all and nothing when it cannot stand alone."""
    if is_rtl(text):
        return text, ""  # its punctuation would be stranded at the wrong end of a line
    for i, c in enumerate(text):
        following = text[i + 1 : i + 2]
        # A stop inside a word or number is no stop: 3.5, U.S., 12:30.
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
    """Return *text* at the largest of *sizes* that fits; clipped at the last if none does.

    `cjk` and `other` are line spacings, in sizes.
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
    """Cut a word that is wider than the frame; there is no good place, so anywhere."""
    if measure(piece.rstrip()) <= width:
        return [piece]
    parts = [""]
    for cluster in split_clusters(piece):
        if parts[-1] and measure(parts[-1] + cluster) > width:
            parts.append("")
        parts[-1] += cluster
    return parts


def _shorten_last_line(lines: list[str], width: float, measure: Measure) -> list[str]:
    """Shorten a clipped last line until its ellipsis fits too."""
    if not lines or measure(lines[-1]) <= width:
        return lines
    last = lines[-1].removesuffix(ELLIPSIS)
    while last and measure(last + ELLIPSIS) > width:
        last = last[:-1]
    return [*lines[:-1], last.rstrip() + ELLIPSIS]
