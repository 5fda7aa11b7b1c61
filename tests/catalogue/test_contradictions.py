"""No row of the catalogue says yes and no of the same thing, whatever is written there next."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import pytest

from geekai_video_mcp.domain.catalogue import (
    FACT_BY_FIELD,
    Fact,
    Model,
    listed_values,
    makes_video,
    models,
    needs,
    other_way,
    rules,
    takes,
)
from geekai_video_mcp.domain.catalogue.facts import normalize_value

FIELD_BY_FACT: Final = {
    **{fact: field for field, fact in FACT_BY_FIELD.items()},
    "camera": "extra_body.camera_control",
}
DOUBTS: Final = re.compile(r"uncertain|perhaps|probabl|may |might|not sure|\?")
"""Words of a note that make its fact a doubtful one."""
EXTRA: Final = re.compile(r"(\w+), in extra_body")
CAMERA_EXTRAS: Final = {
    *("camera_control", "movement_amplitude", "camera_strength", "camerafixed"),
}
ASKED_QUALITY: Final = re.compile(r"with quality=(\w+)")


def refused_fields(model: Model) -> Iterator[str]:
    """A field is refused, and the model has what it is for."""
    always: dict[str, object] = model.value("does") or {}
    instead: dict[str, str] = model.value("instead") or {}
    for field in model.refused_fields:
        fact = model.facts.get(FACT_BY_FIELD[field])
        if fact is None:
            continue
        if fact.value is False and fact.provenance != "documented":
            yield f"refuses {field} by GeekAI's page, and denies it only as {fact.provenance}"
        if fact.value is not False and field not in always and field not in instead:
            yield f"refuses {field}, has it, and names no other way to it"


def ways_out(model: Model) -> Iterator[str]:
    """What is to be done in place of a field cannot be done."""
    instead: dict[str, str] = model.value("instead") or {}
    for field, way in instead.items():
        if field not in model.refused_fields and takes(model, field):
            yield f"says what to do in place of {field}, which it takes"
        for other in re.findall(r"give (\w+)", way):
            if other in FACT_BY_FIELD and not takes(model, other):
                yield f"in place of {field} says to give {other}, which it does not take"
            if other == "image" and "list" in way and not model.value("image_as_list"):
                yield f"in place of {field} says to give a list, which it does not take"
        for other in re.findall(r"use ([\w.-]+)", way):
            if field in models()[other].refused_fields and not other_way(models()[other], field):
                yield f"in place of {field} says to use {other}, which refuses it too"


def what_it_always_does(model: Model) -> Iterator[str]:
    """What it always does is not refused, or is not among what it can do."""
    always: dict[str, object] = model.value("does") or {}
    for field, value in always.items():
        listed = listed_values(model.value(FACT_BY_FIELD[field]))
        if field not in model.refused_fields:
            yield f"always makes {field} {value}, and does not refuse another"
        if listed and value not in listed:
            yield f"always makes {field} {value}, which is not listed"


def lengths(model: Model) -> Iterator[str]:
    """A length that it makes by itself is not among its lengths."""
    listed, default = listed_values(model.value("seconds")) or [], model.value("default_seconds")
    if default is not None and default not in listed:
        yield f"makes {default} s without a duration, which is not listed"
    for rule in rules():
        if rule.applies_to(model.id) and rule.seconds and rule.seconds not in listed:
            yield f"a rule makes {rule.seconds} s of it, which is not listed"


def values_that_rules_ask_for(model: Model) -> Iterator[str]:
    """A rule asks for a value that the model does not have."""
    for rule in rules():
        for field, values in rule.unless.items() if rule.applies_to(model.id) else ():
            supported = model.value(FACT_BY_FIELD.get(field, ""))
            listed = map(normalize_value, listed_values(supported) or values)
            if supported is False or not set(listed) & set(values):
                yield f"a rule asks for {field} {'/'.join(values)}, which is not listed"


def cameras(model: Model) -> Iterator[str]:
    """Its camera and the members of extra_body that move it do not agree."""
    named, extras = set(EXTRA.findall(str(model.value("camera")))), set(model.value("extras") or ())
    for extra in named ^ (extras & CAMERA_EXTRAS):
        yield f"has {extra} as its camera or among its extras, and not as both"


def shapes(model: Model) -> Iterator[str]:
    """Its ratio depends on a size that is not known."""
    ratios = model.facts.get("ratios")
    if ratios and "size" in f"{ratios.value} {ratios.note}" and not model.supports("sizes"):
        yield "has its ratio by size, and no sizes are known"


def pictures(model: Model) -> Iterator[str]:
    """What it is made from does not suffice, or has no use."""
    if model.value("text") is False and makes_video(model) and not needs(model):
        yield "needs more than text, and nothing that it takes is known"
    if model.supports("last_frame") and not model.supports("first_frame"):
        yield "goes to a last frame from no first one"
    if model.supports("image_as_list") and not (
        model.supports("last_frame") or model.supports("references")
    ):
        yield "takes a list of pictures, and neither references nor a last frame"


def prices(model: Model) -> Iterator[str]:
    """It has two prices."""
    if {"cny_per_video", "cny_per_second"} <= set(model.facts):
        yield "costs so much per video and so much per second"


def marks(model: Model) -> Iterator[str]:
    """A fact is surer than its note or its source."""
    for name, fact in model.facts.items():
        if DOUBTS.search(fact.note) and fact.provenance != "inferred":
            yield f"doubts {name} in a note, and marks it {fact.provenance}"
        if fact.provenance not in {fact.sources[0].mark, "inferred"}:
            yield f"marks {name} {fact.provenance}, against its source"


def qualities_in_notes(model: Model) -> Iterator[str]:
    """A note asks for a quality that is not listed, or of which no rule knows."""
    for name, fact in model.facts.items():
        for quality in ASKED_QUALITY.findall(fact.note):
            if quality not in (listed_values(model.value("quality")) or ()):
                yield f"has {name} with quality={quality}, which is not listed"
            if not has_rule_about(model, FIELD_BY_FACT[name], quality):
                yield f"has {name} with quality={quality}, of which no rule knows"


def has_rule_about(model: Model, field: str, quality: str) -> bool:
    return any(
        rule.applies_to(model.id)
        and rule.unless.get("quality") == (quality,)
        and field in {*rule.with_, *rule.when}
        for rule in rules()
    )


KINDS: Final[tuple[Callable[[Model], Iterator[str]], ...]] = (
    refused_fields,
    ways_out,
    what_it_always_does,
    lengths,
    values_that_rules_ask_for,
    cameras,
    shapes,
    pictures,
    prices,
    marks,
    qualities_in_notes,
)


@pytest.mark.parametrize("model", models().values(), ids=lambda model: model.id)
def test_no_row_says_yes_and_no_of_the_same_thing(model: Model) -> None:
    assert [words for kind in KINDS for words in kind(model)] == []


DOCUMENTED = models()["cogvideox-3"].facts["sizes"]
INFERRED = models()["cogvideox-3"].facts["default_seconds"]


def fact(value: object, *, note: str = "", like: Fact = DOCUMENTED) -> Fact:
    return replace(like, value=value, note=note)


YES: Final = fact(value=True)
NO: Final = fact(value=False)
REFUSES_LAST: Final = {"refuses": fact(["image_tail"])}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({**REFUSES_LAST, "last_frame": YES, "first_frame": YES}, "no other way"),
        ({**REFUSES_LAST, "last_frame": fact(value=False, like=INFERRED)}, "only as inferred"),
        (
            {**REFUSES_LAST, "instead": fact({"image_tail": "give size"}), "sizes": NO},
            "says to give size",
        ),
        (
            {**REFUSES_LAST, "instead": fact({"image_tail": "use cogvideox-flash"})},
            "which refuses it too",
        ),
        (
            {**REFUSES_LAST, "instead": fact({"image_tail": "give image as a list"})},
            "says to give a list",
        ),
        (
            {"instead": fact({"size": "leave it out"}), "sizes": fact(["1280x720"])},
            "size, which it takes",
        ),
        ({"does": fact({"duration": 5})}, "does not refuse another"),
        ({"seconds": fact([5, 10]), "default_seconds": fact(6)}, "makes 6 s without a duration"),
        ({"extras": fact(["camera_control"]), "camera": NO}, "has camera_control"),
        ({"extras": fact(["seed"]), "camera": fact("camerafixed, in extra_body")}, "camerafixed"),
        ({"ratios": fact("by size")}, "no sizes are known"),
        ({"ratios": fact(value=False, note="by size"), "sizes": NO}, "no sizes are known"),
        ({"text": NO}, "needs more than text"),
        ({"last_frame": YES, "first_frame": NO}, "from no first one"),
        ({"image_as_list": YES}, "takes a list of pictures"),
        ({"cny_per_video": fact(1), "cny_per_second": fact(1)}, "so much per second"),
        ({"sound": fact(value=False, note="uncertain")}, "doubts sound"),
        ({"sound": fact(value=True, note="with quality=pro")}, "no rule knows"),
    ],
    ids=str,
)
def test_a_contradiction_is_found(facts: dict[str, Fact], words: str) -> None:
    model = Model(id="new", group="New", facts=facts)

    assert any(words in found for kind in KINDS for found in kind(model))


@pytest.mark.parametrize(
    ("id_", "facts", "words"),
    [
        ("kling-video-v2-6", {"quality": NO}, "asks for quality pro"),
        ("kling-video-v2-6", {"quality": fact(["std"])}, "asks for quality pro"),
        ("veo-3.0-generate-001", {"seconds": fact([4, 6])}, "a rule makes 8 s of it"),
        ("kling-video-o1", {"seconds": fact("6-9")}, "asks for duration 5/10"),
    ],
)
def test_a_fact_that_a_rule_contradicts_is_found(
    id_: str, facts: dict[str, Fact], words: str
) -> None:
    model = Model(id=id_, group="New", facts=facts)

    assert any(words in found for kind in KINDS for found in kind(model))
