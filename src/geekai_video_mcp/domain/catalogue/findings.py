"""What of a request its model would ignore or reject, by the facts. Pure.

Each finding says who says so and what to do instead; `checking` decides what is refused.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from geekai_video_mcp.domain.catalogue.camera import find_camera_problems
from geekai_video_mcp.domain.catalogue.capabilities import needs
from geekai_video_mcp.domain.catalogue.conditions import is_given, rule_applies
from geekai_video_mcp.domain.catalogue.facts import (
    FACT_BY_FIELD,
    Certainty,
    Fact,
    Model,
    Rule,
    Source,
    defaults,
    listed_values,
    models,
    normalize_value,
    rules_of,
)
from geekai_video_mcp.domain.catalogue.finding import Finding, format_value
from geekai_video_mcp.domain.wording import join_words

LEAVE_OUT: Final = "leave it out"
_OPEN_LISTS: Final = frozenset({"size", "fps", "quality"})
"""Fields for which models take more than their documents list: GeekAI's own reference page lists
only 24, 30 and 60 fps, and its page of Seedance 16 (read 2026-11-22)."""
_IN_THE_PROMPT: Final = {
    "negative_prompt": "leave it out, and say in the prompt what to see instead"
}
_INPUTS: Final = ("image", "images", "video", "extra_body")
"""What a model that does not work from text alone may be given."""


def find_problems(
    request: Mapping[str, Any], model: Model, *, judged: Collection[str] = ()
) -> list[Finding]:
    """Everything that is known against *request* with its model, but for the fields *judged*."""
    applying = [rule for rule in rules_of(model.id) if rule_applies(rule, request)]
    covered = {*judged, *(name for rule in applying for name in _fields_of(rule))}
    return [
        *_find_refused_fields({k: v for k, v in request.items() if k not in judged}, model),
        *(_rule_finding(rule, model) for rule in applying),
        *_check_fields(request, model, covered),
        *_check_inputs(request, model),
        *_check_image_list(request, model),
        *_check_prompt_length(request, model),
        *find_camera_problems(request, model),
    ]


def _fields_of(rule: Rule) -> Iterator[str]:
    """The fields whose values the rule judges, so that they are not judged twice."""
    yield from rule.when
    yield from rule.unless
    if rule.seconds is not None:
        yield "duration"


def _rule_finding(rule: Rule, model: Model) -> Finding:
    return Finding(
        problem=rule.problem_for(model.id),
        remedy=rule.remedy,
        certainty=rule.certainty,
        source=rule.sources[0],
        ignored=False,
    )


def _find_refused_fields(request: Mapping[str, Any], model: Model) -> Iterator[Finding]:
    fact = model.facts.get("refuses")
    for field in model.refused_fields:
        if fact is not None and field in request:
            yield _unsupported(field, fact, model)


def _check_fields(request: Mapping[str, Any], model: Model, covered: set[str]) -> Iterator[Finding]:
    for field, name in FACT_BY_FIELD.items():
        fact = model.facts.get(name)
        if (
            fact is None
            or field in {*covered, *model.refused_fields}
            or not is_given(request, field)
        ):
            continue
        if fact.value is False:
            if not (
                _is_default(request[field], field)
                or (field == "image" and is_given(request, "image[]"))
            ):
                yield _unsupported(field, fact, model)
        elif isinstance(request[field], list):
            yield from _check_count(request[field], field, fact, model)
        else:
            yield from _check_value(request[field], field, fact, model)


def _is_default(value: object, field: str) -> bool:
    """Whether the field asks for no more than what happens without it."""
    default = defaults().get(field)
    return default is not None and normalize_value(value) == normalize_value(default)


def _unsupported(field: str, fact: Fact, model: Model) -> Finding:
    may = "may not" if fact.certainty == "doubt" else "does not"
    instead: Mapping[str, str] = model.value("instead") or {}
    return Finding(
        problem=f"{model.id} {may} support {field}",
        remedy=instead.get(field, _IN_THE_PROMPT.get(field, LEAVE_OUT)),
        certainty=fact.certainty,
        source=fact.sources[0],
    )


def _check_count(
    given: Sequence[object], field: str, fact: Fact, model: Model
) -> Iterator[Finding]:
    most = fact.value
    if isinstance(most, int) and not isinstance(most, bool) and len(given) > most:
        yield Finding(
            problem=f"{model.id} takes up to {most} {field}; {len(given)} were given",
            remedy="leave some out",
            certainty=fact.certainty,
            source=fact.sources[0],
        )


def _check_value(value: object, field: str, fact: Fact, model: Model) -> Iterator[Finding]:
    """What is wrong with a value that the model's documents do not list."""
    allowed = listed_values(fact.value)
    if allowed is None:
        if isinstance(fact.value, str) and not any(map(str.isdigit, fact.value)):
            yield _taken_from_elsewhere(field, fact, model)
        return
    if normalize_value(value) in map(normalize_value, allowed):
        return
    listed = fact.value if isinstance(fact.value, str) else join_words(allowed)
    unit = " s" if field == "duration" else ""
    nearest = allowed if len(allowed) == 1 else _neighbours(value, allowed)
    by_quality = field == "resolution" and model.supports("quality_of_resolution")
    open_list = field in _OPEN_LISTS or by_quality or fact.certainty == "doubt"
    sure: Certainty = "doubt" if open_list else "maker"
    yield Finding(
        problem=f"{model.id} lists no {field} {format_value(value)}, only"
        f" {listed.replace('-', ' to ') if unit else listed}{unit}",
        remedy=f"give {join_words(nearest)}" if nearest else "give one of these",
        certainty=sure,  # never GeekAI's: a list may have grown since it was read
        source=fact.sources[0],
    )


def _taken_from_elsewhere(field: str, fact: Fact, model: Model) -> Finding:
    """Of a field whose fact says where its value comes from: that of the size, or of the image."""
    by_size = "size" in fact.value
    return Finding(
        problem=f"{model.id} {'may' if by_size else 'does'} not take {field}: it is {fact.value}",
        remedy="give size"
        if by_size
        else "leave it out, and give an image of the shape that you want",
        # GeekAI may turn it into the maker's own way of saying it.
        certainty="doubt" if by_size else fact.certainty,
        source=fact.sources[0],
    )


def _neighbours(value: object, allowed: Sequence[Any]) -> list[int]:
    """The numbers among *allowed* next below and above *value*; empty if they are words."""
    if not isinstance(value, int | float) or not all(isinstance(one, int) for one in allowed):
        return []
    below = max((one for one in allowed if one < value), default=None)
    above = min((one for one in allowed if one > value), default=None)
    return [one for one in (below, above) if one is not None]


def _check_inputs(request: Mapping[str, Any], model: Model) -> Iterator[Finding]:
    fact = model.facts.get("text")
    if (
        fact is not None
        and fact.value is False
        and not any(is_given(request, one) for one in _INPUTS)
    ):
        may = "may not" if fact.certainty == "doubt" else "does not"
        needed = ["an image" if name == "image" else name for name in needs(model)]
        yield Finding(
            problem=f"{model.id} {may} support text only",
            remedy=f"give {join_words(needed)}" if needed else "give an image",
            certainty=fact.certainty,
            source=fact.sources[0],
            ignored=False,
        )


def _check_image_list(request: Mapping[str, Any], model: Model) -> Iterator[Finding]:
    if is_given(request, "image[]") and not model.supports("image_as_list"):
        listing = join_words([one.id for one in models().values() if one.supports("image_as_list")])
        yield Finding(
            problem=f"only {listing} take image as a list; {model.id} may use only one of them, or"
            " none",
            remedy="give one image, and references as images",
            certainty="doubt",
            source=_source_of_lists(),
            ignored=False,
        )


def _source_of_lists() -> Source:
    listing = (one.facts.get("image_as_list") for one in models().values())
    return next(fact.sources[0] for fact in listing if fact is not None)


def _check_prompt_length(request: Mapping[str, Any], model: Model) -> Iterator[Finding]:
    fact, length = model.facts.get("prompt_limit"), len(request["prompt"])
    if fact is None or length <= fact.value:
        return
    note = f"; {fact.note}" if fact.note else ""
    yield Finding(
        problem=f"the prompt has {length} characters; {model.id} takes up to {fact.value}{note}",
        remedy="shorten it",
        certainty=fact.certainty if model.supports("prompt_cut") else "doubt",
        source=fact.sources[0],
        ignored=False,
    )
