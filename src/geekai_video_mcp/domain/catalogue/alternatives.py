"""Other models that are known to make the whole of a request, the likeliest choice first. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from geekai_video_mcp.domain.catalogue.availability import LiveModel, similarity, standing
from geekai_video_mcp.domain.catalogue.camera import find_camera_problems
from geekai_video_mcp.domain.catalogue.capabilities import USUAL_SECONDS, makes_video, needs, takes
from geekai_video_mcp.domain.catalogue.conditions import is_given
from geekai_video_mcp.domain.catalogue.facts import FACT_BY_FIELD, Model, models, price
from geekai_video_mcp.domain.catalogue.findings import find_problems
from geekai_video_mcp.domain.catalogue.translation import translate

MAX_ALTERNATIVES: Final = 2
"""Other models that a message suggests; a longer list would only move the choice."""


def describe_alternatives(request: Mapping[str, Any], live: Mapping[str, LiveModel] | None) -> str:
    """Up to two models that can make all of *request*, with prices; empty if none is known."""
    return " or ".join(map(_with_price, alternatives(request, live)))


def alternatives(request: Mapping[str, Any], live: Mapping[str, LiveModel] | None) -> list[Model]:
    """Those of the same family first, likest names first; of others the cheapest."""
    asked = models()[str(request["model"])]
    able = [other for other in _candidates(live) if _makes_all(request, other)]
    able.sort(key=lambda other: _rank(other, asked, request))
    return able[:MAX_ALTERNATIVES]


def _candidates(live: Mapping[str, LiveModel] | None) -> Iterator[Model]:
    return (one for one in models().values() if makes_video(one) and not standing(one, live))


def _makes_all(request: Mapping[str, Any], model: Model) -> bool:
    """Whether everything that the request asks for is known to be taken by the model."""
    translated = translate({**request, "model": model.id}, model)
    body = translated.body
    extras = cast("Mapping[str, object]", body.get("extra_body") or {})
    return not (
        translated.findings
        or translated.incomplete
        or find_problems(body, model)
        or any(find_camera_problems(body, model))
        or any(is_given(body, name) and not takes(model, name) for name in FACT_BY_FIELD)
        or not all(takes(model, name) for name in extras)
        or not (needs(model) or model.supports("text"))
    )


def _rank(other: Model, asked: Model, request: Mapping[str, Any]) -> tuple[bool, float, float]:
    if other.group == asked.group:
        return False, -similarity(asked.id, other.id), 0
    listed = price(other.id)
    if listed is None:
        return True, 1, 0
    seconds = request.get("duration") or USUAL_SECONDS
    return True, 0, listed.cny * (seconds if listed.per == "second" else 1)


def _with_price(model: Model) -> str:
    listed = price(model.id)
    if listed is None:
        return f"{model.id} (price not known here)"
    amount = f"{listed.cny:g} CNY per {listed.per}" if listed.cny else "free"
    return f"{model.id} ({amount})"
