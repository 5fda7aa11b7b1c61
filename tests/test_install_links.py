"""The one-click links, decoded as each host decodes them."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from geekai_video_mcp.cli.hosts.launch import ENTRY, PROGRAM
from support import ROOT

SCRIPT = ROOT / "scripts" / "links"
STARTS = {"command": "uvx", "args": [PROGRAM]}


def run_script(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def links() -> dict[str, str]:
    """Every link that the script prints, by what comes before its query."""
    lines = run_script().stdout.splitlines()
    printed = [line.split("\t") for line in lines]
    return {f"{name} {link.partition('?')[0]}": link for name, link in printed}


def members(link: str) -> dict[str, str]:
    """The query, each member of which is there once."""
    parsed = parse_qs(urlsplit(link).query, strict_parsing=True)
    assert all(len(values) == 1 for values in parsed.values())
    return {name: values[0] for name, values in parsed.items()}


def from_base64(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(base64.b64decode(text, validate=True))


@pytest.mark.parametrize(
    "host",
    [
        "Cursor cursor://anysphere.cursor-deeplink/mcp/install",
        "Cursor https://cursor.com/install-mcp",
        "LM Studio lmstudio://add_mcp",
        "LM Studio https://lmstudio.ai/install-mcp",
        "Trae trae-cn://trae.ai-ide/mcp-import",
    ],
)
def test_a_name_and_the_server_in_base64(host: str, links: dict[str, str]) -> None:
    found = members(links[host])

    assert found["name"] == ENTRY
    assert from_base64(found["config"]) == STARTS
    assert found.get("type", "stdio") == "stdio"


@pytest.mark.parametrize(
    "host", ["VS Code vscode:mcp/install", "VS Code Insiders vscode-insiders:mcp/install"]
)
def test_vs_code_asks_for_the_key_as_for_a_password(host: str, links: dict[str, str]) -> None:
    found = json.loads(unquote(links[host].partition("?")[2]))

    assert_asks_for_the_key(found.pop("inputs"), found.pop("env"))
    assert found == {"name": ENTRY, "type": "stdio", **STARTS}


@pytest.mark.parametrize(("host", "quality"), [("VS Code", None), ("VS Code Insiders", "insiders")])
def test_the_page_that_leads_to_vs_code(
    host: str, quality: str | None, links: dict[str, str]
) -> None:
    found = members(links[f"{host} https://insiders.vscode.dev/redirect/mcp/install"])
    server = json.loads(found["config"])

    assert found["name"] == ENTRY
    assert found.get("quality") == quality
    assert_asks_for_the_key(json.loads(found["inputs"]), server.pop("env"))
    assert server == {"type": "stdio", **STARTS}


@pytest.mark.parametrize(
    "host", ["goose goose://extension", "goose https://goose-docs.ai/extension"]
)
def test_goose_is_given_the_words_of_the_command(host: str, links: dict[str, str]) -> None:
    found = members(links[host])

    assert (found["cmd"], found["arg"]) == ("uvx", PROGRAM)
    assert (found["id"], found["name"]) == (ENTRY, ENTRY)
    assert found["description"]
    assert int(found["timeout"]) >= 60


def test_cherry_studio_is_given_a_file_of_servers(links: dict[str, str]) -> None:
    found = members(links["Cherry Studio cherrystudio://mcp/install"])

    assert from_base64(found["servers"]) == {"mcpServers": {ENTRY: STARTS}}


def assert_asks_for_the_key(inputs: list[dict[str, Any]], env: dict[str, str]) -> None:
    assert [(each["type"], each["password"]) for each in inputs] == [("promptString", True)]
    assert env == {"GEEKAI_API_KEY": f"${{input:{inputs[0]['id']}}}"}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_a_readme_has_these_links(name: str) -> None:
    assert "<!-- links -->" in (ROOT / name).read_text("utf-8")
    checked = run_script("--check", str(ROOT / name))

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(("name", "word"), [("README.md", "paste"), ("README.zh-CN.md", "粘贴")])
def test_the_links_are_written_once_between_the_marks(tmp_path: Path, name: str, word: str) -> None:
    readme = tmp_path / name
    readme.write_text("# Before\n\n<!-- links -->\nold\n<!-- /links -->\n\nAfter\n", "utf-8")

    before = run_script("--check", str(readme))
    written = run_script("--write", str(readme))
    first = readme.read_text("utf-8")
    again = run_script("--write", str(readme))

    assert before.returncode == 1
    assert "scripts/links --write" in before.stderr
    assert (written.returncode, again.returncode) == (0, 0)
    assert readme.read_text("utf-8") == first
    assert first.startswith("# Before\n\n<!-- links -->\n")
    assert first.endswith("<!-- /links -->\n\nAfter\n")
    assert "old" not in first
    assert word in first
    assert run_script("--check", str(readme)).returncode == 0


def test_a_file_without_the_marks_is_refused(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing\n", "utf-8")

    done = run_script("--write", str(readme))

    assert done.returncode == 1
    assert "<!-- links -->" in done.stderr
    assert readme.read_text("utf-8") == "nothing\n"
