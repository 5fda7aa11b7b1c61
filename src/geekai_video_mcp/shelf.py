"""What the assistant sees of the models: all of them in a line each, or all about one. Pure.

A list is at most `MAX_BYTES` bytes as it is sent, for it is read by a model that pays for each.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from geekai_video_mcp.catalogue import (
    FACT_BY_FIELD,
    Fact,
    LiveModel,
    Model,
    availability,
    models,
    price,
    rules,
    unknown_model_message,
)
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.inputs import ListVideoModels
from geekai_video_mcp.views import ToolResult

MAX_BYTES: Final = 2400
"""Bytes of a list's words and structure as JSON; what MCP puts around them has the rest of
2,500."""
_LETTERS: Final = {
    "t": "text",
    "f": "first_frame",
    "l": "last_frame",
    "r": "references",
    "v": "video",
    "s": "sound",
}
LEGEND: Final = (
    "Id = heading + name; takes t text, f first frame, l last frame, r references, v video,"
    " makes s sound; seconds; CNY."
)
_NAMES: Final = {**{fact: field for field, fact in FACT_BY_FIELD.items()}, "image": "pictures"}
"""Facts by the names that a request has for them."""
_HEADING_ENDS: Final = ("-", "_")
"""Where a heading may end."""
Names = dict[str, "str | int"]


class ModelList(ToolResult):
    """The models by what their ids begin with, or the facts of one."""

    published_fields = ("ids", "card", "live")

    ids: Annotated[Names, WithJsonSchema({"type": "object"})] | None = None
    """Names by heading; their number where they would not fit."""
    card: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})] | None = None
    live: bool
    """Whether the service's own list is part of it."""


def model_list(
    args: ListVideoModels, live: Mapping[str, LiveModel] | None
) -> tuple[ModelList, str]:
    """The models that suit what is *args*, as a structure and in words."""
    found = [model for model in _all_models(live) if _matches(model, args)]
    if not found:
        words = "No model is known to take all of this; leave a filter out."
        return ModelList(ids={}, live=bool(live)), words
    told, room = _format_list(found, live, room=len(found)), len(found)
    while _wire_size(*told) > MAX_BYTES and room:
        room //= 2
        told = _format_list(found, live, room=room)
    return told


def model_details(name: str, live: Mapping[str, LiveModel] | None) -> tuple[ModelList, str]:
    """All that is known of one model, with its sources.

    Raises:
        RequestRefused: nobody knows it.
    """
    model = models().get(name)
    if model is None and name not in (live or ()):
        raise RequestRefused(unknown_model_message(name, live or ()), code="unknown_model")
    stands = availability(name, live)
    facts: dict[str, dict[str, Any]] = {}
    for fact_name, fact in model.facts.items() if model else ():
        facts.setdefault(_provenance(fact), {})[_NAMES.get(fact_name, fact_name)] = _format_fact(
            fact
        )
    told: dict[str, Any] = {
        "model": name,
        **({"standing": stands} if stands else {}),
        "facts": facts,
        "rules": list(
            dict.fromkeys(rule.message_for(name) for rule in rules() if rule.applies_to(name))
        ),
    }
    lines = [
        f"{name}{f': {stands}' if stands else ''}",
        *(_format_group(*each) for each in facts.items()),
    ]
    return ModelList(card=told, live=bool(live)), "\n".join([*lines, *told["rules"]])


def _all_models(listed: Mapping[str, LiveModel] | None) -> list[Model]:
    new = [Model(id=name, group="new") for name in listed or () if name not in models()]
    return [*models().values(), *new]


def _matches(model: Model, args: ListVideoModels) -> bool:
    """Whether it is known to do all that is asked; false asks for nothing."""
    wanted = {
        "first_frame": args.first_frame,
        "last_frame": args.last_frame,
        "references": args.references,
        "sound": args.audio,
    }
    listed = price(model.id)
    about = f"{model.id} {model.group}".casefold()
    return (
        all(model.supports(name) for name, wish in wanted.items() if wish)
        and model.max_seconds >= (args.seconds or 0)
        and not (args.free and (listed is None or listed.cny or model.supports("makes")))
        and all(part in about for part in (args.query or "").casefold().split())
    )


def _format_list(
    found: list[Model], listed: Mapping[str, LiveModel] | None, *, room: int
) -> tuple[ModelList, str]:
    """The list with up to *room* names spelled out in each of its additions."""
    lines, here, apart = list[str](), list[Model](), dict[str, list[str]]()
    for model in found:
        if doubt := _availability(model, listed):
            apart.setdefault(doubt, []).append(model.id)
        else:
            here.append(model)
    rests: dict[str, list[str]] = {}
    for heading, run in _group_by_prefix(here):
        lines += [heading] if heading else []
        lines += [_format_model(model, heading) for model in run]
        rests.setdefault(heading, []).extend(model.id.removeprefix(heading) for model in run)
    lines += [f"{doubt}: {_abbreviate(ids, room)}" for doubt, ids in apart.items()]
    ids: Names = {
        heading: " ".join(names) if room == len(found) else len(names)
        for heading, names in {**rests, **apart}.items()
    }
    return ModelList(ids=ids, live=bool(listed)), "\n".join([LEGEND, *lines])


def _abbreviate(ids: list[str], room: int) -> str:
    shown = ids[:room]
    left = len(ids) - len(shown)
    return " ".join(shown) + (f" and {left} more, by query" if left else "")


def _availability(model: Model, listed: Mapping[str, LiveModel] | None) -> str | None:
    """Why a model is not among the others; None if it is."""
    if (stands := availability(model.id, listed)) is not None:
        return stands
    return "may be gone" if model.supports("gone") and not listed else None


def _group_by_prefix(found: list[Model]) -> list[tuple[str, list[Model]]]:
    """Neighbours whose ids begin alike, with what they begin with."""
    runs: list[list[Model]] = []
    for model in found:
        if runs and _common_prefix([*runs[-1], model]):
            runs[-1].append(model)
        else:
            runs.append([model])
    return [(_common_prefix(run) if len(run) > 1 else "", run) for run in runs]


def _common_prefix(run: Iterable[Model]) -> str:
    columns = zip(*(model.id for model in run), strict=False)
    alike = "".join(column[0] for column in takewhile(lambda each: len(set(each)) == 1, columns))
    return alike[: max(alike.rfind(mark) for mark in _HEADING_ENDS) + 1]


def _format_model(model: Model, heading: str) -> str:
    takes = "".join(letter for letter, name in _LETTERS.items() if model.supports(name))
    cells = (
        model.id.removeprefix(heading),
        "no video" if model.supports("makes") else takes or "?",
        _format_value(model.value("seconds"), between="/"),
        _format_price(model.id),
    )
    return " ".join(cell for cell in cells if cell)


def _format_price(name: str) -> str:
    listed = price(name)
    if listed is None:
        return ""
    return f"{listed.cny:g}{'/s' if listed.per == 'second' else ''}" if listed.cny else "free"


def _format_value(value: Any, *, between: str = ", ") -> str:  # noqa: ANN401 - a fact is of its own kind
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return between.join(map(str, value))  # pyright: ignore[reportUnknownArgumentType] - JSON
    if isinstance(value, dict):
        return between.join(f"{k}: {_format_value(v)}" for k, v in value.items())  # pyright: ignore[reportUnknownVariableType] - JSON
    return "" if value is None else str(value)


def _provenance(fact: Fact) -> str:
    return f"{fact.provenance}: {'; '.join(map(str, fact.sources))}"


def _format_fact(fact: Fact) -> str:
    return f"{_format_value(fact.value)}{f' ({fact.note})' if fact.note else ''}"


def _format_group(origin: str, cells: Mapping[str, str]) -> str:
    return f"[{origin}] " + "; ".join(f"{name} {cell}" for name, cell in cells.items())


def _wire_size(shown: ModelList, words: str) -> int:
    """As they are sent, in UTF-8."""
    structure = shown.model_dump_json(exclude_none=True)
    return len(structure.encode()) + len(json.dumps(words, ensure_ascii=False).encode())
