"""Checks a request against the facts about its model, before it can cost anything. Pure.

Only what GeekAI itself documents as unsupported is refused. Every other fact is about the makers'
own APIs, or a guess: it causes a warning, and the request is sent as the caller wrote it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from geekai_video_mcp.domain.catalogue.availability import LiveModel, availability
from geekai_video_mcp.domain.catalogue.conditions import is_given, rule_applies, value_at
from geekai_video_mcp.domain.catalogue.facts import (
    Model,
    defaults,
    listed_values,
    models,
    normalize_value,
    rules,
)
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL
from geekai_video_mcp.errors import RequestRefused, quote

RETRIES_WARNING: Final = (
    "retries lets GeekAI attempt a failed generation again, which may cost more"
)
MAX_CAMERA_MOVE: Final = 10
"""Limit of each of Kling's camera moves in either direction; ComfyUI's Kling schema, 2026-08-21."""
MAX_NAMED_MOVES: Final = 6
"""Camera moves that a warning names: as many as Kling has."""
MAX_ALTERNATIVES: Final = 2
"""Other models that a message suggests; a longer list would only move the choice."""

FACT_BY_FIELD: Final[Mapping[str, str]] = {
    "image": "first_frame",
    "image_tail": "last_frame",
    "images": "references",
    "video": "video",
    "audio": "audio",
    "with_audio": "sound",
    "size": "sizes",
    "resolution": "resolutions",
    "aspect_ratio": "ratios",
    "quality": "quality",
    "duration": "seconds",
    "fps": "fps",
    "negative_prompt": "negative_prompt",
    "watermark": "watermark",
}
"""For each field of the request: the fact that says what a model supports there."""


@dataclass(frozen=True, kw_only=True)
class CheckedRequest:
    """A request as it is to be sent, and the warnings for its caller."""

    body: dict[str, Any]
    warnings: tuple[str, ...] = ()


def with_general_warnings(request: Mapping[str, Any]) -> CheckedRequest:
    """The request unchanged, with the warnings that apply to every model."""
    return CheckedRequest(
        body=dict(request), warnings=(RETRIES_WARNING,) if request.get("retries") else ()
    )


def check_request(
    request: Mapping[str, Any], *, live: Mapping[str, LiveModel] | None = None
) -> CheckedRequest:
    """The request to send in place of *request*.

    *live* holds the video models that the service listed within the last hour; None if it did not.

    Raises:
        RequestRefused: its model does not support it.
    """
    name = str(request["model"])
    if name == SANDBOX_MODEL:
        return CheckedRequest(body=dict(request))
    general = with_general_warnings(request).warnings
    model = models().get(name)
    if model is None:
        return CheckedRequest(body=dict(request), warnings=general)
    kept, notes = _drop_defaults(request, model)
    _raise_if_refused(kept, model)
    status = availability(name, live)
    warnings = [
        *general,
        *([f"{name} is {status}"] if status else []),
        *notes,
        *_rule_warnings(kept, model),
        *_fact_warnings(kept, model),
        *_camera_warnings(kept, model),
    ]
    return CheckedRequest(body=kept, warnings=tuple(dict.fromkeys(warnings)))


def _drop_defaults(request: Mapping[str, Any], model: Model) -> tuple[dict[str, Any], list[str]]:
    """The request without unsupported fields whose value is what the model does anyway."""
    kept, notes = dict(request), list[str]()
    does: Mapping[str, object] = model.value("does") or {}
    for field in model.refused_fields:
        requested = request.get(field)
        actual = does.get(field, defaults().get(field))
        if requested is None or not (
            _same_value(requested, actual) or _same_value(requested, defaults().get(field))
        ):
            continue
        del kept[field]
        always = f"; it always uses {_format_value(actual)}" if field in does else ""
        notes.append(f"{field} was left out: {model.id} does not support it{always}")
    return kept, notes


def _same_value(requested: object, actual: object) -> bool:
    return actual is not None and normalize_value(requested) == normalize_value(actual)


def _raise_if_refused(request: Mapping[str, Any], model: Model) -> None:
    """Raise if GeekAI documents that the model does not support this request."""
    problems = [
        f"{model.id} does not support {field}; {_remedy(field, request, model)}"
        for field in model.refused_fields
        if field in request
    ]
    if problems:
        problems[-1] += f" ({model.facts['refuses'].sources[0]})"
    problems += [
        rule.message_for(model.id)
        for rule in rules()
        if rule.refuse and rule_applies(rule, request)
    ]
    if problems:
        raise RequestRefused("; ".join(problems), code="not_taken")


def _remedy(field: str, request: Mapping[str, Any], model: Model) -> str:
    instead: Mapping[str, str] = model.value("instead") or {}
    if field in instead:
        return instead[field]
    others = " or ".join(_alternatives(field, request, model))
    return f"leave it out, or use {others}" if others else "leave it out"


def _alternatives(field: str, request: Mapping[str, Any], model: Model) -> list[str]:
    """Models that support every field of the request, those of the same group first."""
    given = [name for name in FACT_BY_FIELD if is_given(request, name)]
    able = [
        other
        for other in models().values()
        if other.supports(FACT_BY_FIELD[field])
        and not other.supports("gone")
        and not set(other.refused_fields) & {field, *given}
        and all(other.value(FACT_BY_FIELD[name]) is not False for name in given)
        and (other.supports("text") or is_given(request, "image"))
    ]
    able.sort(key=lambda other: other.group != model.group)
    return [other.id for other in able[:MAX_ALTERNATIVES]]


def _rule_warnings(request: Mapping[str, Any], model: Model) -> Iterator[str]:
    for rule in rules():
        if not rule.refuse and rule_applies(rule, request):
            yield rule.message_for(model.id)


def _fact_warnings(request: Mapping[str, Any], model: Model) -> Iterator[str]:
    for field, name in FACT_BY_FIELD.items():
        fact = model.facts.get(name)
        if fact is None or not is_given(request, field):
            continue
        if fact.value is False and not (field == "image" and is_given(request, "image[]")):
            yield _ignored_warning(request, field, model)
        elif problem := _value_problem(request[field], field, fact.value, model.id):
            yield f"{problem} ({fact.sources[0]})"
    yield from _image_list_warnings(request, model)
    yield from _prompt_length_warnings(request, model)
    if model.value("text") is False and not any(
        is_given(request, one) for one in ("image", "images", "video", "extra_body")
    ):
        source = model.facts["text"].sources[0]
        yield f"{model.id} does not support text only; give an image ({source})"


def _ignored_warning(request: Mapping[str, Any], field: str, model: Model) -> str:
    others = " or ".join(_alternatives(field, request, model))
    suggestion = f"; {others} may support it" if others else ""
    return (
        f"{model.id} may not support {field}: it may be ignored and still charged{suggestion}"
        f" ({model.facts[FACT_BY_FIELD[field]].sources[0]})"
    )


def _value_problem(requested: object, field: str, supported: object, model: str) -> str | None:
    """What is wrong with a field's value for *model*."""
    if isinstance(requested, list):
        given = len(cast("list[object]", requested))
        if isinstance(supported, bool) or not isinstance(supported, int) or given <= supported:
            return None
        return f"{model} takes up to {supported} {field}; {given} were given"
    allowed = listed_values(supported)
    if allowed is None or normalize_value(requested) in map(normalize_value, allowed):
        return None
    listed = ", ".join(map(str, allowed)) if isinstance(supported, list) else str(supported)
    return (
        f"{field} {_format_value(requested)} is not among the values listed for {model}: {listed}"
    )


def _image_list_warnings(request: Mapping[str, Any], model: Model) -> Iterator[str]:
    if is_given(request, "image[]") and not model.supports("image_as_list"):
        listing = ", ".join(one.id for one in models().values() if one.supports("image_as_list"))
        yield f"only {listing} take image as a list; {model.id} may use only one of them, or none"


def _prompt_length_warnings(request: Mapping[str, Any], model: Model) -> Iterator[str]:
    fact = model.facts.get("prompt_limit")
    length = len(request["prompt"])
    if fact is not None and length > fact.value:
        note = f"; {fact.note}" if fact.note else ""
        yield (
            f"the prompt has {length} characters; {model.id} takes up to {fact.value}{note}"
            f" ({fact.sources[0]})"
        )


def _camera_warnings(request: Mapping[str, Any], model: Model) -> Iterator[str]:
    """What is doubtful of a camera control.

    Kling takes one camera move at a time, within limits, by ComfyUI's Kling schema.
    """
    control = value_at(request, "extra_body.camera_control")
    camera = model.facts.get("camera")
    if control and camera is not None and camera.value is False:
        yield (
            f"{model.id} may not support extra_body.camera_control: it may be ignored and still"
            f" charged; write the camera movement in the prompt ({camera.sources[0]})"
        )
        return
    moves = _camera_moves(control)
    if model.group != "Kling" or not moves:
        return
    if sum(reach != 0 for reach in moves.values()) > 1:
        named = ", ".join(list(moves)[:MAX_NAMED_MOVES])
        more = f" and {len(moves) - MAX_NAMED_MOVES} more" if len(moves) > MAX_NAMED_MOVES else ""
        yield f"{model.id} takes one camera move at a time; {named}{more} were given"
    if any(abs(reach) > MAX_CAMERA_MOVE for reach in moves.values()):
        yield f"{model.id} takes camera moves from -{MAX_CAMERA_MOVE} to {MAX_CAMERA_MOVE}"


def _camera_moves(control: object) -> dict[str, float]:
    """The moves of a camera control, which may be an object or its JSON text."""
    if isinstance(control, str):
        try:
            control = cast("object", json.loads(control))
        except (ValueError, RecursionError):
            return {}
    config = value_at({"control": control}, "control.config")
    if not isinstance(config, Mapping):
        return {}
    moves = cast("Mapping[str, object]", config)
    return {quote(k, limit=16): v for k, v in moves.items() if isinstance(v, (int, float))}


def _format_value(value: object) -> str:
    return quote(value, limit=32) if isinstance(value, str) else json.dumps(value)
