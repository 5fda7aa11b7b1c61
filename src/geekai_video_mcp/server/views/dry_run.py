"""A dry run as a result and as text, and the question for consent. Pure.

What is sent is the caller's own text, unchanged; what is shown has no invisible characters: in
the structured request they are written as escapes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from geekai_video_mcp.config import SANDBOX_MODEL, default_model_with_key
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.admission import Forecast
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.domain.waiting import waiting_text
from geekai_video_mcp.errors import NOT_CHARGED
from geekai_video_mcp.quoting import (
    as_sentence,
    quote,
    quote_unless_id,
    reveal_json,
    sanitize,
)
from geekai_video_mcp.server.views.next_steps import MEDIA_NOUN
from geekai_video_mcp.server.views.prices import preview_price_text, price_text
from geekai_video_mcp.server.views.settings import settings_text
from geekai_video_mcp.server.views.tasks import DryRunView, Generation
from geekai_video_mcp.server.views.text import warning_sentences


def dry_run(
    forecast: Forecast, *, default_model: str, sandbox: bool, warnings: Sequence[str] = ()
) -> Generation:
    """The result of a dry run: what would be sent and what it would cost. Nothing was sent.

    *default_model*: that of a call which names none, for a preview whose model is the sandbox's.
    """
    task = forecast.task
    with_key = {**task.request, "model": _model_with_key(task, default_model)}
    cost = catalogue.request_cost(with_key, media=task.media)
    total = cost and cost.total_cny
    return Generation(
        model=sanitize(task.model),
        sandbox=sandbox,
        dry_run=DryRunView(
            request=cast("dict[str, Any]", reveal_json(dict(task.request))),
            warnings=list(warnings),
            price=preview_price_text(cost, task.model, with_key["model"])
            if sandbox
            else price_text(cost),
            cost_cny=0.0 if sandbox else total,
            cost_with_key_cny=total if sandbox else None,
            videos_left_today=forecast.left_today,
            in_flight_left=forecast.left_in_flight,
            cny_left_today=forecast.cny_left_today,
            duplicate_of=forecast.duplicate_of.id if forecast.duplicate_of else None,
            refused=forecast.refused.reason if forecast.refused else None,
            waiting_for=list(task.waits_for) or None,
        ),
        next_step=_dry_run_next_step(forecast),
    )


def _model_with_key(task: Task, default_model: str) -> str:
    """The model that the same call would use with a key."""
    if task.model != SANDBOX_MODEL:
        return task.model
    return default_model_with_key(default_model, task.media)


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
            *([f"It {waiting_text(view.waiting_for)}."] if view.waiting_for else []),
            *warning_sentences(view.warnings),
        ]
    )


def _without(request: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in names}


def _cost_sentences(view: DryRunView) -> Sequence[str]:
    left = caps_left(view)
    if not left:
        return [view.price]
    return [view.price, f"The caps leave {', '.join(left[:-1])}, and {left[-1]}."]


def caps_left(view: DryRunView) -> list[str]:
    """What the caps leave, in parts of a sentence; none without caps."""
    if view.videos_left_today is None:
        return []
    left = [f"{view.videos_left_today} more today", f"{view.in_flight_left} at the same time"]
    if view.cny_left_today is not None:
        left.append(f"{catalogue.format_cny(view.cny_left_today)} today")
    return left


def _dry_run_next_step(forecast: Forecast) -> str:
    sent = f"Nothing was sent. {NOT_CHARGED}"
    if forecast.duplicate_of is not None:
        task_id = short_id(forecast.duplicate_of.id)
        return (
            f"{sent} It repeats task {task_id}: the call would return that task, and send nothing."
        )
    if forecast.refused is not None:
        refused = forecast.refused
        return f"{sent} The call would be refused: {as_sentence(refused.reason)} {refused.remedy}"
    return f"{sent} To send it, make the same call without dry_run."
