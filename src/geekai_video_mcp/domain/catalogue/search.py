"""Finds models by the words that people use for them: makers, Chinese names, versions. Pure.

A word matches a model whose id, maker or other names contain it. "veo3.1" and "可灵2.6" are a
name and a version, and a version matches the numbers of an id however they are written there.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from geekai_video_mcp.domain.catalogue.capabilities import has_resolution, is_free
from geekai_video_mcp.domain.catalogue.facts import Model
from geekai_video_mcp.domain.catalogue.versions import (
    Version,
    parse_version,
    short_versions,
    trimmed,
)

_SEPARATORS: Final = re.compile(r"[\s,;，、；/|]+")
_FILLER: Final = re.compile(r"(?<![\w-])(?:videos?|models?|ai)(?![\w-])|大?模型|视频|的")
"""Words that are true of every model here."""
_RESOLUTION: Final = re.compile(r"\d{3,4}p|[248]k")
_FREE: Final = frozenset({"free", "免费"})
_PIECE: Final = re.compile(r"\d+(?:[.-]\d+)*|[a-z]+|[^\W\d_a-z]+")
_VERSION: Final = re.compile(r"\d+(?:[.-]\d+)*")
_NO_VERSION: Final = re.compile(r"[a-z]*2v|-\d{3,}")
"""Numbers of an id that are no version: t2v is "text to video", and -001 a release."""


def words_of(query: str) -> list[str]:
    """The words of a query that say something, in lower case."""
    spelled = _FILLER.sub(" ", query.casefold())
    return [word for word in _SEPARATORS.split(spelled) if word]


def matches_words(model: Model, words: Iterable[str]) -> bool:
    """Whether every word, in lower case, is about the model."""
    return all(_matches_word(model, word) for word in words)


def _matches_word(model: Model, word: str) -> bool:
    if _RESOLUTION.fullmatch(word):
        return has_resolution(model, word)
    if word in _FREE:
        return is_free(model)
    names = _searchable(model)
    if _VERSION.fullmatch(word):
        return _has_version(model, word)
    return _contains(names, word) or _matches_pieces(model, names, word)


def _searchable(model: Model) -> str:
    return "\n".join((model.id, model.group, model.maker, *model.names)).casefold()


def _contains(names: str, word: str) -> bool:
    """Whether *word* is in *names*, with or without its hyphens.

    It may not end within a number there: v3 is not v30.
    """
    end = r"(?!\d)" if word[-1].isdigit() else ""
    return any(
        re.search(re.escape(written) + end, among)
        for written, among in ((word, names), (word.replace("-", ""), names.replace("-", "")))
        if written
    )


def _matches_pieces(model: Model, names: str, word: str) -> bool:
    """Whether the name and the version that *word* is written of are both the model's."""
    for name in model.names:  # Chinese words are not set apart: 快手可灵 is two names
        word = word.replace(name, f" {name} ")
    pieces = _PIECE.findall(word)
    return len(pieces) > 1 and all(
        _has_version(model, piece)
        if piece[0].isdigit()
        else piece in names and (len(piece) > 1 or piece == "v")
        for piece in pieces
    )


def _has_version(model: Model, text: str) -> bool:
    """Whether the model has that version; 3 is any of 3, 3.0 and 3.1, and 3.0 is 3."""
    wanted = parse_version(text)
    return any(
        version[: len(wanted)] == wanted or trimmed(version) == trimmed(wanted)
        for version in _versions(model.id.casefold())
    )


def _versions(name: str) -> Iterator[Version]:
    for version in _VERSION.findall(_NO_VERSION.sub(" ", name)):
        yield parse_version(version)
    yield from short_versions(name)
