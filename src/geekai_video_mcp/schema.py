"""A pydantic model's JSON schema in the one form that every client accepts.

Clients and model APIs drop a tool, or all tools, over `$ref`, `anyOf` with null, titles,
`default: null`, root combinators or enums of non-strings. So none of these is ever
published; a field that may be left out is simply not required.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

_VERBATIM: Final = frozenset({"enum", "const", "default", "examples", "required"})
_ALLOWS_EXTRA_MEMBERS: Final = ("additionalProperties", True)
"""Says what is so anyway, in a boolean schema that Gemini refuses."""
_NOT_INLINED: Final = frozenset({"description", "additionalProperties"})
_MEMBERS_BY_NAME: Final = frozenset({"properties", "patternProperties"})


def compact_schema(
    model: type[BaseModel], *, mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    """The schema of *model*, flat and small: no `$ref`, no titles, no nulls.

    Class docstrings are written for us; what a model needs to know stands on the fields.
    """
    schema = model.model_json_schema(schema_generator=_CompactSchema, mode=mode)
    return {key: value for key, value in schema.items() if key != "description"}


def published_schema(model: type[BaseModel], fields: Sequence[str]) -> dict[str, Any]:
    """The members of *model* that *fields* names, and of each its type alone.

    A result describes itself to whoever reads it. What is published of it beforehand is
    what a program may build on, for every client pays for the list of tools.
    """
    full = compact_schema(model, mode="serialization")
    return {
        "type": "object",
        "properties": {name: {"type": full["properties"][name]["type"]} for name in fields},
        "required": [name for name in fields if name in full.get("required", ())],
    }


class _CompactSchema(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's own signature
        del schema
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        if generated.get("default", ...) is None:
            del generated["default"]
        return generated

    def generate(self, schema: Any, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:  # noqa: ANN401 - pydantic's own signature
        root = super().generate(schema, mode)
        # Inlined without the docstring of its class and without `additionalProperties: false`.
        definitions = {
            name: {key: value for key, value in definition.items() if key not in _NOT_INLINED}
            for name, definition in root.pop("$defs", {}).items()
        }
        return _inline_references(root, definitions)


def _inline_references(node: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON is of any shape
    """*node* with each reference replaced by what it names, and without titles."""
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
        if (key == "title" and isinstance(value, str)) or (key, value) == _ALLOWS_EXTRA_MEMBERS:
            continue
        if key in _MEMBERS_BY_NAME:
            kept[key] = {
                name: _inline_references(inner, definitions) for name, inner in value.items()
            }
        else:
            kept[key] = value if key in _VERBATIM else _inline_references(value, definitions)
    return kept
