"""Which model a name means, and which ids come nearest to a name that means none. Pure.

Another model than the one that was meant would be paid for. So a name is an id only if both say
the same words and the same versions, and a word that is not known counts: "Kling 2.6 lite" is no
way to write kling-video-v2-6. Which words say nothing is in `models.toml`.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from geekai_video_mcp.domain.catalogue.availability import similarity
from geekai_video_mcp.domain.catalogue.capabilities import (
    MEDIA_INPUTS,
    makes_video,
    needs,
    takes,
)
from geekai_video_mcp.domain.catalogue.conditions import is_given
from geekai_video_mcp.domain.catalogue.facts import first_in_lists, models, name_words
from geekai_video_mcp.domain.catalogue.versions import (
    Version,
    parse_version,
    short_versions,
    trimmed,
)
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL
from geekai_video_mcp.quoting import quote

MAX_SUGGESTIONS: Final = 3
MAX_NAME: Final = 64
"""Characters of a name that can be an id's: the longest id has thirty."""
CLOSE_SIMILARITY: Final = 0.6
"""Similarity from 0 to 1, as difflib measures it, from which a name may be a typing mistake:
klin-video-v1-6 for kling-video-v1-6 has 0.97."""

_MODE: Final = r"[a-z]{1,2}2v"
"""What a model makes videos from, as ids say it: t2v is "text to video"."""
_PIECE: Final = re.compile(
    rf"(?P<mode>(?<![a-z]){_MODE}(?![a-z0-9]))"
    r"|(?P<version>(?:(?<![a-z])v)?(?<![0-9])[0-9]{1,2}(?:[._-][0-9]{1,2})*(?![0-9]))"
    r"|(?P<number>[0-9]+)"
    r"|(?P<letters>[a-z]+?(?=v?[0-9]|[^a-z]|$))"
    r"""|(?P<separator>[\s_.:/,()\[\]"'“”‘’「」《》·-]+)"""
    r"|(?P<other>[^\W\d_a-z]+|.)"
)
_QUOTES: Final = "\"'“”‘’「」《》 "
_SNAPSHOT: Final = re.compile(r"(?:20)?2\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
"""The day of a release, as in seedance-1-0-pro-250528: the same model."""
_RELEASE: Final = re.compile(r"0\d\d")
"""The number of a release, as in veo-3.0-generate-001."""


@dataclass(frozen=True, kw_only=True)
class _Name:
    """What a name says."""

    said: tuple[str, ...]
    """All of its words, in order."""
    words: frozenset[str]
    """Those that tell one model from another."""
    versions: frozenset[Version]
    optional: frozenset[str]
    """What may be left out of a name."""

    @property
    def has_mode(self) -> bool:
        """Whether it says what the video is made from."""
        return any(re.fullmatch(_MODE, word) for word in self.words)

    @property
    def is_specific(self) -> bool:
        """Whether it says more than a brand, or a version alone."""
        return bool(self.words) and len(self.words) + len(self.versions) > 1


def resolve_model(
    name: str, request: Mapping[str, Any] | None, *, among: Iterable[str]
) -> str | None:
    """The one id of *among* that *name* clearly means; None if there is none, or not only one.

    Where ids differ only in what a video is made from, the media of *request* choose; without a
    request, nothing does.
    """
    ids = tuple(among)
    if name in ids:
        return name
    if len(name) > MAX_NAME:
        return None
    spelled = [one for one in ids if _spelling(one) == _spelling(name)]
    if spelled:
        return _single(spelled)
    return _find_by_words(_read_name(name), request, ids)


def _find_by_words(
    written: _Name, request: Mapping[str, Any] | None, ids: Sequence[str]
) -> str | None:
    if not written.is_specific:
        return None
    same = [one for one in ids if _means(written, one, written.words)]
    if same or written.has_mode or request is None:
        return _single(same)
    for mode in _modes_for(request):
        words = written.words | {mode}
        if suited := [one for one in ids if _means(written, one, words) and _suits(one, request)]:
            return _single(suited)
    return None


def nearest_models(name: str, among: Iterable[str] = ()) -> list[str]:
    """The ids nearest to *name*, best first, from *among* or from those described here.

    First those of the family that it names, by its version and its other words, and then in the
    order of lists; a name of no family is taken for a typing mistake.
    """
    return sorted(among or models(), key=_ranking(name))[:MAX_SUGGESTIONS]


def unknown_model_message(name: str, among: Iterable[str] = ()) -> str:
    """The message for a model id that is not known, with the nearest ids."""
    if name == SANDBOX_MODEL:
        return f'"{name}" is the preview model of the sandbox, and not a model of GeekAI'
    nearest = nearest_models(name, tuple(among))
    unknown, listed = f"unknown model {quote(name, limit=MAX_NAME)}", ", ".join(nearest)
    if _ranking(name)(nearest[0])[0] == _UNLIKE:
        return f"{unknown}, and none has a name like it; models to begin with are {listed}"
    return f"{unknown}; the closest are {listed}"


_OF_FAMILY: Final = 0
_SIMILAR: Final = 1
_UNLIKE: Final = 2


def _ranking(name: str) -> Callable[[str], tuple[float, ...]]:
    """The key by which ids are sorted as the nearest ones to *name*."""
    written, places = _read_name(name), {one: at for at, one in enumerate(first_in_lists())}

    def rank(one: str) -> tuple[float, ...]:
        place, alike = (
            places.get(one, len(places)),
            similarity(name[: 2 * MAX_NAME].casefold(), one.casefold()),
        )
        if not _family_of(one) & set(written.said):
            close = alike >= CLOSE_SIMILARITY
            return (_SIMILAR, -alike, place) if close else (_UNLIKE, place)
        versions = frozenset[Version]().union(*_version_readings(one))
        return (
            _OF_FAMILY,
            _distance(written.versions, versions),
            -len(written.words & _read_name(one).words),
            place,
            -max(map(_as_number, versions), default=0.0),
            -alike,
        )

    return rank


def _single(ids: list[str]) -> str | None:
    return ids[0] if len(ids) == 1 else None


def _normalize(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _spelling(name: str) -> str:
    """The name without case and separators; between digits, one remains: 3.1 is not 31."""
    plain = _normalize(name).strip(_QUOTES)
    plain = re.sub(r"(?<=\d)[\s._-]+(?=\d)", "~", plain)
    return re.sub(r"[\s._-]+", "", plain)


@lru_cache(maxsize=1024)
def _read_name(name: str) -> _Name:
    known = name_words()
    said, versions, releases = list[str](), set[Version](), set[str]()
    text = _normalize(name[: 2 * MAX_NAME])
    for word in sorted(known.same, key=len, reverse=True):
        if not word.isascii():  # Chinese words are not set apart
            text = text.replace(word, f" {known.same[word]} ")
    for piece in _PIECE.finditer(text):
        written = piece.group()
        if piece.lastgroup == "version":
            versions.add(trimmed(parse_version(written.removeprefix("v"))))
        elif piece.lastgroup == "number" and _RELEASE.fullmatch(written):
            releases.add(written)
        elif piece.lastgroup != "separator" and not (
            piece.lastgroup == "number" and _SNAPSHOT.fullmatch(written)
        ):
            said += known.same.get(written, written).split()
    beside = known.beside_a_version if versions else frozenset[str]()
    words = frozenset(said) - known.filler - known.makers - beside
    return _Name(
        said=tuple(said),
        words=words - known.optional,
        versions=frozenset(versions),
        optional=(words & known.optional) | releases,
    )


def _means(written: _Name, one: str, words: frozenset[str]) -> bool:
    """Whether the id says the same as *written*, whose words are taken to be *words*."""
    its = _read_name(one)
    return (
        words == its.words
        and any(written.versions == each for each in _version_readings(one))
        and written.optional <= its.optional
        and (one not in models() or makes_video(models()[one]))
    )


def _version_readings(one: str) -> list[frozenset[Version]]:
    """The versions of an id in every way in which they may be meant.

    Only those of a described id are known not to be a version twelve that is written v12.
    """
    as_written, short = _read_name(one).versions, short_versions(one) if one in models() else []
    replaced = {("".join(each),) for each in short}
    pointed = frozenset(map(trimmed, short)) | (as_written - replaced)
    return [as_written, pointed]


def _modes_for(request: Mapping[str, Any]) -> tuple[str, ...]:
    """The words of ids that are made for what the request gives, the most special one first."""
    return name_words().made_for.get(" ".join(_given_media(request)), ())


def _given_media(request: Mapping[str, Any]) -> list[str]:
    return [name for name in MEDIA_INPUTS if name != "audio" and is_given(request, name)]


def _suits(one: str, request: Mapping[str, Any]) -> bool:
    """Whether the model takes the media of the request, as far as is known."""
    model, given = models().get(one), _given_media(request)
    if model is None:
        return True
    needed = needs(model)
    return all(takes(model, name) for name in given) and (not needed or bool({*needed} & {*given}))


def _family_of(one: str) -> set[str]:
    """The words that name the family of a model: its brand, and its maker."""
    model, known = models().get(one), name_words()
    said = _read_name(one).said
    brand = [word for word in said if word not in known.makers][:1]
    names = f"{model.group} {model.maker}" if model else ""
    family = {*said[:1], *brand, *_read_name(names).said}
    return family - known.filler - known.beside_a_version


def _distance(wanted: frozenset[Version], actual: frozenset[Version]) -> float:
    """How far the versions are apart; 0 if none is wanted."""
    if not wanted:
        return 0
    pairs = ((_as_number(one), _as_number(other)) for one in wanted for other in actual)
    return min((abs(one - other) for one, other in pairs), default=math.inf)


def _as_number(version: Version) -> float:
    return float(".".join(version[:2]))
