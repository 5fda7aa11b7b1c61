"""What is published and must not drift: tools, registry entry, documents, version."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client

from geekai_video_mcp import __version__, cli, config
from geekai_video_mcp.server import INSTRUCTIONS
from geekai_video_mcp.server.build import build_server
from support import ROOT
from support.documents import DOCUMENTS
from support.missing import skip_test
from support.world import World

SNAPSHOTS = Path(__file__).parent / "snapshots" / "tools"
ACCEPT = "scripts/accept"
"""The command that replaces the snapshots by what the server publishes now."""

README = (ROOT / "README.md").read_text("utf-8")
CONFIGURATION = ("docs/configuration.md", "docs/zh-CN/configuration.md")
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SERVER_JSON: dict[str, Any] = json.loads((ROOT / "server.json").read_text("utf-8"))


async def published(folder: Path) -> dict[str, str]:
    """Every tool as it is published, by name, as JSON text."""
    async with Client(build_server(World(folder).app)) as client:
        tools = (await client.list_tools()).tools
    return {
        tool.name: json.dumps(
            tool.model_dump(mode="json", by_alias=True, exclude_none=True),
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
        for tool in tools
    }


async def test_tools_are_published_as_in_their_snapshots(tmp_path: Path) -> None:
    found = {path.stem: path.read_text("utf-8") for path in SNAPSHOTS.glob("*.json")}

    assert await published(tmp_path) == found, f"look at the change, then run {ACCEPT}"


async def test_every_tool_is_titled_described_and_hinted(tmp_path: Path) -> None:
    for tool in (json.loads(text) for text in (await published(tmp_path)).values()):
        hints = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        assert tool["title"]
        assert 40 <= len(tool["description"]) <= 600
        assert tool["description"] == tool["description"].strip()
        assert hints <= tool["annotations"].keys()
        assert "additionalProperties" not in tool["inputSchema"]
        # view_video answers with a picture, and some hosts drop pictures beside structure.
        shows = tool["name"] == "view_video"
        assert shows or tool["outputSchema"]["type"] == "object"
        assert not (shows and "outputSchema" in tool)


async def test_the_tool_list_is_the_same_each_time_and_may_be_kept(tmp_path: Path) -> None:
    async with Client(build_server(World(tmp_path).app)) as client:
        first, second = await client.list_tools(), await client.list_tools()

    assert first.model_dump_json() == second.model_dump_json()
    assert first.ttl_ms
    assert len(INSTRUCTIONS.encode()) <= 2000
    assert len(INSTRUCTIONS.partition("\n\n")[0]) <= 250


def test_the_registry_entry_holds_to_the_registrys_schema() -> None:
    """The copy beside this test is the registry's of 2025-12-11, read 2026-11-22."""
    schema = json.loads((Path(__file__).parent / "schemas" / SCHEMA).read_text("utf-8"))

    jsonschema.validate(SERVER_JSON, schema)


SCHEMA = "server-2025-12-11.schema.json"


def test_the_vendored_schema_is_the_registrys() -> None:
    original = ROOT.parent / "shared" / "schemas" / SCHEMA
    if not original.exists():
        skip_test("../shared, which holds the registry's own copy, is absent")

    assert (Path(__file__).parent / "schemas" / SCHEMA).read_bytes() == original.read_bytes()


def test_every_place_that_names_a_version_or_the_server_names_the_same() -> None:
    (package,) = SERVER_JSON["packages"]

    assert {SERVER_JSON["version"], package["version"], PYPROJECT["project"]["version"]} == {
        __version__
    }
    assert package["identifier"] == PYPROJECT["project"]["name"]
    assert f"mcp-name: {SERVER_JSON['name']}" in README
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("document", CONFIGURATION)
def test_every_variable_is_documented_where_people_look(document: str) -> None:
    known = set(config.VARIABLES)
    text = (ROOT / document).read_text("utf-8")
    rows = dict(re.findall(r"^\| `(GEEKAI_[A-Z_]+)` \| .+ \| (.+) \|$", text, re.MULTILINE))
    (package,) = SERVER_JSON["packages"]
    entries = {entry["name"]: entry for entry in package["environmentVariables"]}

    # The registry's package is the local server, over stdio.
    assert entries.keys() == known - set(config.HOSTING_VARIABLES)
    assert rows.keys() == known
    assert set(re.findall(r"(GEEKAI_[A-Z_]+[A-Z])", text)) == known
    for name, entry in entries.items():
        assert "default" not in entry or f"`{entry['default']}`" in rows[name], name


def test_a_variable_that_a_document_names_is_one_of_the_program() -> None:
    for path in DOCUMENTS:
        assert set(re.findall(r"`(GEEKAI_[A-Z_]+)`", path.read_text("utf-8"))) <= set(
            config.VARIABLES
        )


def test_every_command_is_documented() -> None:
    source = Path(cli.__file__).with_name("tasks.py").read_text("utf-8")
    found = re.findall(r'add_command\(\s*commands,\s*"(\w+)"', source)
    assert found
    for each in (*cli.COMMANDS, *(f"tasks {name}" for name in found)):
        assert f"geekai-video-mcp {each}" in COMMAND_LINE


def test_the_architecture_draws_the_layers_that_are_enforced() -> None:
    layers, *_ = PYPROJECT["tool"]["importlinter"]["contracts"]
    enforced = [name for layer in layers["layers"] for name in layer.split(" | ")]
    drawn = re.findall(r"^  ([a-z_]+)/?  +\S", ARCHITECTURE, re.MULTILINE)

    assert drawn == enforced


def test_the_architecture_draws_the_states_that_are_allowed() -> None:
    from geekai_video_mcp.domain.statuses import ALLOWED  # noqa: PLC0415 - its table is the point here

    arrows = {(a, b) for a, b in re.findall(r"^ +(\w+) --> (\w+)", ARCHITECTURE, re.MULTILINE)}

    assert arrows == {(old.value, new.value) for old, after in ALLOWED.items() for new in after}


OF_OTHERS = {"basedpyright", "httpx.ASGITransport", "lint-imports", "n", "rich"}
"""Names in the documents that belong to other programs: `n` is a field of GeekAI's."""


@pytest.mark.parametrize("document", ["architecture.md", "decisions.md"])
def test_every_path_and_name_in_the_document_exists(document: str) -> None:
    text = re.sub(
        r"^```.*?^```$", "", (ROOT / "docs" / document).read_text("utf-8"), flags=re.M | re.S
    )
    quoted = {word for words in re.findall(r"`([^`]+)`", text) for word in words.split()}
    package = Path(cli.__file__).parent.parent
    folders = (ROOT, ROOT / "src", package, ROOT / "tests")
    paths = {
        name
        for name in quoted
        if any((folder / f"{name}{end}").exists() for folder in folders for end in ("", ".py"))
    }

    assert paths
    assert quoted - paths - OF_OTHERS - set(code_names()) == set()


def code_names() -> Iterator[str]:
    """What the source defines, members as `Class.member`, and its strings: statuses, tools."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield from definitions(node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            if isinstance(node, ast.ClassDef):
                yield from (
                    f"{node.name}.{name}" for part in node.body for name in definitions(part)
                )


def definitions(node: ast.AST) -> list[str]:
    """The names that this one statement defines."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
        case _:
            return []


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
async def test_the_readme_has_a_row_for_every_tool(readme: str, tmp_path: Path) -> None:
    rows = tool_rows((ROOT / readme).read_text("utf-8"))

    assert rows.keys() == (await published(tmp_path)).keys()


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
async def test_the_readme_names_what_each_tool_takes(readme: str, tmp_path: Path) -> None:
    rows, tools = tool_rows((ROOT / readme).read_text("utf-8")), await published(tmp_path)

    for name, row in rows.items():
        taken = json.loads(tools[name])["inputSchema"]["properties"]
        assert re.findall(r"`(\w+)`", row.rpartition(" | ")[2]) == list(taken)


def tool_rows(readme: str) -> dict[str, str]:
    """What README's table says of each tool."""
    return dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", readme, re.MULTILINE))


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=str
)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target
