"""How long the video of a request will be, as far as that is known. Pure."""

from collections.abc import Mapping
from typing import Any

from geekai_video_mcp.domain.catalogue.conditions import conditions_hold
from geekai_video_mcp.domain.catalogue.facts import Model, listed_values, models, rules_of


def seconds_made(request: Mapping[str, Any]) -> int | None:
    """Seconds of the video that the model makes of *request*; None if that is not known.

    Some models make one length at some settings, whatever the duration. Without a duration it is
    the model's own default.
    """
    for rule in rules_of(str(request["model"])):
        if rule.seconds is not None and conditions_hold(rule, request):
            return rule.seconds
    model = models().get(str(request["model"]))
    duration = request.get("duration")
    if duration is None or (model is not None and "duration" in model.refused_fields):
        return model and default_seconds(model)
    return duration if isinstance(duration, int) else None


def default_seconds(model: Model) -> int | None:
    """Seconds of a video whose request gives no duration; None if that is not known."""
    if (seconds := model.value("default_seconds")) is not None:
        return int(seconds)
    lengths = listed_values(model.value("seconds")) or []
    return int(lengths[0]) if len(lengths) == 1 else None
