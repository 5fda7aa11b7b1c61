"""pyproject.toml alone says the name, version, owner and repository; all other places repeat it."""

import json
import re
import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest

from geekai_video_mcp import __version__, cli
from geekai_video_mcp.errors import MAYBE_CHARGED, NOT_CHARGED
from support import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY: str = PROJECT["urls"]["Repository"]
OWNER, NAME = REPOSITORY.removeprefix("https://github.com/").split("/")
PLUGIN = ROOT / "plugin"
SKILL = PLUGIN / "skills" / "make-videos" / "SKILL.md"


def read_json(*path: str) -> dict[str, Any]:
    return json.loads(ROOT.joinpath(*path).read_text("utf-8"))


SERVER = read_json("server.json")
PLUGIN_MANIFEST = read_json("plugin", ".claude-plugin", "plugin.json")
MARKETPLACE = read_json(".claude-plugin", "marketplace.json")


def test_every_address_of_the_project_lies_in_its_repository() -> None:
    assert PROJECT["name"] == NAME
    assert all(url.startswith(REPOSITORY) for url in PROJECT["urls"].values())
    assert PROJECT["urls"]["Homepage"] == REPOSITORY


def test_the_registry_entry_names_the_same_owner_repository_and_version() -> None:
    assert SERVER["name"] == f"io.github.{OWNER}/{NAME}"
    assert SERVER["repository"] == {"url": REPOSITORY, "source": "github"}
    assert SERVER["websiteUrl"] == PROJECT["urls"]["Homepage"]
    assert {SERVER["version"], SERVER["packages"][0]["version"]} == {PROJECT["version"]}
    assert __version__ == PROJECT["version"]


def test_the_icons_of_the_registry_entry_are_in_the_repository() -> None:
    raw = f"https://raw.githubusercontent.com/{OWNER}/{NAME}/main/"
    for icon in SERVER["icons"]:
        assert icon["src"].startswith(raw)
        assert (ROOT / icon["src"].removeprefix(raw)).exists()
    # The bundle's window shows 512 x 512 pixels; the size stands in a PNG's first chunk.
    head = (ROOT / "docs" / "icon.png").read_bytes()[:24]
    assert struct.unpack(">II", head[16:]) == (512, 512)
    assert SERVER["icons"][0]["sizes"] == ["512x512"]


def test_the_plugin_names_the_same_owner_repository_version_and_licence() -> None:
    (entry,) = MARKETPLACE["plugins"]
    for manifest in (PLUGIN_MANIFEST, entry):
        assert manifest["name"] == PLUGIN_MANIFEST["name"]
        assert manifest["version"] == PROJECT["version"]
        assert manifest["homepage"] == PROJECT["urls"]["Homepage"]
        assert manifest["repository"] == REPOSITORY
        assert manifest["license"] == PROJECT["license"]
        assert manifest["description"] == SERVER["description"]
    assert ROOT.joinpath(entry["source"]) == PLUGIN
    assert MARKETPLACE["name"] == NAME
    assert [PLUGIN_MANIFEST["author"]] == [MARKETPLACE["owner"]] == PROJECT["authors"]
    readme = (PLUGIN / "README.md").read_text("utf-8")
    assert f"/plugin marketplace add {OWNER}/{NAME}\n" in readme
    assert f"/plugin install {PLUGIN_MANIFEST['name']}@{MARKETPLACE['name']}\n" in readme


def test_the_plugin_starts_the_server_by_its_name_alone() -> None:
    servers = read_json("plugin", ".mcp.json")["mcpServers"]

    assert servers == {"geekai-video": {"command": "uvx", "args": [NAME]}}
    # uvx NAME runs the console script that is named like the package.
    assert list(PROJECT["scripts"]) == [NAME]


TEXTS = sorted(
    path
    for pattern in ("*.md", "*.json", "*.toml", "docs/**/*.md", ".github/**/*.*", "plugin/**/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_names_another_owner_or_repository(path: Path) -> None:
    text = path.read_text("utf-8")
    named = [
        *re.findall(rf"github\.com/([\w.-]+)/{NAME}\b", text),
        *re.findall(rf"io\.github\.([\w.-]+?)/{NAME}\b", text),
        *re.findall(r"githubusercontent\.com/([\w.-]+)/", text),
        *re.findall(rf"(?<![\w/.-])([\w-]+)/{NAME}(?![\w/.-])", text.replace("/path/to/", "")),
    ]

    assert set(named) <= {OWNER}


def test_the_skill_names_only_tools_and_arguments_that_are_published() -> None:
    snapshots = (ROOT / "tests" / "snapshots" / "tools").glob("*.json")
    tools = {path.stem: json.loads(path.read_text("utf-8")) for path in snapshots}
    arguments = {name for tool in tools.values() for name in tool["inputSchema"]["properties"]}
    text = SKILL.read_text("utf-8")
    quoted = re.findall(r"`([^`\n]+)`", text)
    names = {match[0] for each in quoted if (match := re.match(r"[a-z_]+(?=$|:\s)", each))}

    of_results = {"sandbox", "unknown", "failed"}
    assert names - tools.keys() - arguments == of_results
    assert tools.keys() - names == set(), "a tool that the skill does not name"


def test_the_values_that_the_skill_shows_are_of_the_arguments_types() -> None:
    text = SKILL.read_text("utf-8")
    snapshots = (ROOT / "tests" / "snapshots" / "tools").glob("*.json")
    schemas = [
        json.loads(path.read_text("utf-8"))["inputSchema"]["properties"] for path in snapshots
    ]
    shown = re.findall(r"`([a-z_]+): ([^`]+)`", text)

    assert shown
    for name, value in shown:
        written = json.loads(value)
        takes = [json.dumps(schema[name]) for schema in schemas if name in schema]
        kind = {bool: "boolean", int: "integer", str: "string", list: "array"}[type(written)]
        assert any(f'"{kind}"' in each or '"number"' in each for each in takes), name


@pytest.mark.parametrize("path", [SKILL, PLUGIN / "README.md"], ids=["skill", "readme"])
def test_the_plugin_names_only_commands_that_exist(path: Path) -> None:
    commands = set(re.findall(r"uvx geekai-video-mcp ([a-z]+)", path.read_text("utf-8")))

    assert commands
    assert commands <= cli.COMMANDS.keys()


def test_the_skill_can_be_found_and_says_the_two_sentences_about_money() -> None:
    text = SKILL.read_text("utf-8")
    front = re.match(r"---\nname: (?P<name>[a-z-]+)\ndescription: (?P<text>.+)\n---\n", text)

    assert front
    assert front["name"] == SKILL.parent.name
    assert len(front["text"]) <= 1024
    assert NOT_CHARGED in text
    assert MAYBE_CHARGED in text
