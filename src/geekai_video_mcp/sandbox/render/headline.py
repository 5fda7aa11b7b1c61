"""A prompt as a headline and a deck, and the largest size at which each fits.

Pure but for measuring: it decides words, sizes and lines, never places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from geekai_video_mcp.sandbox.render.lines import (
    ELLIPSIS,
    Measure,
    balance,
    clipped,
    is_cjk,
    mostly_cjk,
    stands_tall,
    tokens,
    wrap,
)
from geekai_video_mcp.sandbox.render.shaping import clusters, is_rtl
from geekai_video_mcp.sandbox.render.typesetter import Typesetter

MOST_CHARACTERS: Final = 700
"""More than any frame holds at the smallest size; the rest is in the file's metadata."""

LONGEST_HEAD: Final = 60
"""Widest first clause that still reads as a headline, in half-width characters."""

SHORTEST_HEAD: Final = 8

TALL_SCRIPTS: Final = 1.42
"""Line spacing where marks stand above and below the letters, beside that of Latin."""

SHORTEST_DECK: Final = 8

_STOPS: Final = frozenset("，。！？、；,.!?;:：—")
_EMPHATIC: Final = frozenset("！？!?")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines at one size in pixels; `spacing` is from baseline to baseline."""

    lines: list[str]
    size: int
    spacing: float

    @property
    def height(self) -> float:
        return len(self.lines) * self.spacing


@dataclass(frozen=True, slots=True)
class Room:
    """What a block may take: pixels, and how many lines."""

    width: float
    height: float
    lines: int


def _half_widths(text: str) -> int:
    return sum(2 if is_cjk(c) else 1 for c in text)


def _stands_alone(head: str, rest: str) -> bool:
    wide = _half_widths(head)
    if not SHORTEST_HEAD <= wide <= LONGEST_HEAD or _half_widths(rest) < SHORTEST_DECK:
        return False
    return is_cjk(head[0]) or wide >= 2 * SHORTEST_HEAD or len(head.split()) > 2


def split(text: str) -> tuple[str, str]:
    """Return the first clause and the rest; all and nothing when it cannot stand alone."""
    if is_rtl(text):
        return text, ""  # its punctuation would be stranded at the wrong end of a line
    for i, c in enumerate(text):
        following = text[i + 1 : i + 2]
        # A stop inside a word or number is no stop: 3.5, U.S., 12:30.
        if c not in _STOPS or (following.isalnum() and not is_cjk(c) and not is_cjk(following)):
            continue
        head, rest = text[:i].rstrip(), text[i + 1 :].strip()
        if _half_widths(head) > LONGEST_HEAD:
            break
        if _stands_alone(head, rest):
            return head + (c if c in _EMPHATIC else ""), rest
    return text, ""


def fit(
    setter: Typesetter, text: str, room: Room, sizes: list[int], *, cjk: float, other: float
) -> Block:
    """Return *text* at the largest of *sizes* that fits; clipped at the last if none does.

    `cjk` and `other` are line spacings, in sizes.
    """
    pieces = tokens(text)
    spacing = cjk if mostly_cjk(text) else other * (TALL_SCRIPTS if stands_tall(text) else 1)
    for size in sizes:
        lines = wrap(pieces, room.width, lambda piece, size=size: setter.measure(piece, size))
        widest = max((setter.measure(line, size) for line in lines), default=0.0)
        most = min(room.lines, int(room.height / (size * spacing)))
        if len(lines) <= most and widest <= room.width:
            break
    else:
        size = sizes[-1]

    def measure(piece: str) -> float:
        return setter.measure(piece, size)

    most = max(1, min(room.lines, int(room.height / (size * spacing))))
    unbroken = [part for piece in pieces for part in _chopped(piece, room.width, measure)]
    lines = wrap(unbroken, room.width, measure)
    even = balance(unbroken, room.width, measure) if len(lines) <= most else clipped(lines, most)
    return Block(_within(even, room.width, measure), size, size * spacing)


def _chopped(piece: str, width: float, measure: Measure) -> list[str]:
    """Cut a word that is wider than the frame; there is no good place, so anywhere."""
    if measure(piece.rstrip()) <= width:
        return [piece]
    parts = [""]
    for cluster in clusters(piece):
        if parts[-1] and measure(parts[-1] + cluster) > width:
            parts.append("")
        parts[-1] += cluster
    return parts


def _within(lines: list[str], width: float, measure: Measure) -> list[str]:
    """Shorten a clipped last line until its ellipsis fits too."""
    if not lines or measure(lines[-1]) <= width:
        return lines
    last = lines[-1].removesuffix(ELLIPSIS)
    while last and measure(last + ELLIPSIS) > width:
        last = last[:-1]
    return [*lines[:-1], last.rstrip() + ELLIPSIS]
