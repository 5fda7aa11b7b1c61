"""A request against what is known of its model, before it can cost anything. Pure.

Refused is what GeekAI itself documents as not taken, and nothing else. All other knowledge is
of the makers' own APIs, or a guess: it warns, and the request goes as the caller wrote it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from geekai_video_mcp.catalogue.facts import (
    Model,
    Rule,
    defaults,
    listed_values,
    models,
    normalize_value,
    rules,
)
from geekai_video_mcp.catalogue.names import (
    LiveModel,
    availability,
    is_close,
    unknown_model_message,
)
from geekai_video_mcp.errors import RequestRefused, quote

SANDBOX_MODEL: Final = "sandbox"
"""Takes everything."""
RETRIES_WARNING: Final = (
    "retries lets GeekAI attempt a failed generation again, which may cost more"
)
MAX_CAMERA_MOVE: Final = 10
"""Either way, of each of Kling's camera moves; ComfyUI's Kling schema, 2026-08-21."""
MAX_ALTERNATIVES: Final = 2
"""Other models named as a way out: more would be a list to choose from again."""

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
"""By field of the request: the fact that tells what a model takes there."""

_MORE_THAN: Final = re.compile(r"(\w+)>(\d+)")
Request = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CheckedRequest:
    """A request as it is to be sent, and what its caller should hear."""

    body: dict[str, Any]
    warnings: tuple[str, ...] = ()


def with_general_warnings(request: Request) -> CheckedRequest:
    """The request as it is, with what holds for every model."""
    return CheckedRequest(
        body=dict(request), warnings=(RETRIES_WARNING,) if request.get("retries") else ()
    )


def check_request(
    request: Request, *, live: Mapping[str, LiveModel] | None = None
) -> CheckedRequest:
    """The request to send in place of *request*.

    *live* holds the video models that the service listed within the last hour; None if it did not.

    Raises:
        RequestRefused: its model does not take it, or there is no such model.
    """
    name = str(request["model"])
    if name == SANDBOX_MODEL:
        return CheckedRequest(body=dict(request))
    general = with_general_warnings(request).warnings
    model = models().get(name)
    if model is None:
        return CheckedRequest(
            body=dict(request), warnings=(*general, *_check_unknown_model(name, live))
        )
    kept, notes = _drop_defaults(request, model)
    _raise_if_refused(kept, model)
    news = availability(name, live)
    found = [
        *general,
        *([f"{name} is {news}"] if news else []),
        *notes,
        *_rule_warnings(kept, model),
        *_fact_warnings(kept, model),
        *_camera_warnings(kept, model),
    ]
    return CheckedRequest(body=kept, warnings=tuple(dict.fromkeys(found)))


def _check_unknown_model(name: str, live: Mapping[str, LiveModel] | None) -> Iterator[str]:
    if live and name not in live:
        raise RequestRefused(unknown_model_message(name, live), code="unknown_model")
    if not live and is_close(name):
        yield f"{unknown_model_message(name)}; it is sent as it is"


def _drop_defaults(request: Request, model: Model) -> tuple[dict[str, Any], list[str]]:
    """The request without fields that the model has no choice in and that ask for no change."""
    kept, notes = dict(request), list[str]()
    does: Mapping[str, object] = model.value("does") or {}
    for field in model.refused_fields:
        asked = request.get(field)
        anyway = does.get(field, defaults().get(field))
        if asked is None or not (
            _same_value(asked, anyway) or _same_value(asked, defaults().get(field))
        ):
            continue
        del kept[field]
        always = f", and it always has {_format_value(anyway)}" if field in does else ""
        notes.append(f"{field} was left out: {model.id} does not take it{always}")
    return kept, notes


def _same_value(asked: object, anyway: object) -> bool:
    return anyway is not None and normalize_value(asked) == normalize_value(anyway)


def _raise_if_refused(request: Request, model: Model) -> None:
    """Raise if GeekAI documents that the model does not take this."""
    problems = [
        f"{model.id} does not take {field}; {_remedy(field, request, model)}"
        for field in model.refused_fields
        if field in request
    ]
    if problems:
        problems[-1] += f" ({model.facts['refuses'].sources[0]})"
    problems += [
        rule.message_for(model.id)
        for rule in rules()
        if rule.refuse and _rule_applies(rule, request)
    ]
    if problems:
        raise RequestRefused("; ".join(problems), code="not_taken")


def _remedy(field: str, request: Request, model: Model) -> str:
    instead: Mapping[str, str] = model.value("instead") or {}
    if field in instead:
        return instead[field]
    others = " or ".join(_alternatives(field, request, model))
    return f"leave it out, or use {others}" if others else "leave it out"


def _alternatives(field: str, request: Request, model: Model) -> list[str]:
    """Models that take what is asked for here, this one's kin first."""
    asked = [name for name in FACT_BY_FIELD if _is_given(request, name)]
    able = [
        other
        for other in models().values()
        if other.supports(FACT_BY_FIELD[field])
        and not other.supports("gone")
        and not set(other.refused_fields) & {field, *asked}
        and all(other.value(FACT_BY_FIELD[name]) is not False for name in asked)
        and (other.supports("text") or _is_given(request, "image"))
    ]
    able.sort(key=lambda other: other.group != model.group)
    return [other.id for other in able[:MAX_ALTERNATIVES]]


def _rule_warnings(request: Request, model: Model) -> Iterator[str]:
    for rule in rules():
        if not rule.refuse and _rule_applies(rule, request):
            yield rule.message_for(model.id)


def _rule_applies(rule: Rule, request: Request) -> bool:
    return (
        rule.applies_to(request["model"])
        and all(any(_is_given(request, one) for one in each.split("|")) for each in rule.with_)
        and not any(_is_given(request, one) for one in rule.without)
        and all(
            normalize_value(_value_at(request, name)) in among for name, among in rule.when.items()
        )
        and not any(
            normalize_value(_value_at(request, name)) in among
            for name, among in rule.unless.items()
        )
    )


def _is_given(request: Request, entry: str) -> bool:
    """Whether *request* asks for *entry*, as `models.toml` spells one."""
    if counted := _MORE_THAN.fullmatch(entry):
        return _count_items(request, counted[1]) > int(counted[2])
    if entry.endswith("[]"):
        return isinstance(request.get(entry.removesuffix("[]")), list)
    return bool(_value_at(request, entry))


def _count_items(request: Request, what: str) -> int:
    if what == "media":
        return sum(_count_items(request, name) for name in ("images", "video", "audio"))
    there = _value_at(request, what)
    return len(cast("list[object]", there)) if isinstance(there, list) else int(bool(there))


def _value_at(request: Request, path: str) -> object:
    """The value at *path*; None where there is none."""
    here: object = request
    for step in path.split("."):
        here = cast("Mapping[str, object]", here).get(step) if isinstance(here, Mapping) else None
    return here


def _fact_warnings(request: Request, model: Model) -> Iterator[str]:
    for field, name in FACT_BY_FIELD.items():
        fact = model.facts.get(name)
        if fact is None or not _is_given(request, field):
            continue
        if fact.value is False and not (field == "image" and _is_given(request, "image[]")):
            yield _ignored_warning(request, field, model)
        elif problem := _value_problem(request[field], field, fact.value):
            yield f"{problem.format(model=model.id)} ({fact.sources[0]})"
    yield from _image_list_warnings(request, model)
    yield from _prompt_length_warnings(request, model)
    if model.value("text") is False and not any(
        _is_given(request, one) for one in ("image", "images", "video", "extra_body")
    ):
        source = model.facts["text"].sources[0]
        yield f"{model.id} makes no video from text alone; give an image ({source})"


def _ignored_warning(request: Request, field: str, model: Model) -> str:
    others = " or ".join(_alternatives(field, request, model))
    return (
        f"{model.id} is not known to take {field}, which may be ignored and paid for all the same"
        f"{f'; {others} may' if others else ''} ({model.facts[FACT_BY_FIELD[field]].sources[0]})"
    )


def _value_problem(asked: object, field: str, known: object) -> str | None:
    """What is wrong with a field's value, in a sentence that lacks the model's name."""
    if isinstance(asked, list):
        given = len(cast("list[object]", asked))
        if isinstance(known, bool) or not isinstance(known, int) or given <= known:
            return None
        return f"{{model}} takes up to {known} {field}, and {given} are given"
    allowed = listed_values(known)
    if allowed is None or normalize_value(asked) in map(normalize_value, allowed):
        return None
    listed = _format_values(known)
    return f"{field} {_format_value(asked)} is none of those listed for {{model}}: {listed}"


def _format_values(known: object) -> str:
    if isinstance(known, list):
        return ", ".join(map(str, cast("list[object]", known)))
    return str(known)


def _image_list_warnings(request: Request, model: Model) -> Iterator[str]:
    if _is_given(request, "image[]") and not model.supports("image_as_list"):
        listing = ", ".join(one.id for one in models().values() if one.supports("image_as_list"))
        yield f"image as a list is known of {listing} alone; {model.id} may use none or one of it"


def _prompt_length_warnings(request: Request, model: Model) -> Iterator[str]:
    fact = model.facts.get("prompt_limit")
    length = len(request["prompt"])
    if fact is not None and length > fact.value:
        note = f"; {fact.note}" if fact.note else ""
        yield (
            f"the prompt has {length} characters, and {model.id} takes {fact.value}{note}"
            f" ({fact.sources[0]})"
        )


def _camera_warnings(request: Request, model: Model) -> Iterator[str]:
    """Kling's camera moves: one of them, and not too far; by ComfyUI's Kling schema."""
    moves = _camera_moves(_value_at(request, "extra_body.camera_control"))
    if model.group != "Kling" or not moves:
        return
    if sum(reach != 0 for reach in moves.values()) > 1:
        yield f"{model.id} takes one camera move at a time, and {', '.join(moves)} are given"
    if any(abs(reach) > MAX_CAMERA_MOVE for reach in moves.values()):
        yield f"{model.id} takes camera moves from -{MAX_CAMERA_MOVE} to {MAX_CAMERA_MOVE}"


def _camera_moves(control: object) -> dict[str, float]:
    """The moves of a camera control of either documented kind, object or JSON."""
    if isinstance(control, str):
        try:
            control = cast("object", json.loads(control))
        except ValueError:
            return {}
    config = _value_at({"control": control}, "control.config")
    if not isinstance(config, Mapping):
        return {}
    moves = cast("Mapping[str, object]", config)
    return {quote(k, limit=16): v for k, v in moves.items() if isinstance(v, (int, float))}


def _format_value(value: object) -> str:
    return quote(value, limit=32) if isinstance(value, str) else json.dumps(value)
