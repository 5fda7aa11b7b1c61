"""What a request would come to, before anything of it has happened. Pure."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from geekai_video_mcp import catalogue
from geekai_video_mcp.admission import Forecast
from geekai_video_mcp.errors import NOT_CHARGED, as_sentence, quote
from geekai_video_mcp.lifecycle import Media
from geekai_video_mcp.views.tasks import DryRunView, Generation
from geekai_video_mcp.views.words import MEDIA_NOUN


def dry_run(forecast: Forecast, *, sandbox: bool, warnings: Sequence[str] = ()) -> Generation:
    """What a request would come to; nothing of it has happened."""
    task = forecast.task
    listed = None if sandbox else catalogue.price(task.model)
    return Generation(
        model=task.model,
        sandbox=sandbox,
        dry_run=DryRunView(
            request=dict(task.request),
            warnings=list(warnings),
            price=_FREE if sandbox else _price_text(listed),
            cost_cny=0.0
            if sandbox
            else listed and listed.total_for(seconds=task.request.get("duration")),
            videos_left_today=forecast.left_today,
            in_flight_left=forecast.left_in_flight,
            duplicate_of=forecast.duplicate_of.id if forecast.duplicate_of else None,
            refused=forecast.refused.reason if forecast.refused else None,
        ),
        next_step=_after_dry_run(forecast),
    )


def dry_run_text(shown: Generation, media: Media) -> str:
    """The same in words, for a model that reads only text."""
    if shown.dry_run is None:
        return shown.next_step
    terms = _request_summary(shown.dry_run, shown.model, media)
    return f"Dry run: nothing was sent. {NOT_CHARGED} It would ask {terms} {shown.next_step}"


def consent_text(forecast: Forecast, found: DryRunView) -> str:
    """What a person reads who is asked whether to pay."""
    task = forecast.task
    prompt = quote(str(found.request.get("prompt") or ""))
    total = "" if found.cost_cny is None else f" That is {found.cost_cny:g} CNY by the list."
    summary = _request_summary(found, task.model, task.media)
    return f"May this be paid for? It asks {summary}{total} {prompt}"


def _request_summary(found: DryRunView, model: str, media: Media) -> str:
    settings = {k: v for k, v in found.request.items() if k not in {"prompt", "model", "async"}}
    with_ = ", ".join(f"{name} {json.dumps(v, ensure_ascii=False)}" for name, v in settings.items())
    caps = (
        f" Left under the caps: {found.videos_left_today} today,"
        f" {found.in_flight_left} at the same time."
        if found.videos_left_today is not None
        else ""
    )
    return (
        f"{model} for {MEDIA_NOUN[media]}{f' with {with_}' if with_ else ''}. {found.price}{caps}"
        f"{warnings_text(found.warnings)}"
    )


_FREE: Final = "A sandbox preview is free."


def _price_text(listed: catalogue.Price | None) -> str:
    if listed is None:
        return "Its price is not known here; GeekAI's model page has it."
    said = f"{listed.cny:g} CNY per {listed.per}" if listed.cny else "Free of charge"
    return f"{said} ({listed.source}, read {listed.read_on.isoformat()})."


def warnings_text(warnings: Iterable[str]) -> str:
    """Warnings as they follow other words; nothing if there are none."""
    return "".join(f" {as_sentence(warning[:1].upper() + warning[1:])}" for warning in warnings)


def _after_dry_run(forecast: Forecast) -> str:
    if forecast.duplicate_of is not None:
        return (
            f"It repeats task {forecast.duplicate_of.id}, which it would return; nothing is sent."
        )
    if forecast.refused is not None:
        return f"It would be refused: {as_sentence(forecast.refused.reason)}"
    return "The same call without dry_run makes it."
