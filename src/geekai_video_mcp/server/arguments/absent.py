"""What a caller has left out, in the many spellings of nothing, and what hosts add. Pure.

This is the one place where nothing is recognized. It comes before validation and before the
fingerprint, so that `images: []` is the same request as one without `images`.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Final, cast

HOST_ADDITIONS: Final = frozenset(
    {
        "wait_for_previous",  # Gemini CLI, for every tool
        *("toolCallId", "sessionId", "action", "chatInput"),  # n8n
        "random_string",  # Cursor, for a tool without required arguments
        "_meta",
    }
)
"""Arguments that hosts add for themselves (observed 2026-11-26); they are ignored."""

_NOTHING: Final = frozenset({"", "null", "undefined", "none", "nil", "nan", "n/a"})
_AROUND: Final = {'"': '"', "'": "'", "`": "`", "<": ">", "(": ")", "[": "]", "{": "}"}
"""What may stand around a word for nothing, as in `<null>` and `['None']`: its two ends."""
_UNSUBSTITUTED: Final = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}")
"""A variable that a host should have filled in: ${user_config.x}, or {{x}}."""
_BEFORE: Final = frozenset({*_AROUND, "$"})
"""With what everything begins that is nothing and no plain word for it."""
_ZERO: Final = re.compile(r"0+(?:\.0+)?\s*(?:[a-z]+\.?)?", re.IGNORECASE)
"""Also with a unit, as in 0s."""
MAX_DEPTH: Final = 3
"""Levels of lists that may hold nothing."""
_JSON_OF_NOTHING_LIMIT: Final = 1000
"""Characters of a JSON text that may hold nothing but members that were left out."""


def drop_absent(
    arguments: Mapping[str, object],
    *,
    zero_is_absent: Collection[str],
    own_words: Mapping[str, Collection[str]],
) -> dict[str, object]:
    """What was given, without the spellings of nothing and without what the host added.

    *own_words* has the values of single arguments that look like nothing and are not, such as
    the "none" of `view`.
    """
    return {
        name: drop_absent_members(value)
        for name, value in arguments.items()
        if name not in HOST_ADDITIONS
        and (
            (isinstance(value, str) and value.strip() in own_words.get(name, ()))
            or not (is_absent(value) or (name in zero_is_absent and _is_zero(value)))
        )
    }


def is_absent(value: object, *, depth: int = 0) -> bool:
    """Whether *value* is a spelling of nothing. `false` and zero are not."""
    if value is None:
        return True
    if isinstance(value, str):
        return _is_absent_text(value.strip())
    if isinstance(value, list):
        # A list that is nested deeper is no spelling, and could be nested without end.
        return depth < MAX_DEPTH and all(
            is_absent(each, depth=depth + 1) for each in cast("list[object]", value)
        )
    return isinstance(value, dict) and not value


def drop_absent_members(value: object) -> object:
    """A list without the members that are nothing; an object is returned as it is."""
    if not isinstance(value, list):
        return value
    return [each for each in cast("list[object]", value) if not is_absent(each)]


def _is_absent_text(text: str) -> bool:
    if text[:1] not in _BEFORE:
        return text.casefold() in _NOTHING
    if _without_ends(text).casefold() in _NOTHING or _UNSUBSTITUTED.fullmatch(text):
        return True
    if not text.startswith("[") or len(text) > _JSON_OF_NOTHING_LIMIT:
        return False
    try:
        return is_absent(json.loads(text))
    except (ValueError, RecursionError):
        return False


def _without_ends(text: str) -> str:
    for _ in range(MAX_DEPTH):
        if len(text) > 1 and _AROUND.get(text[0]) == text[-1]:
            text = text[1:-1].strip()
    return text


def _is_zero(value: object) -> bool:
    if isinstance(value, str):
        return _ZERO.fullmatch(value.strip()) is not None
    return value == 0 and not isinstance(value, bool)
