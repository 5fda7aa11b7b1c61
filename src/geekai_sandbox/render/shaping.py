"""Right-to-left text without a shaping library: joined Arabic letters and visual order.

Pillow's wheels need FriBiDi from the system (slim containers, Windows and most Macs have
none), so it may be missing. The order is always computed here; letters are joined here
only when Raqm is missing. Everything is derived from `unicodedata`.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from dataclasses import dataclass
from typing import Final

from geekai_sandbox.render.bidi import embedding_levels

TATWEEL: Final = "\u0640"

_MIRRORED: Final = str.maketrans("()[]{}<>«»", ")(][}{><»«")

_PRESENTATION_FORMS: Final = (
    range(0xFE80, 0xFEFD),
    range(0xFB50, 0xFBB2),
    range(0xFBD3, 0xFC00),
)
"""Forms B (Arabic, with lam-alef), then the letters of forms A: Persian, Urdu and others."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters of one direction, in reading order."""

    text: str
    rtl: bool


def is_rtl(text: str) -> bool:
    """Return whether the first letter with a direction is right-to-left."""
    kinds = (unicodedata.bidirectional(c) for c in text)
    return next((kind in ("R", "AL") for kind in kinds if kind in ("R", "AL", "L")), False)


def split_by_direction(text: str, *, rtl: bool | None = None) -> list[Segment]:
    """Split *text* by direction, in visual order from the left.

    *rtl* is the direction of the paragraph that *text* is a line of; if None, its own.
    """
    levels = embedding_levels(text, rtl=is_rtl(text) if rtl is None else rtl)
    runs = [
        (level, "".join(c for c, _ in group))
        for level, group in itertools.groupby(
            zip(text, levels, strict=True), key=lambda pair: pair[1]
        )
    ]
    # Rule L2 of the bidirectional algorithm for whole runs: reverse from the highest level down.
    for depth in range(max(levels, default=0), 0, -1):
        runs = _reverse_levels(runs, depth)
    return [Segment(run, rtl=bool(level % 2)) for level, run in runs]


def _reverse_levels(runs: list[tuple[int, str]], depth: int) -> list[tuple[int, str]]:
    result: list[tuple[int, str]] = []
    for deep, group in itertools.groupby(runs, key=lambda run: run[0] >= depth):
        stretch = list(group)
        result += reversed(stretch) if deep else stretch
    return result


def split_clusters(text: str) -> list[str]:
    """Split *text* into characters with their combining marks."""
    found: list[str] = []
    for c in text:
        if found and unicodedata.combining(c):
            found[-1] += c
        else:
            found.append(c)
    return found


def visual_order(text: str) -> str:
    """Return a right-to-left run from the left: letters joined, reversed, brackets mirrored."""
    return "".join(reversed(split_clusters(shape_arabic(text)))).translate(_MIRRORED)


@functools.lru_cache(maxsize=1)
def _presentation_forms() -> dict[str, dict[str, str]]:
    """Map a letter, or lam-alef, to its forms: isolated, final, initial, medial."""
    forms: dict[str, dict[str, str]] = {}
    for code in itertools.chain(*_PRESENTATION_FORMS):
        kind, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        if kind in ("<isolated>", "<final>", "<initial>", "<medial>"):
            source = "".join(chr(int(letter, 16)) for letter in letters)
            forms.setdefault(source, {}).setdefault(kind[1:-1], chr(code))
    return forms


def _joins_before(character: str) -> bool:
    return character == TATWEEL or "final" in _presentation_forms().get(character, {})


def _joins_after(character: str) -> bool:
    return character == TATWEEL or "initial" in _presentation_forms().get(character, {})


def shape_arabic(text: str) -> str:
    """Return *text* with each Arabic letter in the form that its neighbours require."""
    result: list[str] = []
    open_before = False
    units = _split_letters(text)
    bases = [unit[0] for unit in units]
    for i, (letter, marks) in enumerate(zip(bases, (unit[1] for unit in units), strict=True)):
        forms = _presentation_forms().get(letter, {})
        following = bases[i + 1][0] if i + 1 < len(bases) else ""
        open_after = len(letter) == 1 and _joins_after(letter) and _joins_before(following)
        before = open_before and _joins_before(letter)
        kind = {(True, True): "medial", (True, False): "final", (False, True): "initial"}
        form = kind.get((before, open_after), "isolated")
        result.append(forms.get(form, forms.get("isolated", letter)) + marks)
        open_before = open_after
    return "".join(result)


def _split_letters(text: str) -> list[tuple[str, str]]:
    """Return pairs of a letter (lam-alef counts as one) and its combining marks."""
    units: list[tuple[str, str]] = []
    for cluster in split_clusters(text):
        letter, marks = cluster[0], cluster[1:]
        if units and units[-1][0] == "\u0644" and units[-1][0] + letter in _presentation_forms():
            units[-1] = (units[-1][0] + letter, units[-1][1] + marks)
        else:
            units.append((letter, marks))
    return units
