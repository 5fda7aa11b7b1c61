"""Choice of a mood by the words of a prompt: place, hour and weather, each read by itself.

It only has to be right for obvious prompts. Where no word names a place, the mood is a
neutral backdrop: any landscape would be an invention. Pure.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from geekai_sandbox.render.moods import BACKDROP, MOUNTAINS, PLACES, name_mood
from geekai_sandbox.render.scene_words import NO_MEANING, WORDS

_LIGHTS: Final = frozenset({"aurora", "night", "dusk", "day"})
_WEATHERS: Final = ("snow", "grey")
_INDOORS: Final = "indoors"
_SKY: Final = "sky"
_SCENES: Final = frozenset({*PLACES, _INDOORS, _SKY})

_UNSPACED: Final = re.compile(r"[\u0E00-\u0E7F\u3040-\u30FF\u3400-\u9FFF\uAC00-\uD7AF]+")

_NEGATION: Final = re.compile(
    r"(?:(?<!\w)(?:no|not|without|never|kein|keine|ohne|sans|sin|senza|sem|без|não)"
    r"(?:[\s-]+(?:a|an|any|the|un|una))?[\s-]+|(?:没有|沒有|无|無|不是)\s*)\Z"
)

_REACH: Final = 24
"""Characters before a word in which a negation is looked for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of a prompt say; None where they say nothing."""

    place: str | None
    light: str | None
    weather: str | None


def choose_mood(prompt: str) -> str:
    """Return the name of the mood that *prompt* describes."""
    reading = read_scene(prompt)
    place, weather = reading.place, reading.weather
    if place == _INDOORS:
        place = BACKDROP
    elif place == _SKY or (place is None and weather and "snow" in weather):
        place = MOUNTAINS
    elif place is None and reading.light == "aurora":
        place = "forest"
    return name_mood(place or BACKDROP, light=reading.light, weather=weather)


def read_scene(prompt: str) -> Reading:
    """Return the place, the light and the weather that *prompt* names most often."""
    meanings = [meaning for key in _find_keys(_normalize(prompt)) for meaning in key.split()]
    weather = "-".join(kind for kind in _WEATHERS if kind in meanings) or None
    if weather is None and "~grey" in meanings and "day" not in meanings:
        weather = "grey"  # sunlight through mist is not a grey day
    return Reading(_choose_place(meanings), _choose_meaning(meanings, _LIGHTS), weather)


def _choose_place(meanings: list[str]) -> str | None:
    # A sunset over a city is a city: the sky is everywhere.
    named = _choose_meaning(meanings, _SCENES - {_SKY})
    if named is not None:
        return named
    hints = [meaning.removeprefix("~") for meaning in meanings if meaning.startswith("~")]
    if _INDOORS in hints:
        return _INDOORS
    return _choose_meaning(hints, _SCENES - {_SKY}) or (
        _SKY if _SKY in meanings or _SKY in hints else None
    )


def _choose_meaning(meanings: list[str], wanted: frozenset[str]) -> str | None:
    """Return the most frequent of *wanted*, the first one in a tie; None if there is none."""
    counts = Counter(meaning for meaning in meanings if meaning in wanted)
    return counts.most_common(1)[0][0] if counts else None


def _normalize(prompt: str) -> str:
    text = unicodedata.normalize("NFKC", prompt).casefold()
    # Spaces, so that a word beside Chinese has an end.
    return _UNSPACED.sub(r" \g<0> ", text)


def _find_keys(text: str) -> Iterator[str]:
    """Yield the key of WORDS of each word of *text*; the longest keyword at a place wins."""
    keywords, at = _compile_keywords(), 0
    while at < len(text):
        found = (
            (key, match.end())
            for key, pattern in keywords.get(text[at], ())
            if (match := pattern.match(text, at))
        )
        key, end = next(found, (NO_MEANING, at + 1))
        if key != NO_MEANING and not _NEGATION.search(text, max(0, at - _REACH), at):
            yield key
        at = end


@functools.lru_cache(maxsize=1)
def _compile_keywords() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return keys and patterns of all keywords by first character, the longest ones first."""
    keywords = [(keyword, key) for key, words in WORDS.items() for keyword in words.split()]
    compiled: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for keyword, key in sorted(keywords, key=lambda pair: len(pair[0]), reverse=True):
        text = unicodedata.normalize("NFKC", keyword).casefold()
        compiled.setdefault(text[0], []).append((key, _compile_keyword(text)))
    return compiled


def _compile_keyword(keyword: str) -> re.Pattern[str]:
    pattern = re.escape(keyword).replace("_", r"[\W_]+")
    return re.compile(pattern if _UNSPACED.match(keyword) else rf"(?<!\w){pattern}(?!\w)")
