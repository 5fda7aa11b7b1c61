"""JSON schemas of pydantic models in the one form that every client accepts.

Clients and model APIs reject a tool, or all tools, because of `$ref`, `anyOf` with null,
titles, `default: null`, root combinators or enums of non-strings. So none of these is ever
published; an optional field is simply not required.
"""

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

_VERBATIM: Final = frozenset({"enum", "const", "default", "examples", "required"})
_UNPUBLISHED: Final = frozenset(
    {
        # Clients that enforce it refuse a call in words of their own, in which no argument is
        # named; and Gemini refuses a schema that is a boolean.
        "additionalProperties",
        # The same, and some clients drop them: descriptions have the limits.
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "pattern", "format"),
    }
)
"""Every call is checked by `server.arguments`, whose refusals say what to write instead."""
_MEMBERS_BY_NAME: Final = frozenset({"properties", "patternProperties"})


def compact_schema(
    model: type[BaseModel], *, mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    """The schema of *model*, flat and small: no `$ref`, no titles, no nulls.

    Class docstrings are for developers; the descriptions of the fields are for the model.
    """
    return copy.deepcopy(_generate_schema(model, mode))


@functools.cache
def _generate_schema(
    model: type[BaseModel], mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    """The schema of *model*, made once: that takes longer than everything else in a new server."""
    schema = model.model_json_schema(schema_generator=_CompactSchema, mode=mode)
    return {key: value for key, value in schema.items() if key != "description"}


def published_schema(model: type[BaseModel], fields: Sequence[str]) -> dict[str, Any]:
    """The schema of the members of *model* that *fields* names, with their types only.

    A result is self-describing. Only members that programs may rely on are published in
    advance, because the list of tools costs every client tokens.
    """
    full = compact_schema(model, mode="serialization")
    return {
        "type": "object",
        "properties": {name: _type_alone(full["properties"][name]) for name in fields},
        "required": [name for name in fields if name in full.get("required", ())],
    }


def _type_alone(schema: Mapping[str, Any]) -> dict[str, Any]:
    items = schema.get("items")
    inner = {"items": {"type": items["type"]}} if items else {}  # without them Gemini refuses it
    return {"type": schema["type"], **inner}


class _CompactSchema(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's own signature
        del schema
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        # Of other defaults the description says enough: one that is left out is the usual.
        if type(generated.get("default")) is not int:
            generated.pop("default", None)
        return generated

    def generate(self, schema: Any, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:  # noqa: ANN401 - pydantic's own signature
        root = super().generate(schema, mode)
        # Inlined without the docstring of its class.
        definitions = {
            name: {key: value for key, value in definition.items() if key != "description"}
            for name, definition in root.pop("$defs", {}).items()
        }
        return _inline_references(root, definitions)


def _inline_references(node: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON is of any shape
    """*node* with each reference replaced by its definition, and without titles."""
    if isinstance(node, list):
        return [_inline_references(item, definitions) for item in node]  # pyright: ignore[reportUnknownVariableType] - JSON
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    if isinstance(reference := schema.get("$ref"), str):
        target = {**definitions[reference.removeprefix("#/$defs/")], **schema}
        return _inline_references({k: v for k, v in target.items() if k != "$ref"}, definitions)
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _UNPUBLISHED or (key == "title" and isinstance(value, str)):
            continue
        if key == "const":  # of one word, which Gemini knows as an enum alone
            kept["enum"] = [value]
            continue
        if key in _MEMBERS_BY_NAME:
            kept[key] = {
                name: _inline_references(inner, definitions) for name, inner in value.items()
            }
        else:
            kept[key] = value if key in _VERBATIM else _inline_references(value, definitions)
    return kept
