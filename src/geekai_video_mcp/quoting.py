"""Text from outside, as it may be shown: as data, in one line, with nothing invisible in it.

What comes from a service, a host, a file or a person is never a template, and never looks like a
sentence of ours.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, cast

QUOTE_LIMIT: Final = 300
"""Characters of outside text that a message repeats: enough for every error message seen so far."""


def quote(text: str, *, limit: int = QUOTE_LIMIT) -> str:
    """Text from outside as data: one line, visible characters only, capped, in quotes."""
    # A quotation mark inside would end the quotation, and the rest would look like our own text.
    inside = sanitize(text, limit=limit).replace('"', "'")
    return f'"{inside}"'


def sanitize(text: str, *, limit: int = QUOTE_LIMIT) -> str:
    """Text from outside in one line, without control, bidi, zero-width or surrogate characters.

    ANSI sequences lose their escape character, and so their effect.
    """
    raw = text[: limit * 4]
    if not raw.isascii():
        raw = _INVISIBLE.sub("", raw)
    if not raw.isprintable() or "  " in raw:  # rare, and a look at each character takes long
        shown = "".join(" " if unicodedata.category(ch) in _HIDDEN else ch for ch in raw)
        raw = " ".join(shown.split())
    line = raw.strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def is_plain_id(text: str) -> bool:
    """Whether text from outside looks like an id or a name of a service."""
    return _PLAIN_ID.fullmatch(text) is not None


def quote_unless_id(text: str, *, limit: int = QUOTE_LIMIT) -> str:
    """Text from outside that should be an id or a name: as it is if it looks like one."""
    return text if is_plain_id(text) else quote(text, limit=limit)


def reveal(text: str) -> str:
    """*text* with each invisible character written as its JSON escape; new lines and tabs stay.

    So nothing is lost, and nothing takes effect.
    """
    return "".join(map(_escape_hidden, text)) if has_hidden(text) else text


def reveal_json(value: object) -> object:
    """A JSON value with every text and every name in it passed through `reveal`."""
    if isinstance(value, str):
        return reveal(value)
    if isinstance(value, list):
        return [reveal_json(each) for each in cast("list[object]", value)]
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {reveal(name): reveal_json(member) for name, member in members.items()}
    return value


def hide_folders(text: str) -> str:
    """*text*, a sentence of ours, with the last part alone of each path that it quotes.

    For callers on another machine: how the disk of this one is laid out is not their business.
    """
    return _QUOTED_PATH.sub(r'"\g<name>"', text)


def has_hidden(text: str) -> bool:
    """Whether *text* has invisible characters beside new lines and tabs."""
    line = text.replace("\n", " ").replace("\t", " ")
    if line.isascii() and line.isprintable():  # nearly every text, and much faster
        return False
    return any(map(is_hidden, set(line)))


def is_hidden(character: str) -> bool:
    """Whether a character is invisible, or moves or hides others."""
    return unicodedata.category(character) in _HIDDEN or _INVISIBLE.match(character) is not None


def _escape_hidden(character: str) -> str:
    if character in "\n\t" or not is_hidden(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def as_sentence(text: str) -> str:
    """The text with a full stop at its end, unless it already ends a sentence."""
    return text if text.endswith((".", "!", "?", "。", '."', "…")) else f"{text}."


_INVISIBLE: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)
"""Variation selectors, joiners and fillers: invisible, in the category of visible marks and
letters, and able to hide a text."""
_QUOTED_PATH: Final = re.compile(
    r'"(?:/|[A-Za-z]:[\\/]|\\\\)(?:[^"]*[\\/])?(?P<name>[^"\\/]*)[\\/]?"'
)
"""An absolute path, of any system, as `quote` writes it."""
_PLAIN_ID: Final = re.compile(r"[\w.:/@+-]{1,64}", re.ASCII)
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, format (bidi, zero-width), surrogates, private, unassigned, line and paragraph
separators. `str.isprintable` is false for each of them, and for spaces other than U+0020."""
