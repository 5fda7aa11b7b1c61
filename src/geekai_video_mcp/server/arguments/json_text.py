"""Lists and objects that callers write out as text. Pure.

Language models write the literals of Python as well, and the text in a block of code.
"""

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from geekai_video_mcp.quoting import has_hidden

MAX_INTEGER_BITS: Final = 64
"""Bits of an integer in `extra_body`, such as a seed: more are exact in no other language."""
MAX_EXTRA_DEPTH: Final = 16
"""Levels of lists and objects in `extra_body`: four times the deepest one documented."""
MAX_VALUES: Final = 2000
"""Values and names in one call's arguments, or in an argument that is JSON text: ten times those
of the largest request documented."""
_PYTHON: Final = re.compile(
    r"""'((?:[^'\\]|\\.?)*+)('|\Z)|("(?:[^"\\]|\\.?)*+(?:"|\Z))|\b(True|False|None)\b|,(?=\s*[\]}])""",
    re.DOTALL,
)
"""What Python writes in another way than JSON, and texts in which nothing of it counts."""
_JSON_WORDS: Final = {"True": "true", "False": "false", "None": "null"}


def reject_nul(text: str) -> str:
    """NUL is the one character that not every store and JSON writer accepts."""
    if "\0" in text:
        msg = "contains a NUL character; remove it"
        raise ValueError(msg)
    return text


def reject_hidden(text: str) -> str:
    if has_hidden(text):
        msg = "contains an invisible character; remove it"
        raise ValueError(msg)
    return text


def reject_surrogates(text: object) -> object:
    """Lone surrogates arrive as JSON escapes and cannot be encoded as UTF-8."""
    if isinstance(text, str) and any("\ud800" <= ch <= "\udfff" or ch == "\uffff" for ch in text):
        msg = "contains an unpaired surrogate (invalid Unicode); remove it"
        raise ValueError(msg)
    return text


def iterate_json(value: object) -> Iterator[tuple[object, int]]:
    """*value* and everything in it, names of members too, each with its level of nesting.

    Without recursion: the nesting comes from outside.
    """
    remaining: list[Iterator[tuple[object, int]]] = [iter([(value, 0)])]
    while remaining:
        for member, depth in remaining[-1]:
            yield member, depth
            if isinstance(member, Mapping):
                items = cast("Mapping[object, object]", member).items()
                inside = (part for item in items for part in item)
            elif isinstance(member, list):
                inside = iter(cast("list[object]", member))
            else:
                continue
            remaining.append(zip(inside, itertools.repeat(depth + 1)))
            break
        else:
            remaining.pop()


def _check_json(value: object) -> None:
    """Refuse, at every depth, values that some JSON readers do not accept."""
    for number, (member, depth) in enumerate(iterate_json(value), 1):
        msg = None
        if depth > MAX_EXTRA_DEPTH:
            msg = f"is nested more than {MAX_EXTRA_DEPTH} levels deep"
        elif number > MAX_VALUES:
            msg = f"has more than {MAX_VALUES:,} values"
        elif isinstance(member, str):
            reject_nul(cast("str", reject_surrogates(member)))
        elif isinstance(member, float) and not math.isfinite(member):
            msg = "contains NaN or Infinity, which JSON does not support"
        elif isinstance(member, int) and member.bit_length() > MAX_INTEGER_BITS:
            msg = f"contains an integer of more than {MAX_INTEGER_BITS} bits"
        if msg:
            raise ValueError(msg)


def validate_json(value: Any) -> Any:  # noqa: ANN401 - JSON has any shape
    _check_json(value)
    return value


def decode_json(value: object) -> object:
    """Decode a list or an object that the client has sent as JSON text."""
    if not isinstance(value, str):
        return value
    text = _without_code_block(value)
    if text.lstrip().startswith('"'):
        text = _unquote(text)
    if not text.lstrip().startswith(("[", "{")):
        return value
    try:
        return validate_json(_load_literal(text))
    except RecursionError:
        msg = f"is nested more than {MAX_EXTRA_DEPTH} levels deep"
        raise ValueError(msg) from None


def load_json(value: object) -> object:
    """The list or the object that a text is the JSON of; any other value as it is."""
    if not (isinstance(value, str) and value.lstrip().startswith(("{", "["))):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _without_code_block(text: str) -> str:
    """What stands between the two lines of a block of code, as in ```json."""
    stripped = text.strip()
    if not (stripped.startswith("```") and stripped.endswith("```")):
        return text
    inside = stripped[3:-3].lstrip()
    return inside.removeprefix("json").removeprefix("python")


def _unquote(text: str) -> str:
    """The text that a text of JSON is, as of what was encoded twice."""
    try:
        inside = json.loads(text)
    except ValueError:
        return text
    return inside if isinstance(inside, str) else text


def _load_literal(text: str) -> object:
    """The value that *text* is in JSON or in Python; the text itself if it is none."""
    for spelling in (text, _PYTHON.sub(_in_json, text)):
        try:
            return json.loads(spelling)
        except ValueError:
            continue
    return text


def _in_json(found: re.Match[str]) -> str:
    if found[2]:
        return json.dumps(found[1].replace("\\'", "'"))
    if found[2] is not None:  # the quotation mark is never closed, so that this is no Python
        return found[0]
    return found[3] or _JSON_WORDS.get(found[4] or "", "")
