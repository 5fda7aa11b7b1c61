"""A dry run as a result and as text, and the question for consent. Pure.

What is sent is the caller's own text, unchanged; what is shown has no invisible characters: in
the structured request they are written as escapes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from geekai_video_mcp.config import FREE_IMAGE_MODEL
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.admission import Forecast
from geekai_video_mcp.domain.lifecycle import Media
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.errors import (
    NOT_CHARGED,
    as_sentence,
    quote,
    quote_unless_id,
    reveal_json,
    sanitize,
)
from geekai_video_mcp.server.views.next_steps import MEDIA_NOUN
from geekai_video_mcp.server.views.settings import settings_text
from geekai_video_mcp.server.views.tasks import DryRunView, Generation
from geekai_video_mcp.server.views.text import warning_sentences


def dry_run(forecast: Forecast, *, sandbox: bool, warnings: Sequence[str] = ()) -> Generation:
    """The result of a dry run: what would be sent and what it would cost. Nothing was sent."""
    task = forecast.task
    price = None if sandbox else catalogue.price(task.model)
    return Generation(
        model=sanitize(task.model),
        sandbox=sandbox,
        dry_run=DryRunView(
            request=cast("dict[str, Any]", reveal_json(dict(task.request))),
            warnings=list(warnings),
            price=_sandbox_price_text(task.model) if sandbox else _price_text(price, task.model),
            cost_cny=0.0
            if sandbox
            else price and price.total_for(seconds=task.request.get("duration")),
            videos_left_today=forecast.left_today,
            in_flight_left=forecast.left_in_flight,
            duplicate_of=forecast.duplicate_of.id if forecast.duplicate_of else None,
            refused=forecast.refused.reason if forecast.refused else None,
        ),
        next_step=_dry_run_next_step(forecast),
    )


def dry_run_text(result: Generation, media: Media) -> str:
    """The result of a dry run as text, for a model that reads only text."""
    if result.dry_run is None:
        return result.next_step
    request = _request_text(result.dry_run, str(result.model), media)
    return f"Dry run of a request to {request} {result.next_step}"


def consent_text(forecast: Forecast, view: DryRunView) -> str:
    """The question that asks the user to approve a paid request."""
    task = forecast.task
    prompt = quote(str(view.request.get("prompt") or ""))
    request = _request_text(view, task.model, task.media)
    return f"Approve this paid request to {request} Prompt: {as_sentence(prompt)}"


def _request_text(view: DryRunView, model: str, media: Media) -> str:
    """The request, what it costs and what to know of it, in sentences; the first goes on."""
    settings = settings_text(_without(view.request, "prompt", "model", "async"))
    with_settings = f": {settings}" if settings else ""
    return " ".join(
        [
            f"{quote_unless_id(model)} for {MEDIA_NOUN[media]}{with_settings}.",
            *_cost_sentences(view),
            *warning_sentences(view.warnings),
        ]
    )


def _without(request: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in names}


def _cost_sentences(view: DryRunView) -> Sequence[str]:
    total = f"It costs {view.cost_cny:g} CNY in all." if view.cost_cny else ""
    caps = (
        f"The caps leave {view.videos_left_today} more today, and {view.in_flight_left} at the same"
        " time."
        if view.videos_left_today is not None
        else ""
    )
    return [sentence for sentence in (total, view.price, caps) if sentence]


def _sandbox_price_text(model: str) -> str:
    """That a preview is free, and what GeekAI lists, which a user without a key wants to know."""
    price, listed = catalogue.price(model), ""
    if price is not None:
        amount = f"at {price.cny:g} CNY per {price.per}" if price.cny else "as free of charge"
        listed = f" GeekAI lists its own {amount} ({_source_text(price)})."
    return f"A sandbox preview, not made by GeekAI, is free.{listed}"


def _price_text(price: catalogue.Price | None, model: str) -> str:
    if price is None and model == FREE_IMAGE_MODEL:
        return "It is free of charge by GeekAI's image guide, read 2026-11-22."
    if price is None:
        return "Its price is not known here; GeekAI's page of the model shows it."
    amount = f"The listed price is {price.cny:g} CNY per {price.per}"
    amount = amount if price.cny else "It is listed as free of charge"
    return f"{amount} ({_source_text(price)})."


def _source_text(price: catalogue.Price) -> str:
    return f"{price.source}, read {price.read_on.isoformat()}"


def _dry_run_next_step(forecast: Forecast) -> str:
    sent = f"Nothing was sent. {NOT_CHARGED}"
    if forecast.duplicate_of is not None:
        task_id = short_id(forecast.duplicate_of.id)
        return (
            f"{sent} It repeats task {task_id}: the call would return that task, and send nothing."
        )
    if forecast.refused is not None:
        return f"{sent} The call would be refused: {as_sentence(forecast.refused.reason)}"
    return f"{sent} To send it, make the same call without dry_run."
