"""What the documents say is what the program has: tables, links, files, settings and messages."""

import ast
import importlib
import json
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path

import pytest
from mcp import Client
from PIL import Image

from geekai_video_mcp import cli
from geekai_video_mcp.config import Settings
from geekai_video_mcp.server.build import build_server
from support.document_tables import ROOT, rendered, with_tables
from support.documents import DOCUMENTS, Block, anchors, blocks, inline_code, name_of
from support.world import World

LANGUAGES = {"console", "json", "mermaid", "sh", "text", "toml"}
"""What the blocks may be: what is run, what is parsed, and what is only shown."""


@pytest.mark.parametrize("document", rendered())
def test_a_table_is_what_scripts_tables_writes(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")

    assert with_tables(text, rendered()[document]) == text, "run scripts/tables --write"


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_first_picture_moves_and_is_small(readme: str) -> None:
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / readme).read_text("utf-8"))
    with Image.open(ROOT / shown[0]) as picture:
        assert (picture.format, picture.width) == ("WEBP", 800)
        assert getattr(picture, "n_frames", 1) > 100
    assert (ROOT / shown[0]).stat().st_size < 1_200_000
    assert all((ROOT / path).stat().st_size < 100_000 for path in shown[1:])


def test_every_block_says_what_it_is() -> None:
    """Otherwise a command could stand in one that no test looks into."""
    assert {block.language for block in blocks()} <= LANGUAGES


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_link_leads_to_a_file_and_to_a_heading_in_it(path: Path) -> None:
    for target, anchor in re.findall(
        r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", path.read_text("utf-8")
    ):
        document = path.parent / target if target else path
        assert document.exists(), target
        assert not anchor or anchor in anchors(document), f"{target}#{anchor}"


@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.language in {"json", "toml"}], ids=str
)
def test_a_configuration_parses_and_starts_this_server(block: Block, tmp_path: Path) -> None:
    parsed = json.loads(block.text) if block.language == "json" else tomllib.loads(block.text)
    servers = next(
        (parsed[name] for name in ("mcpServers", "servers", "mcp_servers") if name in parsed), None
    )
    if servers is None:
        assert_settings_hold(block.text, tmp_path)
        return
    (name,) = servers
    server = servers[name]
    assert name == "geekai-video"
    if "url" in server:
        assert server["url"] == "http://127.0.0.1:8765/mcp"
        assert server["headers"] == {"Authorization": "Bearer TOKEN"}
    else:
        assert [server["command"], *server["args"]] == ["uvx", "geekai-video-mcp"]
        assert set(server.get("env", {})) <= {"GEEKAI_API_KEY"}


def assert_settings_hold(text: str, folder: Path) -> None:
    """That it is a settings file that works, once there is a key in it."""
    assert 'GEEKAI_API_KEY = "sk-..."' in text
    path = folder / "settings.toml"
    path.write_text(text.replace("sk-...", "sk-0123456789abcdef"), "utf-8")
    path.chmod(0o600)
    settings = Settings.load({"GEEKAI_SETTINGS_FILE": str(path), "HOME": str(folder)})
    assert settings.warnings == ()
    assert settings.sources["GEEKAI_API_KEY"] == "settings file"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (document, code)
        for document, code in inline_code()
        if re.match(r"(uvx )?geekai-video-mcp(?= [a-z-])", code)
    ],
)
def test_a_command_within_a_line_has_such_options(
    document: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(code.removeprefix("uvx ").partition(" > ")[0])[1:]
    if words[0] == "--version":
        return
    assert words[0] in cli.COMMANDS, document
    of_its_own = words[1:2] if words[0] == "tasks" and words[1:] else []
    for asked in ([], of_its_own):
        show_help([words[0], *asked])
    known = capsys.readouterr().out
    for word in words[1:]:
        assert not word.startswith("--") or re.search(rf"{word}\b", known), word


OF_DEVELOPERS = {
    f"docs/{name}.md" for name in ("architecture", "clients", "decisions", "reliability")
}
"""Pages that name the options of other programs as well."""


def test_an_option_that_stands_alone_is_one_of_some_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in ([name] for name in cli.COMMANDS):
        show_help(command)
    for name in ("list", "resolve", "purge"):
        show_help(["tasks", name])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    named = {
        option
        for document, code in inline_code()
        if document not in OF_DEVELOPERS and code.startswith("--")
        for option in re.findall(r"--[a-z-]+", code)
    }

    assert len(named) > 10
    assert named <= known


def show_help(command: list[str]) -> None:
    """Print what `--help` prints."""
    module = importlib.import_module(f"geekai_video_mcp.cli.{command[0]}")
    with pytest.raises(SystemExit, match="0"):
        module.build_parser(command[0]).parse_args([*command[1:], "--help"])


async def test_the_results_page_has_every_resource_and_every_prompt(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "results.md").read_text("utf-8")
    async with Client(build_server(World(tmp_path).app)) as client:
        templates = (await client.list_resource_templates()).resource_templates
        prompts = (await client.list_prompts()).prompts

    for template in templates:
        address, _, part = template.uri_template.partition("}")
        assert f"`{address}}}{part}`" in text or f"`{part}`" in text, template.uri_template
    for prompt in prompts:
        taken = ", ".join(argument.name for argument in prompt.arguments or [])
        assert f"`{prompt.name}` ({taken})" in text


MESSAGES = ("docs/troubleshooting.md", "docs/zh-CN/troubleshooting.md")


@pytest.mark.parametrize("document", MESSAGES)
def test_a_message_that_is_explained_is_one_of_the_program(document: str) -> None:
    quoted = re.findall(r"^> (.+)$", (ROOT / document).read_text("utf-8"), re.MULTILINE)

    assert len(quoted) >= 12
    for message in quoted:
        for part in message.split("…"):
            assert is_said(part.strip()), part


def is_said(part: str) -> bool:
    """Whether it is in a text of the source, or is the end of one with another after it."""
    texts = program_texts()
    return any(part in text for text in texts) or any(
        any(text.endswith(part[:at]) for text in texts if text.strip())
        and any(text.startswith(part[at:]) for text in texts)
        for at in range(1, len(part))
    )


@cache
def program_texts() -> frozenset[str]:
    """Every text of the source."""
    return frozenset(
        node.value
        for path in (ROOT / "src" / "geekai_video_mcp").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_both_languages_explain_the_same_messages() -> None:
    english, chinese = (
        re.findall(r"^> (.+)$", (ROOT / document).read_text("utf-8"), re.MULTILINE)
        for document in MESSAGES
    )

    assert english == chinese
