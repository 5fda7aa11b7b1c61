"""The models as a tool result: a list with one line per model, or the details of one. Pure.

A list takes at most `MAX_BYTES` bytes as it is sent, because the model that reads it pays for
every token.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from geekai_video_mcp.domain.catalogue import (
    FACT_BY_FIELD,
    LiveModel,
    Model,
    availability,
    models,
    price,
    rules,
    unknown_model_message,
)
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments import ListVideoModels
from geekai_video_mcp.server.views import ToolResult

MAX_BYTES: Final = 2400
"""Bytes of a list's text and structured content as JSON. What MCP puts around them fits into
the rest of 2,500."""
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
_FIELD_BY_FACT: Final = {
    **{fact: field for field, fact in FACT_BY_FIELD.items()},
    "image": "pictures",
}
"""The request field that each fact is about; a fact that is not listed keeps its name."""
_HEADING_SEPARATORS: Final = ("-", "_")
"""Characters after which a heading may end."""
NamesByHeading = dict[str, "str | int"]


class ModelList(ToolResult):
    """The models grouped by the beginning of their ids, or the details of one model."""

    published_fields = ("ids", "card", "live")

    ids: Annotated[NamesByHeading, WithJsonSchema({"type": "object"})] | None = None
    """Names by heading; only their number if the names would not fit."""
    card: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})] | None = None
    live: bool
    """Whether the live list of the service was available and is included."""


def model_list(
    args: ListVideoModels, live: Mapping[str, LiveModel] | None
) -> tuple[ModelList, str]:
    """The models that match *args*, as structured content and as text."""
    new = [Model(id=name, group="new") for name in live or () if name not in models()]
    matching = [model for model in [*models().values(), *new] if _matches(model, args)]
    if not matching:
        text = "No model is known to take all of this; leave a filter out."
        return ModelList(ids={}, live=bool(live)), text
    result, max_names = _format_list(matching, live, max_names=len(matching)), len(matching)
    while _wire_size(*result) > MAX_BYTES and max_names:
        max_names //= 2
        result = _format_list(matching, live, max_names=max_names)
    return result


def model_details(name: str, live: Mapping[str, LiveModel] | None) -> tuple[ModelList, str]:
    """All known facts about one model, with their sources.

    Raises:
        RequestRefused: neither the catalogue nor the live list contains the model.
    """
    model = models().get(name)
    if model is None and name not in (live or ()):
        msg = unknown_model_message(name, live or ())
        raise RequestRefused(msg, code="unknown_model", money=None)
    status = availability(name, live)
    facts: dict[str, dict[str, str]] = {}
    for fact_name, fact in model.facts.items() if model else ():
        provenance = f"{fact.provenance}: {'; '.join(map(str, fact.sources))}"
        field = _FIELD_BY_FACT.get(fact_name, fact_name)
        note = f" ({fact.note})" if fact.note else ""
        facts.setdefault(provenance, {})[field] = f"{_format_value(fact.value)}{note}"
    details: dict[str, Any] = {
        "model": name,
        **({"standing": status} if status else {}),
        "facts": facts,
        "rules": list(
            dict.fromkeys(rule.message_for(name) for rule in rules() if rule.applies_to(name))
        ),
    }
    lines = [f"{name}{f': {status}' if status else ''}"]
    for provenance, values in facts.items():
        lines.append(f"[{provenance}] " + "; ".join(f"{k} {v}" for k, v in values.items()))
    return ModelList(card=details, live=bool(live)), "\n".join([*lines, *details["rules"]])


def _matches(model: Model, args: ListVideoModels) -> bool:
    """Whether *model* is known to support every given filter; a filter that is false is ignored."""
    list_price = price(model.id)
    searched = f"{model.id} {model.group}".casefold()
    return (
        model.max_seconds >= (args.seconds or 0)
        and not (args.free and (list_price is None or list_price.cny or model.supports("makes")))
        and all(part in searched for part in (args.query or "").casefold().split())
    )


def _format_list(
    matching: list[Model], live: Mapping[str, LiveModel] | None, *, max_names: int
) -> tuple[ModelList, str]:
    """The list; of new and of unavailable models, up to *max_names* per line are named."""
    lines, available, unavailable = list[str](), list[Model](), dict[str, list[str]]()
    for model in matching:
        reason = availability(model.id, live)
        if reason is None and model.supports("gone") and not live:
            reason = "may be gone"
        if reason:
            unavailable.setdefault(reason, []).append(model.id)
        else:
            available.append(model)
    names_by_heading: dict[str, list[str]] = {}
    for heading, group in _group_by_prefix(available):
        lines += [heading] if heading else []
        lines += [_format_model(model, heading) for model in group]
        names_by_heading.setdefault(heading, []).extend(
            model.id.removeprefix(heading) for model in group
        )
    for reason, names in unavailable.items():
        omitted = len(names[max_names:])
        note = f" and {omitted} more, by query" if omitted else ""
        lines.append(f"{reason}: {' '.join(names[:max_names])}{note}")
    ids: NamesByHeading = {
        heading: " ".join(names) if max_names == len(matching) else len(names)
        for heading, names in {**names_by_heading, **unavailable}.items()
    }
    return ModelList(ids=ids, live=bool(live)), "\n".join([LEGEND, *lines])


def _group_by_prefix(members: list[Model]) -> list[tuple[str, list[Model]]]:
    """Runs of adjacent models whose ids share a prefix, each with that prefix."""
    groups: list[list[Model]] = []
    for model in members:
        if groups and _common_prefix([*groups[-1], model]):
            groups[-1].append(model)
        else:
            groups.append([model])
    return [(_common_prefix(group) if len(group) > 1 else "", group) for group in groups]


def _common_prefix(group: Iterable[Model]) -> str:
    columns = zip(*(model.id for model in group), strict=False)
    common = takewhile(lambda letters: len(set(letters)) == 1, columns)
    prefix = "".join(letters[0] for letters in common)
    return prefix[: max(prefix.rfind(separator) for separator in _HEADING_SEPARATORS) + 1]


def _format_model(model: Model, heading: str) -> str:
    cost, list_price = "", price(model.id)
    if list_price is not None:
        unit = "/s" if list_price.per == "second" else ""
        cost = f"{list_price.cny:g}{unit}" if list_price.cny else "free"
    inputs = "".join(letter for letter, name in _LETTERS.items() if model.supports(name))
    cells = (
        model.id.removeprefix(heading),
        "no video" if model.supports("makes") else inputs or "?",
        _format_value(model.value("seconds"), between="/"),
        cost,
    )
    return " ".join(cell for cell in cells if cell)


def _format_value(value: Any, *, between: str = ", ") -> str:  # noqa: ANN401 - each fact has a type of its own
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return between.join(map(str, value))  # pyright: ignore[reportUnknownArgumentType] - JSON
    if isinstance(value, dict):
        return between.join(f"{k}: {_format_value(v)}" for k, v in value.items())  # pyright: ignore[reportUnknownVariableType] - JSON
    return "" if value is None else str(value)


def _wire_size(result: ModelList, text: str) -> int:
    """Bytes of both as they are sent, in UTF-8."""
    structure = result.model_dump_json(exclude_none=True)
    return len(structure.encode()) + len(json.dumps(text, ensure_ascii=False).encode())
