"""A request in the words of its model: what means the same, written as the model takes it. Pure.

Each translation is said in a note. What cannot be translated is left as it is, with a finding.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Any, Final

from geekai_video_mcp.domain.catalogue.capabilities import SIZE, resolution_name, takes
from geekai_video_mcp.domain.catalogue.facts import (
    Fact,
    Model,
    defaults,
    listed_values,
    normalize_value,
)
from geekai_video_mcp.domain.catalogue.finding import Finding, format_value
from geekai_video_mcp.domain.wording import join_words
from geekai_video_mcp.quoting import quote_unless_id

DEFAULT_RATIO: Final = "16:9"
"""Ratio of a request that names none, by GeekAI's reference page, read 2026-11-22."""
RATIO_SLACK: Final = 0.03
"""Share by which a size may differ from its ratio: 854x480 is meant to be 16:9."""
_RATIO: Final = re.compile(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")
_HIGHER: Final = frozenset(
    {"high", "higher", "highest", "best", "hq", "hd", "pro", "professional", "max", "高"}
)
_LOWER: Final = frozenset({"std", "standard", "normal", "low", "draft", "fast", "default", "标准"})
_BETTER_QUALITIES: Final = ("pro", "quality")
_USUAL_QUALITIES: Final = ("std", "speed")


@dataclass
class Translation:
    """A request on its way into its model's words."""

    body: dict[str, Any]
    notes: list[str] = field(default_factory=list[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    judged: set[str] = field(default_factory=set[str])
    """Fields of which a finding says what is wrong."""

    incomplete: bool = False
    """Whether a part of a field has no counterpart, which a note says."""

    def replace(self, given: Mapping[str, Any], sent: Mapping[str, Any], why: str) -> None:
        """Send *sent* in the place of the fields of *given*."""
        for name in given:
            self.body.pop(name, None)
        self.body |= sent
        was = "was" if len(given) == 1 else "were"
        self.notes.append(f"{_named(given)} {was} sent as {_named(sent)}: {why}")

    def find(self, problem: str, remedy: str, fact: Fact, *fields: str) -> None:
        """Add what is wrong with *fields*, by *fact*."""
        source, certainty = fact.sources[0], fact.certainty
        self.findings.append(
            Finding(problem=problem, remedy=remedy, certainty=certainty, source=source)
        )
        self.judged.update(fields)

    def leave_out(self, name: str, why: str) -> None:
        del self.body[name]
        self.notes.append(f"{name} was left out: {why}")


def translate(request: Mapping[str, Any], model: Model) -> Translation:
    """The request as the model takes it, with what was changed and what could not be."""
    translation = Translation(body=dict(request))
    _drop_defaults(translation, model)
    _translate_last_frame(translation, model)
    _translate_quality(translation, model)
    if _takes_size_alone(model):
        _translate_to_size(translation, model)
    elif "size" in translation.body and not takes(model, "size"):
        _translate_from_size(translation, model)
    _translate_resolution_to_quality(translation, model)
    return translation


def _drop_defaults(translation: Translation, model: Model) -> None:
    """Leave out unsupported fields whose value is what the model does anyway."""
    does: Mapping[str, object] = model.value("does") or {}
    for name in model.refused_fields:
        requested = translation.body.get(name)
        actual = does.get(name, defaults().get(name))
        if requested is None or not (
            _same_value(requested, actual) or _same_value(requested, defaults().get(name))
        ):
            continue
        value = actual if isinstance(actual, str) else format_value(actual)
        always = f"; its videos always have {name} {value}" if name in does else ""
        translation.leave_out(name, f"{model.id} does not support it{always}")


def _same_value(requested: object, actual: object) -> bool:
    return actual is not None and normalize_value(requested) == normalize_value(actual)


def _translate_last_frame(translation: Translation, model: Model) -> None:
    body = translation.body
    if not model.supports("frames_as_list") or "image_tail" not in body:
        return
    first, fact = body.get("image"), model.facts["frames_as_list"]
    if isinstance(first, str):
        frames = {"image": [first, body["image_tail"]]}
        del body["image_tail"]
        body |= frames
        translation.notes.append(
            "image and image_tail were sent as one list, image, as"
            f" {model.id} takes a first and a last frame"
        )
        return
    problem = "takes a last frame only together with a first one"
    remedy = "give image as well"
    if first:
        problem, remedy = "takes image_tail only beside a single image", "give one image"
    translation.find(f"{model.id} {problem}", remedy, fact, "image_tail")


def _translate_quality(translation: Translation, model: Model) -> None:
    """Turn a word that has one meaning among the model's qualities into that quality."""
    requested = translation.body.get("quality")
    listed = listed_values(model.value("quality")) or []
    if requested is None or requested in listed:
        return
    word = normalize_value(requested)
    meant = _BETTER_QUALITIES if word in _HIGHER else _USUAL_QUALITIES if word in _LOWER else ()
    for quality in meant:
        if quality in listed:
            why = f"{model.id} takes {join_words(listed)}"
            translation.replace({"quality": requested}, {"quality": quality}, why)


def _takes_size_alone(model: Model) -> bool:
    """Whether the shape of the frames is given to the model as their size, and not otherwise."""
    return takes(model, "size") and not takes(model, "aspect_ratio")


def _translate_to_size(translation: Translation, model: Model) -> None:
    body = translation.body
    given = {name: body[name] for name in ("aspect_ratio", "resolution") if name in body}
    if "resolution" in given and "aspect_ratio" not in given and takes(model, "resolution"):
        return
    sizes = [str(one) for one in listed_values(model.value("sizes")) or []]
    if not given or not sizes:
        return
    why = f"{model.id} takes size"
    if size := body.get("size"):
        for name in given:
            translation.leave_out(name, f"{why}, which is {format_value(size)}")
        return
    default = model.value("default_resolution")
    lines = resolution_name(str(given.get("resolution", default or "")))
    if set(given) == {"resolution"} and lines == default:
        translation.leave_out("resolution", f"without size, {model.id} makes {default}")
        return
    ratio = str(given.get("aspect_ratio", "" if "image" in body else DEFAULT_RATIO))
    fitting = [one for one in sizes if _has_ratio(one, ratio)] if ratio else []
    # 1792x1024 passes for 16:9 only where there is no 1280x720.
    fitting = [one for one in fitting if _has_ratio(one, ratio, slack=0)] or fitting
    exact = [one for one in fitting if not lines or resolution_name(one) == lines]
    if not exact and "resolution" not in given:
        exact = fitting
    if len(exact) == 1:
        translation.replace(given, {"size": exact[0]}, why)
        return
    # Without a size of that shape or resolution, or with an image whose shape is not known here.
    of_lines = [one for one in sizes if not ratio and resolution_name(one) == lines]
    among = exact or fitting or of_lines or sizes
    takes_it = f"{model.id} takes size in the place of {' and '.join(given)}"
    none = "" if exact or not ratio else f", and has no {ratio}{f' at {lines}' if lines else ''}"
    translation.find(
        takes_it + none, f"give size {join_words(among)}", model.facts["sizes"], *given
    )


def _translate_from_size(translation: Translation, model: Model) -> None:
    """Turn pixels into the ratio and the resolution that the model takes."""
    body = translation.body
    size = normalize_value(body["size"])
    sides = SIZE.fullmatch(size)
    if sides is None or not takes(model, "aspect_ratio"):
        return
    ratios = [str(one) for one in listed_values(model.value("ratios")) or []]
    ratio = next((one for one in ratios if _has_ratio(size, one)), None)
    if ratio is None and not ratios:
        ratio = _reduced(int(sides[1]), int(sides[2]))
    why = f"{model.id} takes aspect_ratio and not size"
    if ratio is None:
        fact = model.facts["ratios"]
        translation.find(f"{why}, and makes no {size}", f"give {join_words(ratios)}", fact, "size")
        return
    sent = {"aspect_ratio": body.get("aspect_ratio", ratio)}
    listed = [str(one) for one in listed_values(model.value("resolutions")) or []]
    lines = resolution_name(size)
    if "resolution" not in body and listed:
        spelled = (one for one in listed if resolution_name(one) == lines)
        # One that is not listed is found by its own check.
        sent["resolution"] = next(spelled, lines)
    translation.replace({"size": body["size"]}, sent, why)
    if not listed and "resolution" not in body:
        translation.incomplete = True
        translation.notes.append(f"the resolution of {model.id} cannot be chosen, as far as known")


def _translate_resolution_to_quality(translation: Translation, model: Model) -> None:
    fact, body = model.facts.get("quality_of_resolution"), translation.body
    if fact is None or "resolution" not in body:
        return
    table: Mapping[str, str] = fact.value
    resolution, lines = body["resolution"], resolution_name(str(body["resolution"]))
    quality = next((table[one] for one in table if resolution_name(one) == lines), None)
    if quality is None:
        return
    given = body.get("quality")
    if given is None or _same_value(given, quality):
        why = f"that is how {model.id} makes it"
        translation.replace({"resolution": resolution}, {"quality": quality}, why)
        return
    problem = f"{model.id} makes {lines} with quality={quality}, and not {format_value(given)}"
    translation.find(
        problem, f"give quality={quality}, or leave one of the two out", fact, "resolution"
    )


def _has_ratio(size: str, ratio: str, *, slack: float = RATIO_SLACK) -> bool:
    sides, shape = SIZE.fullmatch(normalize_value(size)), _RATIO.fullmatch(ratio)
    if sides is None or shape is None or not float(shape[2]) or not int(sides[2]):
        return False
    across, down = int(sides[1]) * float(shape[2]), int(sides[2]) * float(shape[1])
    return bool(down) and abs(across - down) <= slack * down


def _reduced(width: int, height: int) -> str:
    divisor = gcd(width, height) or 1
    return f"{width // divisor}:{height // divisor}"


def _named(fields: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} {quote_unless_id(str(value))}" for name, value in fields.items())
