"""The names of the settings, and names that look like one and are none."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from geekai_video_mcp.quoting import quote

KEY: Final = "GEEKAI_API_KEY"
KEY_FILE: Final = "GEEKAI_API_KEY_FILE"
BASE_URL: Final = "GEEKAI_BASE_URL"
_PREFIX: Final = "GEEKAI"
_COMMON_WORDS: Final = frozenset({"GEEKAI", "DIR", "DIRS", "MAX", "IN", "FILE"})
_MEANT: Final[Mapping[str, str]] = {
    "CONFIG": "GEEKAI_SETTINGS_FILE",
    "CONFIGFILE": "GEEKAI_SETTINGS_FILE",
    "APIKEYPATH": "GEEKAI_API_KEY_FILE",
    "TOKEN": "GEEKAI_API_KEY",
    "APITOKEN": "GEEKAI_API_KEY",
    "ENDPOINT": "GEEKAI_BASE_URL",
    "HOST": "GEEKAI_BASE_URL",
}
"""Other programs' words for what these settings are, without the prefix."""


def describe_unknown_variables(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each environment variable that looks like one of ours and is none."""
    known = list(known)
    ours = (name for name in sorted(names) if fold_name(name).startswith(_PREFIX))
    return [_describe(name, known) for name in ours if name not in known]


def describe_unknown_entry(name: str, known: Iterable[str]) -> str:
    """The sentence about an entry of the settings file that is no setting."""
    return _describe(name, list(known))


def _describe(name: str, known: list[str]) -> str:
    nearest = find_nearest(name, known)
    meant = f"; did you mean {nearest}?" if nearest else "."
    return f"{quote(name, limit=64)} is not a setting of this server{meant}"


def find_nearest(name: str, known: list[str]) -> str | None:
    """The setting that *name* may be meant for; its prefix may be missing."""
    word = fold_name(name).removeprefix(_PREFIX)
    likeness = 0.7 if fold_name(name).startswith(_PREFIX) else 0.85  # the prefix itself is alike
    if word in _MEANT:
        return _MEANT[word]
    folded = {fold_name(other): other for other in known}
    close = difflib.get_close_matches(f"{_PREFIX}{word}", folded, n=1, cutoff=likeness)
    shared = [other for other in known if _shares_word(name, other)]
    return next(iter([*(folded[one] for one in close), *shared]), None)


def fold_name(name: str) -> str:
    return name.upper().replace("_", "").replace("-", "").replace(" ", "").replace(".", "")


def _shares_word(name: str, known: str) -> bool:
    """Whether both names have a word of our own in common, such as OUTPUT."""
    return bool(set(name.upper().split("_")) & set(known.split("_")) - _COMMON_WORDS)
