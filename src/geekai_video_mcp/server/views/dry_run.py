"""A dry run as a result and as text, and the question for consent. Pure.

What is sent is the caller's own text, unchanged; what is shown has no invisible characters: in
the structured request they are written as escapes.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.admission import Forecast
from geekai_video_mcp.domain.lifecycle import Media
from geekai_video_mcp.errors import (
    NOT_CHARGED,
    as_sentence,
    quote,
    quote_unless_id,
    reveal,
    reveal_json,
    sanitize,
)
from geekai_video_mcp.server.views.tasks import DryRunView, Generation
from geekai_video_mcp.server.views.text import MEDIA_NOUN


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
            price=_SANDBOX_PRICE if sandbox else _price_text(price),
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
    summary = _request_summary(result.dry_run, result.model, media)
    return f"Dry run: nothing was sent. {NOT_CHARGED} It would ask {summary} {result.next_step}"


def consent_text(forecast: Forecast, view: DryRunView) -> str:
    """The question that asks the user to approve a paid request."""
    task = forecast.task
    prompt = quote(str(view.request.get("prompt") or ""))
    total = "" if view.cost_cny is None else f" That is {view.cost_cny:g} CNY by the list."
    summary = _request_summary(view, task.model, task.media)
    return f"May this be paid for? It asks {summary}{total} {prompt}"


def _request_summary(view: DryRunView, model: str, media: Media) -> str:
    settings = ", ".join(
        f"{name} {_format_setting(value)}"
        for name, value in view.request.items()
        if name not in {"prompt", "model", "async"}
    )
    caps = (
        f" Left under the caps: {view.videos_left_today} today,"
        f" {view.in_flight_left} at the same time."
        if view.videos_left_today is not None
        else ""
    )
    with_settings = f" with {settings}" if settings else ""
    return (
        f"{quote_unless_id(model)} for {MEDIA_NOUN[media]}{with_settings}."
        f" {view.price}{caps}{warnings_text(view.warnings)}"
    )


def _format_setting(value: object) -> str:
    """A value of the request as data in a sentence, shortened if it is long."""
    if isinstance(value, str):
        return quote(value)
    return sanitize(reveal(json.dumps(value, ensure_ascii=False)))


_SANDBOX_PRICE: Final = "A sandbox preview is free."


def _price_text(price: catalogue.Price | None) -> str:
    if price is None:
        return "Its price is not known here; GeekAI's model page has it."
    amount = f"{price.cny:g} CNY per {price.per}" if price.cny else "Free of charge"
    return f"{amount} ({price.source}, read {price.read_on.isoformat()})."


def warnings_text(warnings: Iterable[str]) -> str:
    """Warnings as sentences to append to another text; empty if there are none."""
    return "".join(f" {as_sentence(warning[:1].upper() + warning[1:])}" for warning in warnings)


def _dry_run_next_step(forecast: Forecast) -> str:
    if forecast.duplicate_of is not None:
        return (
            f"It repeats task {forecast.duplicate_of.id}, which it would return; nothing is sent."
        )
    if forecast.refused is not None:
        return f"It would be refused: {as_sentence(forecast.refused.reason)}"
    return "The same call without dry_run makes it."
