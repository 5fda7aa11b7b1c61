"""What a model can be asked for: arguments, lengths, resolutions and what that costs. Pure.

A fact that is not known counts as no: a model is offered only for what it is known to do.
"""

import re
from collections.abc import Collection
from typing import Final

from geekai_video_mcp.domain.catalogue.costs import request_cost
from geekai_video_mcp.domain.catalogue.facts import (
    FACT_BY_FIELD,
    Model,
    Rule,
    listed_values,
    normalize_value,
    price,
    rules_of,
)
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.domain.wording import join_words

MEDIA_INPUTS: Final = ("image", "image_tail", "images", "video", "audio")
"""Arguments that give a model pictures, videos or sound."""
EVERY_MODEL_TAKES: Final = frozenset(
    {
        *("prompt", "model", "async", "extra_body", "retries"),
        *("variation", "dry_run", "idempotency_key"),
    }
)
USUAL_SECONDS: Final = 5
"""Length whose cost is compared if none is asked for."""
SIZE: Final = re.compile(r"(\d+)x(\d+)")
_NAMED_SIDES: Final = {"4k": "2160p", "2k": "1440p"}
"""Short sides that have names: 3840x2160 is 4k."""


def takes(model: Model, argument: str) -> bool:
    """Whether the model is known to take the argument, or that member of `extra_body`."""
    if argument in EVERY_MODEL_TAKES:
        return True
    if argument in (model.value("extras") or ()):
        return True
    if argument not in FACT_BY_FIELD or argument in model.refused_fields:
        return False
    value = model.value(FACT_BY_FIELD[argument])
    # A text without a number says where the value comes from instead, such as "by size".
    return value not in (None, False) and not (isinstance(value, str) and not _has_digit(value))


def takes_together(model: Model, arguments: Collection[str]) -> bool:
    """Whether the model takes all of the arguments in one request, as far as is known."""
    return all(takes(model, one) for one in arguments) and not any(
        _rule_excludes(rule, arguments) for rule in rules_of(model.id)
    )


def other_way(model: Model, argument: str) -> str | None:
    """How the model is given an input whose argument it refuses; None if it is not."""
    instead: dict[str, str] = model.value("instead") or {}
    possible = argument in MEDIA_INPUTS and model.supports(FACT_BY_FIELD[argument])
    return instead.get(argument) if possible and argument in model.refused_fields else None


def needs(model: Model) -> tuple[str, ...]:
    """The inputs of which the model needs one; empty if it works from text alone."""
    if model.value("text") is not False:
        return ()
    return tuple(name for name in ("image", "images", "video") if takes(model, name))


def needs_text(model: Model) -> str | None:
    """The same in words, such as "image or video"; None if it needs none."""
    return join_words(needs(model)) or None


def makes_length(model: Model, seconds: int) -> bool:
    """Whether the model makes a video of at least so many seconds."""
    return model.max_seconds >= seconds


def length_for(model: Model, seconds: int) -> int:
    """The shortest length of at least *seconds* that the model makes; else its longest."""
    lengths = sorted(map(int, listed_values(model.value("seconds")) or [seconds]))
    return next((length for length in lengths if length >= seconds), lengths[-1])


def cost_of(model: Model, seconds: int) -> float | None:
    """CNY for a video of about *seconds*, by `length_for`; None if its price is not known."""
    request = {"model": model.id, "duration": length_for(model, seconds)}
    cost = request_cost(request, media=Media.VIDEO)
    return cost and cost.total_cny


def is_free(model: Model) -> bool:
    """Whether its videos are known to cost nothing."""
    listed = price(model.id)
    return listed is not None and listed.cny == 0 and makes_video(model)


def makes_video(model: Model) -> bool:
    """Whether videos come of it; something else may be all that a model is for."""
    return not model.supports("makes")


def has_resolution(model: Model, resolution: str) -> bool:
    """Whether the model makes that resolution, such as 1080p or 4k."""
    return resolution_name(resolution) in resolutions_of(model)


def resolutions_of(model: Model) -> set[str]:
    """The names of its resolutions, those of its sizes by their short sides too."""
    listed = set[str]()
    for fact in ("resolutions", "sizes"):
        listed |= {resolution_name(str(one)) for one in listed_values(model.value(fact)) or ()}
    return listed


def resolution_name(text: str) -> str:
    """The name of a resolution, or of that of a size: 1080p for 1080P and 1920x1080."""
    name = normalize_value(text)
    if sides := SIZE.fullmatch(name):
        name = f"{min(int(sides[1]), int(sides[2]))}p"
    if name.isdecimal():
        name += "p"
    return _NAMED_SIDES.get(name, name)


def _rule_excludes(rule: Rule, arguments: Collection[str]) -> bool:
    """Whether the rule forbids the arguments together, whatever else the request holds."""
    if not rule.with_ or rule.without or rule.when or rule.unless:
        return False
    return all(
        any(one.removeprefix("extra_body.") in arguments for one in each.split("|"))
        for each in rule.with_
    )


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)
