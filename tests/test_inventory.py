"""Everything that is published, held to what some client is known to trip over.

Tools, resources and prompts are asked for over MCP, as a host does, so that what is added
later is held to the same rules. Who trips over what is told in the rules' own words; the
threads were read 2026-11-22.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import jsonschema
import pytest
from mcp import Client
from mcp_types import TextContent

from geekai_video_mcp.config import SANDBOX_MODEL
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.server import INSTRUCTIONS
from geekai_video_mcp.server.build import build_server
from support.process import stdio
from support.world import Era, World

TRIPPED_OVER: Final = {
    "$ref": "Gemini (gemini-cli#13326), Anthropic's managed agents",
    "$defs": "the same",
    "$schema": "clients that know another draft than the one named",
    "title": "bytes that say nothing",
    "anyOf": "at a root Anthropic drops the tool (claude-code#95504); with null Gemini refuses",
    "oneOf": "the same",
    "allOf": "the same",
    "not": "the same",
    "if": "the same",
    "exclusiveMinimum": "Gemini",
    "exclusiveMaximum": "Gemini",
    "format": "Gemini, and OpenAI's strict mode",
    "pattern": "OpenAI's strict mode",
    "prefixItems": "OpenAI's strict mode",
    "const": "Gemini",
    "nullable": "is of OpenAPI, not of JSON Schema",
    "additionalProperties": "Gemini CLI and Qwen Code refuse a call themselves, and name nothing",
    "minimum": "the same; Codex drops it",
    "maximum": "the same; Codex drops it",
    "minLength": "the same; Codex drops it",
    "maxLength": "the same; Codex drops it",
    "minItems": "the same; Codex drops it",
    "maxItems": "the same; Codex drops it",
}
NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Anthropic's rule for the names of properties, and of tools."""
WITHOUT_OUTPUT_SCHEMA: Final = {"view_video"}
"""It answers with a picture: two hosts drop pictures beside structured content."""
SANDBOX_MODELS: Final = dict.fromkeys(Media, SANDBOX_MODEL)
DESCRIPTION_AT_MOST: Final = 600
"""Characters of a description; the whole list has 6 KB."""


async def published(client: Client) -> dict[str, list[dict[str, Any]]]:
    """All that a client may list, in the words of the protocol."""
    answers = (
        await client.list_tools(),
        await client.list_resource_templates(),
        await client.list_resources(),
        await client.list_prompts(),
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for answer in answers:
        text = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        found |= {kind: list_ for kind, list_ in text.items() if isinstance(list_, list)}
    return found


@pytest.fixture
async def inventory(tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    async with Client(build_server(World(tmp_path).app)) as client:
        return await published(client)


@pytest.fixture
def tools(inventory: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return inventory["tools"]


def schemas(tool: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("inputSchema", "outputSchema"):
        if kind in tool or tool["name"] not in WITHOUT_OUTPUT_SCHEMA:
            yield f"{tool['name']}.{kind}", tool[kind]


def nodes(path: str, schema: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - also what is no schema
    """Every schema within *schema*, by its path: whatever stands where a schema may stand."""
    if not isinstance(schema, dict):
        return
    node = cast("dict[str, Any]", schema)
    inner = [
        (f"{path}.{name}", each)
        for word in ("properties", "patternProperties", "dependentSchemas")
        for name, each in node.get(word, {}).items()
    ]
    inner += [
        (f"{path}[{word}]", node[word])
        for word in ("items", "contains", "propertyNames")
        if word in node
    ]
    for where, each in inner:
        yield where, each
        yield from nodes(where, each)


def below(path: str, root: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The root and every schema within it."""
    yield path, root
    yield from nodes(path, root)


async def test_every_kind_of_thing_is_published(inventory: dict[str, list[Any]]) -> None:
    assert {kind: bool(found) for kind, found in inventory.items()} == {
        "tools": True,
        "resourceTemplates": True,
        "resources": False,  # which are tasks, and there are none yet
        "prompts": True,
    }


async def test_no_schema_has_a_word_that_some_client_trips_over(
    tools: list[dict[str, Any]],
) -> None:
    for tool in tools:
        for name, root in schemas(tool):
            for path, node in below(name, root):
                assert isinstance(node, dict), f"{path} is a boolean: Gemini, Inspector --strict"
                for word in TRIPPED_OVER.keys() & set(cast("dict[str, Any]", node)):
                    pytest.fail(f"{path} has {word}: {TRIPPED_OVER[word]}")


async def test_every_schema_has_one_type_and_enums_of_strings(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        for name, root in schemas(tool):
            for path, node in below(name, root):
                assert isinstance(node.get("type"), str), f"{path}: a list is for Gemini too much"
                assert all(isinstance(word, str) for word in node.get("enum", [])), path
                assert node.get("default", ...) is not None, path
                given = name.endswith("inputSchema") and node["type"] == "array"
                assert not given or "items" in node, f"{path}: Gemini and VS Code ask for them"


async def test_every_property_has_a_name_that_everyone_takes(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        assert NAME.fullmatch(tool["name"])
        for name, root in schemas(tool):
            for path, node in below(name, root):
                for each in node.get("properties", {}):
                    assert NAME.fullmatch(each), path


async def test_a_root_is_an_object(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        given, output = tool["inputSchema"], dict(schemas(tool)).get(f"{tool['name']}.outputSchema")
        assert given["type"] == "object", tool["name"]
        assert set(given.get("required", [])) <= set(given["properties"])
        if output is None:
            continue
        # One that is no object makes the TypeScript SDK drop the whole list (mcpx#28).
        assert output["type"] == "object", tool["name"]
        assert set(output.get("required", [])) <= set(output["properties"])


async def test_every_schema_is_one(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        for _, root in schemas(tool):
            jsonschema.Draft202012Validator.check_schema(root)
            jsonschema.Draft7Validator.check_schema(root)


async def test_every_tool_decides_all_four_hints(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        hints = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
        assert [type(tool["annotations"].get(hint)) for hint in hints] == [bool] * 4, tool["name"]


async def test_what_costs_money_does_not_call_itself_a_look(tools: list[dict[str, Any]]) -> None:
    hints = {tool["name"]: tool["annotations"] for tool in tools}
    looking = {name for name, each in hints.items() if each["readOnlyHint"]}
    # A film costs nothing and is sent nowhere: it makes a file, each time the same.
    joining = {name for name in hints.keys() - looking if not hints[name]["openWorldHint"]}

    assert joining == {"join_videos"}
    assert hints["join_videos"]["idempotentHint"]
    assert hints.keys() - looking - joining == {
        tool["name"] for tool in tools if tool["name"].startswith("generate_")
    }


async def test_everything_is_titled_and_described_in_a_line(
    inventory: dict[str, list[dict[str, Any]]],
) -> None:
    for kind, found in inventory.items():
        for each in found:
            assert each["title"], each["name"]
            _is_a_line(f"{kind}: {each['name']}", each["description"])
            for argument in each.get("arguments", []):
                assert NAME.fullmatch(argument["name"])
                _is_a_line(f"{each['name']}.{argument['name']}", argument["description"])
            for name, root in schemas(each) if kind == "tools" else ():
                for path, node in below(name, root):
                    if "description" in node:
                        _is_a_line(path, node["description"])


def _is_a_line(path: str, text: str) -> None:
    assert text, path
    assert text == " ".join(text.split()), f"{path} is indented, or has a line end"
    assert len(text) <= DESCRIPTION_AT_MOST, path


async def test_resources_have_mime_types_and_no_two_things_one_name(
    inventory: dict[str, list[dict[str, Any]]],
) -> None:
    for template in inventory["resourceTemplates"]:
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", template["mimeType"])
    for found in inventory.values():
        names = [each["name"] for each in found]
        assert len(set(names)) == len(names)


def test_the_instructions_teach_the_flow_in_few_words() -> None:
    first, second = INSTRUCTIONS.split("\n\n")
    assert len(first) <= 247, "Codex shows a model no more before it has searched (2026-11-26)"
    assert len(INSTRUCTIONS.encode()) <= 2000
    assert all(" ".join(part.split()) == part for part in (first, second))
    assert {"generate_video", "get_video_task", "task_id"} <= set(re.findall(r"\w+", first))


async def test_what_is_published_is_the_same_each_time_and_in_every_process(
    tmp_path: Path,
) -> None:
    """Hosts keep the list in a prompt cache: a byte that differs costs money."""

    async def lists(client: Client) -> str:
        return json.dumps(await published(client))

    async with stdio(tmp_path / "one") as one, stdio(tmp_path / "two") as two:
        first, again, other = await lists(one), await lists(one), await lists(two)
    sandbox = build_server(World(tmp_path / "three").app, default_models=SANDBOX_MODELS)
    async with Client(sandbox) as node:
        with_a_key = await lists(node)

    assert first == again == other == with_a_key


@pytest.mark.parametrize(("era", "kept"), [("auto", (3_600_000, "public")), ("legacy", (0, None))])
async def test_lists_that_no_caller_changes_may_be_kept_and_others_not(
    tmp_path: Path, era: Era, kept: tuple[int, str | None]
) -> None:
    async with Client(build_server(World(tmp_path).app), mode=era) as client:
        lasting = (
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resource_templates(),
        )
        changing = await client.list_resources()

    if era == "auto":
        assert [(each.ttl_ms, each.cache_scope) for each in lasting] == [kept] * 3
        assert (changing.ttl_ms, changing.cache_scope) == (0, "private")
    else:
        text = [each.model_dump(by_alias=True, exclude_unset=True) for each in (*lasting, changing)]
        assert all("ttlMs" not in each and "cacheScope" not in each for each in text)


@pytest.mark.parametrize(
    ("tool", "arguments", "wrong"),
    [
        ("generate_video", {"duration": "5", "fps": "24", "variation": "2"}, {"duration": "five"}),
        ("generate_video", {"images": '["https://example.com/a.png"]'}, {"images": "[1"}),
        ("generate_video", {"extra_body": '{"seed": 7}'}, {"extra_body": "seed"}),
        ("generate_video", {"with_audio": "true", "async": "true"}, {"with_audio": "loud"}),
        ("generate_image", {"extra_body": '{"seed": 7}'}, {"extra_body": "[7]"}),
    ],
)
async def test_numbers_and_lists_may_come_as_their_text(
    tmp_path: Path, tool: str, arguments: dict[str, Any], wrong: dict[str, Any]
) -> None:
    """Claude Desktop sends nested values as JSON text, and small models numbers in quotes."""
    plain: dict[str, Any] = {"prompt": "a fox", "dry_run": True}
    if tool == "generate_video":
        plain["model"] = "super-video-2.0"  # of which nothing is known, so it may take them all
    unfolded = {name: json.loads(text) for name, text in arguments.items()}
    async with Client(build_server(World(tmp_path).app)) as client:
        as_text = await client.call_tool(tool, {**plain, **arguments})
        as_meant = await client.call_tool(tool, {**plain, **unfolded})
        refused = await client.call_tool(tool, {**plain, **wrong})

    assert not as_text.is_error, as_text.content
    assert as_text.structured_content == as_meant.structured_content
    assert refused.is_error
    assert isinstance(refused.content[0], TextContent)
    assert next(iter(wrong)) in refused.content[0].text


async def test_null_means_that_it_was_left_out(tmp_path: Path, tools: list[dict[str, Any]]) -> None:
    """Of every argument of every tool, for models fill in what they do not use."""
    needed = {"prompt": "a fox", "task_id": "0" * 32, "dry_run": True}
    async with Client(build_server(World(tmp_path).app)) as client:
        for tool in tools:
            takes = tool["inputSchema"]["properties"]
            few = {name: value for name, value in needed.items() if name in takes}
            every = {**dict.fromkeys(takes), **few}
            short = await client.call_tool(tool["name"], few)
            whole = await client.call_tool(tool["name"], every)

            assert whole.content == short.content, tool["name"]
            assert whole.is_error == short.is_error
