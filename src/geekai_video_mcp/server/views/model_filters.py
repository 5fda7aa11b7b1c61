"""Which models a list has, and in which order. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.catalogue import LiveModel, Model
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.arguments import ListVideoModels

MAX_SHOWN_WORDS: Final = 4
"""Words of a query that a message repeats."""


def all_models(live: Mapping[str, LiveModel] | None) -> list[Model]:
    """The models that are described here, and after them those that only GeekAI's list has."""
    described = catalogue.models()
    return [*described.values(), *new_models(live)]


def new_models(live: Mapping[str, LiveModel] | None) -> list[Model]:
    return [Model(id=name, group="") for name in live or () if name not in catalogue.models()]


def matches(model: Model, args: ListVideoModels, wanted: Sequence[str]) -> bool:
    """Whether the model is known to suit every filter; a filter that is false is ignored."""
    directly = [name for name in wanted if not catalogue.other_way(model, name)]
    return (
        catalogue.takes_together(model, directly)
        and (args.seconds is None or catalogue.makes_length(model, args.seconds))
        and (args.resolution is None or catalogue.has_resolution(model, args.resolution))
        and (not args.free or catalogue.is_free(model))
        and catalogue.matches_words(model, catalogue.words_of(args.query or ""))
    )


def rank(
    model: Model, *, live: Mapping[str, LiveModel] | None, seconds: int | None
) -> tuple[bool, bool, bool, float, int]:
    """Where the model stands in a list: first what can be used, then cheap, then useful.

    *seconds*: the length by whose cost they are sorted; None if they are not.
    """
    first = catalogue.first_in_lists()
    cost = catalogue.cost_of(model, seconds) if seconds else 0.0
    return (
        _is_doubtful(model, live),
        not catalogue.makes_video(model),
        cost is None,
        cost or 0.0,
        first.index(model.id) if model.id in first else len(first),
    )


def _is_doubtful(model: Model, live: Mapping[str, LiveModel] | None) -> bool:
    """Whether the model comes after those that can be used."""
    described = model.id in catalogue.models()
    if not live and model.id in catalogue.first_in_lists():
        return False
    return described and catalogue.standing(model, live) is not None


def no_match_text(
    args: ListVideoModels, wanted: Sequence[str], live: Mapping[str, LiveModel] | None
) -> str:
    """That nothing suits, and which filter to leave out if one alone is the reason."""
    every = all_models(live)
    strange = [
        word
        for word in catalogue.words_of(args.query or "")
        if not any(catalogue.matches_words(model, [word]) for model in every)
    ]
    if strange:
        words = ", ".join(quote(word, limit=64) for word in strange[:MAX_SHOWN_WORDS])
        makers = ", ".join(dict.fromkeys(model.maker for model in every if model.maker))
        return f"No model here is known by the word {words}. The makers are {makers}."
    if len(wanted) > 1 and not any(catalogue.takes_together(model, wanted) for model in every):
        return (
            f"No model is known to take {', '.join(wanted)} together. Leave one of them out of"
            " takes."
        )
    given = [
        name for name in ("query", "takes", "seconds", "resolution", "free") if getattr(args, name)
    ]
    return f"No model is known to suit all of this. Leave one out of {', '.join(given)}."
