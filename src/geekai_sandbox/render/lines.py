"""Line breaking: kinsoku rules, Thai clusters, and lines of balanced length.

Pure: the width of a text is given by a function, so nothing here depends on a font. Lines
are balanced because a last line of a single character looks like a mistake.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

Measure = Callable[[str], float]

NO_START: Final = frozenset(
    "，。、；：？！）》】」』〉”’…—·ー々〜～,.;:?!)]}%％"
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ゛゜ゝゞ"
)
"""Characters that must not start a line."""

NO_END: Final = frozenset("（《【「『〈“‘([{")
"""Characters that must not end a line."""

_THAI_LEADING: Final = frozenset("เแโใไ")
_THAI_TRAILING: Final = frozenset("ะาำๆฯๅ")

_FULL_WIDTH: Final = dict(zip(",;:?!.()", "，；：？！。（）", strict=True))

_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")

BALANCE_STEPS: Final = 10
"""Steps of the binary search for the width, to a thousandth of it."""

ELLIPSIS: Final = "…"


def is_hangul(c: str) -> bool:
    return "\uac00" <= c <= "\ud7af" or "\u1100" <= c <= "\u11ff" or "\u3130" <= c <= "\u318f"


def is_cjk(c: str) -> bool:
    """Return whether *c* is full-width: Han, kana, Hangul and their punctuation."""
    return (
        is_hangul(c)
        or "\u2e80" <= c <= "\u9fff"
        or "\uf900" <= c <= "\ufaff"
        or "\ufe30" <= c <= "\ufe4f"
        or "\uff00" <= c <= "\uffef"
        or "\U00020000" <= c <= "\U0003ffff"
    )


def is_mostly_cjk(text: str) -> bool:
    letters = [c for c in text if not c.isspace()]
    return sum(map(is_cjk, letters)) > len(letters) * 0.4


def has_tall_marks(text: str) -> bool:
    """Return whether *text* has a script with tall marks: Arabic, Thai, Indic, Khmer."""
    return any("\u0600" <= c <= "\u109f" or "\u1780" <= c <= "\u17ff" for c in text)


def normalize_text(text: str) -> str:
    """Return *text* on one line: no controls, single spaces, Chinese punctuation full width."""
    # Controls cannot be drawn, and Cf has directional overrides, which could hide text.
    kept = "".join(" " if c.isspace() or unicodedata.category(c) == "Cc" else c for c in text)
    kept = "".join(
        c for c in kept if unicodedata.category(c) not in ("Cf", "Cs", "Cn", "Co") or c in _JOINERS
    )
    squeezed = unicodedata.normalize("NFC", " ".join(kept.split()))
    result: list[str] = []
    for i, c in enumerate(squeezed):
        before, after = (
            squeezed[i - 1] if i else "",
            squeezed[i + 1] if i + 1 < len(squeezed) else "",
        )
        if c in _FULL_WIDTH and _is_han(before) and (not after or after == " " or _is_han(after)):
            result.append(_FULL_WIDTH[c])
        elif not (c == " " and result and _is_han(result[-1]) and _is_han(after)):
            result.append(c)
    return "".join(result)


def _is_han(c: str) -> bool:
    return bool(c) and is_cjk(c) and not is_hangul(c)


def _is_thai(c: str) -> bool:
    return "\u0e01" <= c <= "\u0e4f"


def _may_not_break(before: str, c: str) -> bool:
    """Return whether a line must not break between *before* and *c*."""
    if c in NO_START or before in NO_END:
        return True
    if c in _JOINERS or before == "\u200d" or unicodedata.category(c) in ("Mn", "Mc", "Me"):
        return True
    if "\U0001f3fb" <= c <= "\U0001f3ff":  # skin tones
        return True
    if _is_thai(before) and _is_thai(c):
        return before in _THAI_LEADING or c in _THAI_TRAILING
    return not (_allows_break(before) or _allows_break(c))


def _allows_break(c: str) -> bool:
    """Return whether a line may break on either side of *c* without a space."""
    return _is_han(c) or _is_thai(c) or unicodedata.category(c) == "So"


def split_tokens(text: str) -> list[str]:
    """Split *text* into pieces that must not be broken; a space ends the piece before it."""
    pieces: list[str] = []
    for c in text:
        if pieces and (c == " " or (pieces[-1][-1] != " " and _may_not_break(pieces[-1][-1], c))):
            pieces[-1] += c
        else:
            pieces.append(c)
    return pieces


def wrap_lines(pieces: list[str], width: float, measure: Measure) -> list[str]:
    """Fill each line up to *width*; a wider piece gets a line of its own."""
    lines: list[str] = []
    line, used = "", 0.0
    for piece in pieces:
        bare, full = measure(piece.rstrip()), measure(piece)
        if line and used + bare > width:
            lines.append(line.rstrip())
            line, used = "", 0.0
        line, used = line + piece, used + full
    return [*lines, line.rstrip()] if line.strip() else lines


def balance_lines(pieces: list[str], width: float, measure: Measure) -> list[str]:
    """Return the fewest lines that *width* allows, with lengths as equal as possible."""
    lines = wrap_lines(pieces, width, measure)
    low, high = 0.0, width
    for _ in range(BALANCE_STEPS if len(lines) > 1 else 0):
        middle = (low + high) / 2
        tried = wrap_lines(pieces, middle, measure)
        if len(tried) <= len(lines) and max(map(measure, tried)) <= width:
            high = middle
        else:
            low = middle
    return wrap_lines(pieces, high, measure)


def truncate(lines: list[str], at_most: int) -> list[str]:
    """Return the first *at_most* lines, the last with an ellipsis if any were removed."""
    if len(lines) <= at_most:
        return lines
    last = lines[at_most - 1].rstrip("，。、,. ")
    return [*lines[: at_most - 1], last + ELLIPSIS]
