"""A sentence about the model that a call uses which names none, for a tool's description. Pure."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.catalogue import Model
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.domain.wording import join_words

MAX_CHARS: Final = 220
"""Characters of the sentence: it is sent with every list of tools."""
_TAKEN: Final = (
    *("image", "image_tail", "images", "video", "with_audio"),
    *("size", "resolution", "aspect_ratio"),
)
"""Arguments that are named if the model takes them."""
_MISSED: Final = ("image", "image_tail", "with_audio", "aspect_ratio")
"""Arguments that are named if it does not, because people expect them."""


def describe_default(model_id: str, media: Media) -> str:
    """What a call that names no model gets, in at most `MAX_CHARS` characters."""
    start = f"Default model: {model_id}"
    if model_id == catalogue.SANDBOX_MODEL:
        length = "" if media is Media.IMAGE else ", of up to 60 s"
        return f"{start}: a free preview{length}, made on this computer."
    if media is Media.IMAGE:  # the catalogue has only prices of image models
        price = catalogue.price(model_id, media=media.value)
        return f"{start}{': free' if price is not None and price.cny == 0 else ''}."
    model = catalogue.models().get(model_id)
    if model is None:
        return f"{start}."
    taken = [name for name in _TAKEN if catalogue.takes(model, name)]
    missed = [name for name in _MISSED if _is_missed(model, name)]
    # Shortened from the end of either list until it fits.
    for left_out, dropped in product(range(len(missed) + 1), range(len(taken) + 1)):
        shown, lacking = taken[: len(taken) - dropped], missed[: len(missed) - left_out]
        sentence = f"{start}: {', '.join(_facts(model, shown, lacking))}."
        if len(sentence) <= MAX_CHARS:
            return sentence
    return f"{start}."


def _is_missed(model: Model, name: str) -> bool:
    known_not = model.value(catalogue.FACT_BY_FIELD[name]) is False
    always: Mapping[str, object] = model.value("does") or {}
    return (known_not or name in model.refused_fields) and name not in always


def _facts(model: Model, taken: Sequence[str], missed: Sequence[str]) -> list[str]:
    facts = [_price_text(model), _length_text(model)]
    if not catalogue.makes_video(model):
        facts.append(f"makes {model.value('makes')}")
    needed = catalogue.needs(model)
    if len(needed) > 1:
        facts.append(f"needs {catalogue.needs_text(model)}")
    if taken:
        named = [f"{name} (needed)" if needed == (name,) else name for name in taken]
        facts.append(f"takes {join_words(named, 'and')}")
    if missed:
        facts.append(f"{'but not' if taken else 'does not take'} {join_words(missed)}")
    return [fact for fact in facts if fact]


def _price_text(model: Model) -> str:
    price = catalogue.price(model.id)
    if price is None:
        return "price unknown"
    return f"{price.cny:g} CNY per {price.per}" if price.cny else "free"


def _length_text(model: Model) -> str:
    lengths = catalogue.listed_values(model.value("seconds"))
    if not lengths:
        return ""
    if "duration" in model.refused_fields:
        return f"always {lengths[0]} s (leave duration out)"
    seconds = model.value("seconds")
    named = f"{seconds}" if isinstance(seconds, str) else join_words(lengths)
    return f"{named} s"
