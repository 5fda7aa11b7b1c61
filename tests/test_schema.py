"""What is published of the tools, in the one form that every client accepts."""

from collections.abc import Iterator
from typing import Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments import (
    Arguments,
    GenerateImage,
    GenerateVideo,
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.server.schema import compact_schema
from geekai_video_mcp.server.views import VideoTask

INPUTS: list[type[Arguments]] = [
    GenerateVideo,
    GenerateImage,
    GetVideoTask,
    ListVideoTasks,
    ListVideoModels,
]
SCHEMAS = {
    "generate_video": compact_schema(GenerateVideo, mode="validation"),
    "get_video_task": compact_schema(GetVideoTask, mode="validation"),
    "result": compact_schema(VideoTask, mode="serialization"),
}
every_schema = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every subschema of *schema* that is an object, by its path."""
    yield path, schema
    inner = {name: node for name, node in schema.items() if name in {"items", "not", "contains"}}
    for name, node in (inner | schema.get("properties", {})).items():
        yield from nodes(node, f"{path}/{name}")


@every_schema
def test_no_word_stands_in_it_that_some_client_trips_over(schema: dict[str, Any]) -> None:
    forbidden = {"$ref", "$defs", "title", "anyOf", "oneOf", "allOf", "not", "if", "$schema"}
    for path, node in nodes(schema):
        assert not forbidden & set(node), path
        assert node.get("default", ...) is not None, path
        assert isinstance(node.get("type"), str), f"{path} has one type"
        assert all(isinstance(word, str) for word in node.get("enum", [])), path


@every_schema
def test_it_has_no_bounds_that_a_client_would_enforce_in_words_of_its_own(
    schema: dict[str, Any],
) -> None:
    bounds = {"additionalProperties", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    bounds |= {"minLength", "maxLength", "minItems", "maxItems", "pattern", "format", "const"}

    assert schema["type"] == "object"
    assert [path for path, node in nodes(schema) if bounds & set(node)] == []


@every_schema
def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("arguments", INPUTS)
def test_what_is_not_required_may_be_left_out(arguments: type[Arguments]) -> None:
    schema = compact_schema(arguments, mode="validation")
    required = [
        info.alias or name for name, info in arguments.model_fields.items() if info.is_required()
    ]

    assert schema.get("required", []) == required
    assert list(schema["properties"])[: len(required)] == required, "what is needed stands first"


@pytest.mark.parametrize("arguments", INPUTS, ids=lambda each: each.__name__)
def test_every_argument_is_described_and_lists_hold_texts_alone(arguments: type[Arguments]) -> None:
    for name, node in compact_schema(arguments, mode="validation")["properties"].items():
        assert node["description"], name
        if node["type"] == "array":
            assert node["items"] == {"type": "string"}


def test_the_limits_that_are_checked_are_described() -> None:
    task = SCHEMAS["get_video_task"]["properties"]
    listing = compact_schema(ListVideoTasks, mode="validation")["properties"]

    assert "0 to 45" in task["wait_seconds"]["description"]
    assert task["wait_seconds"]["default"] == 15
    assert "1 to 50" in listing["limit"]["description"]


def test_a_word_that_is_the_only_one_is_an_enum() -> None:
    sort = compact_schema(ListVideoModels, mode="validation")["properties"]["sort"]

    assert sort["enum"] == ["price"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "a fox"},
        {
            "prompt": "a fox",
            "model": "cogvideox-3",
            "images": ["https://x.example/1.png"],
            "duration": 5,
            "async": False,
            "extra_body": {"seed": 7, "draft": True, "camera_control": "down_back", "new": {}},
        },
    ],
)
def test_arguments_that_the_schema_takes_are_taken(arguments: dict[str, Any]) -> None:
    jsonschema.validate(arguments, SCHEMAS["generate_video"])

    GenerateVideo.parse(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"prompt": 7},
        {"prompt": "x", "model": {"id": "m"}},
        {"prompt": "x", "duration": [5, 6]},
        {"prompt": "x", "extra_body": 3},
    ],
)
def test_arguments_that_the_schema_refuses_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(arguments, SCHEMAS["generate_video"])
    with pytest.raises(RequestRefused):
        GenerateVideo.parse(arguments)


def test_results_satisfy_the_schema_that_is_published_for_them() -> None:
    view = VideoTask(
        task_id="t",
        task_status="succeed",
        model="m",
        elapsed_seconds=3,
        file="/videos/a.mp4",
        stale_since=None,
        sandbox=False,
        next_step="Show it.",
    )

    jsonschema.validate(view.model_dump(mode="json", exclude_none=True), SCHEMAS["result"])


class Inner(BaseModel):
    """Words for us, that no client needs."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(description="A property that happens to be called title")
    kind: Literal["a", "b"] = "a"


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Outer")

    inner: Inner | None = Field(None, description="Its own words")
    many: list[Inner] = []
    properties: str | None = None
    default: int = 0


def test_a_nested_model_stands_in_its_place_and_a_property_called_title_survives() -> None:
    schema = compact_schema(Outer, mode="validation")

    inner = schema["properties"]["inner"]
    assert inner["description"] == "Its own words"
    assert "additionalProperties" not in inner
    assert "description" not in schema["properties"]["many"]["items"]
    assert inner["properties"]["title"] == {
        "description": "A property that happens to be called title",
        "type": "string",
    }
    assert inner["properties"]["kind"] == {"enum": ["a", "b"], "type": "string"}
    assert schema["properties"]["many"]["items"]["required"] == ["title"]
    assert schema["properties"]["properties"] == {"type": "string"}
    assert schema["properties"]["default"] == {"default": 0, "type": "integer"}
    assert "description" not in schema
