"""Other models that are known to make the whole of a request, the likeliest choice first. Pure."""

from collections.abc import Mapping
from typing import Any, Final, cast

from geekai_video_mcp.domain.catalogue.availability import LiveModel, similarity, standing
from geekai_video_mcp.domain.catalogue.capabilities import (
    has_resolution,
    makes_video,
    needs,
    takes,
)
from geekai_video_mcp.domain.catalogue.conditions import is_given
from geekai_video_mcp.domain.catalogue.costs import (
    Cost,
    may_cost_more,
    price_in_brief,
    request_cost,
)
from geekai_video_mcp.domain.catalogue.facts import (
    FACT_BY_FIELD,
    Model,
    image_models,
    listed_values,
    models,
)
from geekai_video_mcp.domain.catalogue.findings import find_problems
from geekai_video_mcp.domain.catalogue.translation import translate
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.domain.wording import join_words

MAX_ALTERNATIVES: Final = 2
"""Other models that a message suggests; a longer list would only move the choice."""


def describe_alternatives(request: Mapping[str, Any], live: Mapping[str, LiveModel] | None) -> str:
    """Up to two models that can make all of *request*, with what it costs; empty if none can.

    Those of the same family first, likest names first; of others the cheapest.
    """
    asked = models()[str(request["model"])]
    able = [
        (other, request_cost(body, media=Media.VIDEO))
        for other in models().values()
        if not standing(other, live) and (body := _body_for(other, request)) is not None
    ]
    able.sort(key=lambda pair: _rank(*pair, asked))
    return join_words(
        [f"{other.id} ({price_in_brief(cost)})" for other, cost in able[:MAX_ALTERNATIVES]]
    )


def priced_models(request: Mapping[str, Any]) -> list[tuple[str, Cost]]:
    """The models that may make a video of the request at a price that is known, and that price.

    Without what may cost more. Those that are known to make all of it come first, and the cheaper
    before the others.
    """
    beside = may_cost_more(request)
    request = {name: value for name, value in request.items() if name not in beside}
    found: list[tuple[bool, float, str, Cost]] = []
    for model in models().values():
        if not makes_video(model) or model.supports("gone") or _lacks_input(model, request):
            continue
        body = _body_for(model, request)
        cost = request_cost(body or {**request, "model": model.id}, media=Media.VIDEO)
        if cost is not None and cost.total_cny is not None:
            found.append((body is None, cost.total_cny, model.id, cost))
    return [(name, cost) for *_, name, cost in sorted(found, key=lambda entry: entry[:3])]


def priced_image_models() -> list[tuple[str, Cost]]:
    """The models of pictures whose price is known, and that price; the cheaper come first."""
    costs = {name: request_cost({"model": name}, media=Media.IMAGE) for name in image_models()}
    found = [(name, cost) for name, cost in costs.items() if cost is not None]
    return sorted(found, key=lambda pair: pair[1].rate_cny)


def _body_for(model: Model, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The request as the model takes it; None if it is not known to make all of it."""
    translated = translate({**request, "model": model.id}, model)
    body = translated.body
    extras = cast("Mapping[str, object]", body.get("extra_body") or {})
    cannot = (
        not makes_video(model)
        or translated.findings
        or translated.incomplete
        or find_problems(body, model)
        or not all(_is_known_to_take(model, name, body) for name in FACT_BY_FIELD)
        or not all(takes(model, name) for name in extras)
        or not (needs(model) or _is_known(model, "text"))
    )
    return None if cannot else body


def _is_known_to_take(model: Model, name: str, body: Mapping[str, Any]) -> bool:
    """Whether the model takes that field of the request, if it is given."""
    if not is_given(body, name):
        return True
    if not (takes(model, name) and _is_known(model, FACT_BY_FIELD[name])):
        return False
    # Where sizes are not listed, one of a listed resolution is known.
    sizes_listed = listed_values(model.value("sizes")) is not None
    return name != "size" or sizes_listed or has_resolution(model, str(body["size"]))


def _is_known(model: Model, fact: str) -> bool:
    """Whether the model supports it, and not only by inference."""
    return model.supports(fact) and model.facts[fact].provenance != "inferred"


def _lacks_input(model: Model, request: Mapping[str, Any]) -> bool:
    needed = needs(model)
    return bool(needed) and not any(request.get(name) for name in needed)


def _rank(other: Model, cost: Cost | None, asked: Model) -> tuple[bool, float, float]:
    if other.group == asked.group:
        return False, -similarity(asked.id, other.id), 0
    known = cost is not None and cost.total_cny is not None
    return True, not known, (cost and cost.total_cny) or 0
