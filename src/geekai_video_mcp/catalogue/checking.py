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
    rules,
    word,
)
from geekai_video_mcp.catalogue.names import Listed, is_close, standing, unknown
from geekai_video_mcp.errors import RequestRefused, quoted

SANDBOX_MODEL: Final = "sandbox"
"""Takes everything."""
RETRIES: Final = "retries lets GeekAI attempt a failed generation again, which may cost more"
CAMERA_REACH: Final = 10
"""Either way, of each of Kling's camera moves; ComfyUI's Kling schema, 2026-08-21."""
OFFERED: Final = 2
"""Other models named as a way out: more would be a list to choose from again."""

FACT_OF: Final[Mapping[str, str]] = {
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

_COUNTED: Final = re.compile(r"(\w+)>(\d+)")
Request = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A request as it is to be sent, and what its caller should hear."""

    request: dict[str, Any]
    warnings: tuple[str, ...] = ()


def unchecked(request: Request) -> Checked:
    """The request as it is, with what holds for every model."""
    return Checked(request=dict(request), warnings=(RETRIES,) if request.get("retries") else ())


def check(request: Request, *, listed: Mapping[str, Listed] | None = None) -> Checked:
    """The request to send in place of *request*.

    *listed* are the videos' models as the service listed them within the hour, if it did.

    Raises:
        RequestRefused: its model does not take it, or there is no such model.
    """
    name = str(request["model"])
    if name == SANDBOX_MODEL:
        return Checked(request=dict(request))
    general = unchecked(request).warnings
    model = models().get(name)
    if model is None:
        return Checked(request=dict(request), warnings=(*general, *_stranger(name, listed)))
    kept, notes = _without_what_is_anyway(request, model)
    _refuse(kept, model)
    news = standing(name, listed)
    found = [
        *general,
        *([f"{name} is {news}"] if news else []),
        *notes,
        *_by_rules(kept, model),
        *_by_facts(kept, model),
        *_by_camera(kept, model),
    ]
    return Checked(request=kept, warnings=tuple(dict.fromkeys(found)))


def _stranger(name: str, listed: Mapping[str, Listed] | None) -> Iterator[str]:
    if listed and name not in listed:
        raise RequestRefused(unknown(name, listed), code="unknown_model")
    if not listed and is_close(name):
        yield f"{unknown(name)}; it is sent as it is"


def _without_what_is_anyway(request: Request, model: Model) -> tuple[dict[str, Any], list[str]]:
    """The request without fields that the model has no choice in and that ask for no change."""
    kept, notes = dict(request), list[str]()
    does: Mapping[str, object] = model.value("does") or {}
    for field in model.refuses:
        asked = request.get(field)
        anyway = does.get(field, defaults().get(field))
        if asked is None or not (_same(asked, anyway) or _same(asked, defaults().get(field))):
            continue
        del kept[field]
        always = f", and it always has {_shown(anyway)}" if field in does else ""
        notes.append(f"{field} was left out: {model.id} does not take it{always}")
    return kept, notes


def _same(asked: object, anyway: object) -> bool:
    return anyway is not None and word(asked) == word(anyway)


def _refuse(request: Request, model: Model) -> None:
    """Raise if GeekAI documents that the model does not take this."""
    problems = [
        f"{model.id} does not take {field}; {_way_out(field, request, model)}"
        for field in model.refuses
        if field in request
    ]
    if problems:
        problems[-1] += f" ({model.facts['refuses'].sources[0]})"
    problems += [
        rule.said_of(model.id) for rule in rules() if rule.refuse and _holds(rule, request)
    ]
    if problems:
        raise RequestRefused("; ".join(problems), code="not_taken")


def _way_out(field: str, request: Request, model: Model) -> str:
    instead: Mapping[str, str] = model.value("instead") or {}
    if field in instead:
        return instead[field]
    others = " or ".join(_others(field, request, model))
    return f"leave it out, or use {others}" if others else "leave it out"


def _others(field: str, request: Request, model: Model) -> list[str]:
    """Models that take what is asked for here, this one's kin first."""
    asked = [name for name in FACT_OF if _given(request, name)]
    able = [
        other
        for other in models().values()
        if other.takes(FACT_OF[field])
        and not other.takes("gone")
        and not set(other.refuses) & {field, *asked}
        and all(other.value(FACT_OF[name]) is not False for name in asked)
        and (other.takes("text") or _given(request, "image"))
    ]
    able.sort(key=lambda other: other.group != model.group)
    return [other.id for other in able[:OFFERED]]


def _by_rules(request: Request, model: Model) -> Iterator[str]:
    for rule in rules():
        if not rule.refuse and _holds(rule, request):
            yield rule.said_of(model.id)


def _holds(rule: Rule, request: Request) -> bool:
    return (
        rule.about(request["model"])
        and all(any(_given(request, one) for one in each.split("|")) for each in rule.with_)
        and not any(_given(request, one) for one in rule.without)
        and all(word(_member(request, name)) in among for name, among in rule.when.items())
        and not any(word(_member(request, name)) in among for name, among in rule.unless.items())
    )


def _given(request: Request, entry: str) -> bool:
    """Whether *request* asks for *entry*, as `models.toml` spells one."""
    if counted := _COUNTED.fullmatch(entry):
        return _count(request, counted[1]) > int(counted[2])
    if entry.endswith("[]"):
        return isinstance(request.get(entry.removesuffix("[]")), list)
    return bool(_member(request, entry))


def _count(request: Request, what: str) -> int:
    if what == "media":
        return sum(_count(request, name) for name in ("images", "video", "audio"))
    there = _member(request, what)
    return len(cast("list[object]", there)) if isinstance(there, list) else int(bool(there))


def _member(request: Request, path: str) -> object:
    """The value at *path*; None where there is none."""
    here: object = request
    for step in path.split("."):
        here = cast("Mapping[str, object]", here).get(step) if isinstance(here, Mapping) else None
    return here


def _by_facts(request: Request, model: Model) -> Iterator[str]:
    for field, name in FACT_OF.items():
        fact = model.facts.get(name)
        if fact is None or not _given(request, field):
            continue
        if fact.value is False and not (field == "image" and _given(request, "image[]")):
            yield _ignored(request, field, model)
        elif problem := _unfit(request[field], field, fact.value):
            yield f"{problem.format(model=model.id)} ({fact.sources[0]})"
    yield from _list_for_one(request, model)
    yield from _too_long(request, model)
    if model.value("text") is False and not any(
        _given(request, one) for one in ("image", "images", "video", "extra_body")
    ):
        source = model.facts["text"].sources[0]
        yield f"{model.id} makes no video from text alone; give an image ({source})"


def _ignored(request: Request, field: str, model: Model) -> str:
    others = " or ".join(_others(field, request, model))
    return (
        f"{model.id} is not known to take {field}, which may be ignored and paid for all the same"
        f"{f'; {others} may' if others else ''} ({model.facts[FACT_OF[field]].sources[0]})"
    )


def _unfit(asked: object, field: str, known: object) -> str | None:
    """What is wrong with a field's value, in a sentence that lacks the model's name."""
    if isinstance(asked, list):
        given = len(cast("list[object]", asked))
        if isinstance(known, bool) or not isinstance(known, int) or given <= known:
            return None
        return f"{{model}} takes up to {known} {field}, and {given} are given"
    allowed = listed_values(known)
    if allowed is None or word(asked) in map(word, allowed):
        return None
    return f"{field} {_shown(asked)} is none of those listed for {{model}}: {_listing(known)}"


def _listing(known: object) -> str:
    if isinstance(known, list):
        return ", ".join(map(str, cast("list[object]", known)))
    return str(known)


def _list_for_one(request: Request, model: Model) -> Iterator[str]:
    if _given(request, "image[]") and not model.takes("image_as_list"):
        listing = ", ".join(one.id for one in models().values() if one.takes("image_as_list"))
        yield f"image as a list is known of {listing} alone; {model.id} may use none or one of it"


def _too_long(request: Request, model: Model) -> Iterator[str]:
    fact = model.facts.get("prompt_limit")
    length = len(request["prompt"])
    if fact is not None and length > fact.value:
        note = f"; {fact.note}" if fact.note else ""
        yield (
            f"the prompt has {length} characters, and {model.id} takes {fact.value}{note}"
            f" ({fact.sources[0]})"
        )


def _by_camera(request: Request, model: Model) -> Iterator[str]:
    """Kling's camera moves: one of them, and not too far; by ComfyUI's Kling schema."""
    moves = _moves(_member(request, "extra_body.camera_control"))
    if model.group != "Kling" or not moves:
        return
    if sum(reach != 0 for reach in moves.values()) > 1:
        yield f"{model.id} takes one camera move at a time, and {', '.join(moves)} are given"
    if any(abs(reach) > CAMERA_REACH for reach in moves.values()):
        yield f"{model.id} takes camera moves from -{CAMERA_REACH} to {CAMERA_REACH}"


def _moves(control: object) -> dict[str, float]:
    """The moves of a camera control of either documented kind, object or JSON."""
    if isinstance(control, str):
        try:
            control = cast("object", json.loads(control))
        except ValueError:
            return {}
    config = _member({"control": control}, "control.config")
    if not isinstance(config, Mapping):
        return {}
    moves = cast("Mapping[str, object]", config)
    return {quoted(k, limit=16): v for k, v in moves.items() if isinstance(v, (int, float))}


def _shown(value: object) -> str:
    return quoted(value, limit=32) if isinstance(value, str) else json.dumps(value)
