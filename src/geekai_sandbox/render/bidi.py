"""The embedding levels of one line: the Unicode bidirectional algorithm, without explicit marks.

Rules W1 to W7, N0 to N2, I1 and I2 of https://www.unicode.org/reports/tr9/. Marks such as
LRE are neutral here: `normalize_text` has removed them. Pure.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_BRACKETS: Final = {"(": ")", "[": "]", "{": "}", "（": "）", "【": "】", "「": "」"}

_NUMBERS: Final = frozenset({"EN", "AN"})


def embedding_levels(text: str, *, rtl: bool) -> list[int]:
    """Return the level of each character; *rtl* is the direction of the paragraph."""
    base = "R" if rtl else "L"
    kinds = _resolve_weak(text, base)
    _resolve_brackets(text, kinds, base)
    _resolve_neutrals(kinds, base)
    levels = {"L": 2, "R": 1, "EN": 2, "AN": 2} if rtl else {"L": 0, "R": 1, "EN": 2, "AN": 2}
    return [levels[kind] for kind in kinds]


def _resolve_weak(text: str, base: str) -> list[str]:
    """Return L, R, EN, AN or N for each character: rules W1 to W7."""
    kinds: list[str] = []
    strong = base
    for c in text:
        kind = unicodedata.bidirectional(c)
        if kind == "NSM":
            kind = kinds[-1] if kinds else base
        if kind in ("L", "R", "AL"):
            strong = kind
        kinds.append("AN" if kind == "EN" and strong == "AL" else kind)
    kinds = ["R" if kind == "AL" else kind for kind in kinds]
    for i in range(1, len(kinds) - 1):
        before, kind, after = kinds[i - 1 : i + 2]
        if before == after and (
            (before == "EN" and kind in ("ES", "CS")) or (before, kind) == ("AN", "CS")
        ):
            kinds[i] = before
    _join_terminators(kinds)
    strong = base
    for i, kind in enumerate(kinds):
        if kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[i] = "L"
        elif kind not in _NUMBERS:
            kinds[i] = "N"
    return kinds


def _join_terminators(kinds: list[str]) -> None:
    """Make signs such as % and $ part of the European number beside them: rule W5."""
    for order in (range(1, len(kinds)), range(len(kinds) - 2, -1, -1)):
        step = order.step
        for i in order:
            if kinds[i] == "ET" and kinds[i - step] == "EN":
                kinds[i] = "EN"


def _resolve_brackets(text: str, kinds: list[str], base: str) -> None:
    """Give both brackets of a pair one direction: rule N0."""
    for first, last in _bracket_pairs(text, kinds):
        inside = {_strong(kind) for kind in kinds[first + 1 : last]} - {"N"}
        if base in inside:
            kinds[first] = kinds[last] = base
        elif inside:
            before = next((_strong(k) for k in reversed(kinds[:first]) if k != "N"), base)
            # What is inside is opposite to the paragraph, and counts if it goes on from before.
            kinds[first] = kinds[last] = before


def _bracket_pairs(text: str, kinds: list[str]) -> list[tuple[int, int]]:
    """Return the positions of matching neutral brackets, by the first one."""
    opened: list[tuple[str, int]] = []
    pairs: list[tuple[int, int]] = []
    for i, c in enumerate(text):
        if kinds[i] != "N":
            continue
        if c in _BRACKETS:
            opened.append((_BRACKETS[c], i))
            continue
        found = next((n for n in reversed(range(len(opened))) if opened[n][0] == c), None)
        if found is not None:
            pairs.append((opened[found][1], i))
            del opened[found:]
    return sorted(pairs)


def _resolve_neutrals(kinds: list[str], base: str) -> None:
    """Give a stretch of neutrals the direction of both sides, else the paragraph's: N1 and N2."""
    start = 0
    while start < len(kinds):
        if kinds[start] != "N":
            start += 1
            continue
        end = next((i for i in range(start, len(kinds)) if kinds[i] != "N"), len(kinds))
        before = _strong(kinds[start - 1]) if start else base
        after = _strong(kinds[end]) if end < len(kinds) else base
        kinds[start:end] = [before if before == after else base] * (end - start)
        start = end


def _strong(kind: str) -> str:
    """Return the direction of a resolved kind; numbers count as right-to-left here."""
    return "R" if kind in _NUMBERS else kind
