"""What a request costs by the price list, in sentences. Pure."""

from geekai_video_mcp.domain.catalogue import Cost, format_cny
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL
from geekai_video_mcp.quoting import quote_unless_id


def price_text(cost: Cost | None) -> str:
    """What a request costs, and why."""
    if cost is None:
        return "Its price is not known here; GeekAI's page of the model shows it."
    if cost.rate_cny == 0:
        return f"It is listed as free of charge ({_source_text(cost)})."
    if cost.total_cny is None:
        return f"The listed price is {_rate_text(cost)}; {_missing(cost)}."
    return f"It costs about {_total_text(cost)}."


def preview_price_text(cost: Cost | None, model: str, model_with_key: str) -> str:
    """That a preview is free, and what the same request costs with a key.

    *model_with_key* is the model of that request: the sandbox's own is none of GeekAI's.
    """
    if model == SANDBOX_MODEL:
        model = quote_unless_id(model_with_key)
        return f"A sandbox preview is free; with a key, its model is {model}{_offer_text(cost)}."
    return f"A sandbox preview is free; {_with_key_text(cost)}."


def _offer_text(cost: Cost | None) -> str:
    if cost is None:
        return ", at a price that is not known here"
    if cost.rate_cny == 0:
        return f", also free of charge ({_source_text(cost)})"
    if cost.total_cny is None:
        return f", at {_rate_text(cost)}; {_missing(cost)}"
    return f", for about {_total_text(cost)}"


def _with_key_text(cost: Cost | None) -> str:
    if cost is None:
        return "what it would cost with a key is not known here"
    if cost.rate_cny == 0:
        return f"with a key it would be free of charge as well ({_source_text(cost)})"
    if cost.total_cny is None:
        return f"with a key the price is {_rate_text(cost)}; {_missing(cost)}"
    return f"with a key it would cost about {_total_text(cost)}"


def _total_text(cost: Cost) -> str:
    total = format_cny(cost.total_cny or 0.0)
    if cost.per == "second":
        return f"{total}: {cost.seconds} s at {_rate_text(cost)}"
    return f"{total}, the listed price per {cost.per} ({_source_text(cost)})"


def _rate_text(cost: Cost) -> str:
    note = f" {cost.note}" if cost.note else ""
    return f"{format_cny(cost.rate_cny)} per {cost.per}{note} ({_source_text(cost)})"


def _missing(cost: Cost) -> str:
    if not cost.applies:
        return "what it costs with these settings is not known"
    return "give duration to know the total"


def _source_text(cost: Cost) -> str:
    return f"{cost.source}, read {cost.read_on.isoformat()}"
