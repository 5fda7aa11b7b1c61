"""`install` and `uninstall` for the hosts that have a file of their own."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from support.hosts import ENTRY, Home, read_entry

HOSTS = ("claude-desktop", "cursor", "vscode")
MEMBER = {"claude-desktop": "mcpServers", "cursor": "mcpServers", "vscode": "servers"}
KEY = "sk-canary-0123456789"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def layouts(host: str) -> dict[str, bytes]:
    """Files as people have them."""
    member = MEMBER[host]
    others: dict[str, Any] = {"theme": "暗", member: {"é": {"command": "x", "args": ["1"]}}, "z": 1}
    return {
        "two spaces": json.dumps(others, indent=2, ensure_ascii=False).encode() + b"\n",
        "four spaces, no end": json.dumps(others, indent=4).encode(),
        "tabs, CRLF": json.dumps(others, indent="\t").replace("\n", "\r\n").encode() + b"\r\n",
        "byte order mark": b"\xef\xbb\xbf" + json.dumps(others, indent=2).encode(),
        "one line": json.dumps(others, separators=(",", ":")).encode(),
        "no servers": b'{\n  "theme": "dark"\n}\n',
        "empty servers": json.dumps({member: {}}, indent=2).encode(),
        "empty object": b"{}",
        "odd spaces": f'{{ "{member}" :{{ }} ,\n "a":[ ]}}\n\n'.encode(),
    }


@pytest.mark.parametrize(
    ("host", "layout"),
    [
        *(("cursor", layout) for layout in layouts("cursor")),
        ("claude-desktop", "two spaces"),
        ("vscode", "tabs, CRLF"),
    ],
)
async def test_a_file_gets_the_server_once_and_is_given_back_as_it_was(
    home: Home, host: str, layout: str
) -> None:
    path, raw = home.files[host], layouts(host)[layout]
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)
    path.chmod(0o640)
    before = home.list_all()

    status, out, err = await home.run("install", host, "--sandbox")
    installed = home.list_all()
    again = await home.run("install", host, "--sandbox")

    assert (status, err) == (0, "")
    entry = read_entry(path)
    assert entry["env"]["GEEKAI_BASE_URL"] == "sandbox"
    assert Path(entry["command"]).is_absolute()
    assert entry.get("type") == ("stdio" if host == "vscode" else None)
    assert str(path) in out
    others = json.loads(raw.decode("utf-8-sig"))
    found = json.loads(path.read_text("utf-8-sig"))
    assert [name for name in found if name in others] == list(others)
    assert {**others, MEMBER[host]: found[MEMBER[host]]} == found
    (backup,) = path.parent.glob("*.backup-*")
    assert backup.read_bytes() == raw
    assert str(backup) in out
    if os.name == "posix":
        assert {stat.S_IMODE(each.stat().st_mode) for each in (path, backup)} == {0o640}
    assert again[0] == 0
    assert "already; nothing was changed" in again[1]
    assert home.list_all() == installed

    removed = await home.run("uninstall", host)
    assert removed[0] == 0
    assert home.list_all() == before
    assert "nothing was changed" in (await home.run("uninstall", host))[1]
    assert home.list_all() == before


@pytest.mark.parametrize("host", HOSTS)
async def test_a_host_without_a_file_gets_one_that_goes_again(home: Home, host: str) -> None:
    home.path.mkdir()

    status, out, err = await home.run("install", host)
    changed = await home.run("install", host, "--sandbox")

    assert (status, err) == (0, "")
    assert "was not found on this machine" in out
    assert "until this has stored a key: geekai-video-mcp setup" in out
    assert "GEEKAI_BASE_URL" not in json.dumps(out)
    assert "needs no key and costs nothing" in changed[1]
    if os.name == "posix":
        assert stat.S_IMODE(home.files[host].stat().st_mode) == 0o600
    assert (await home.run("uninstall", host))[0] == 0
    assert home.list_all() == {}


async def test_an_empty_folder_that_was_there_before_stays(home: Home) -> None:
    home.files["cursor"].parent.mkdir(parents=True)

    await home.run("install", "cursor")
    await home.run("uninstall", "cursor")

    assert home.list_all() == {".cursor": b""}


async def test_what_others_have_added_since_stays(home: Home) -> None:
    path = home.files["claude-desktop"]
    await home.run("install", "claude-desktop")
    whole = json.loads(path.read_text("utf-8"))
    whole["globalShortcut"] = "Ctrl+Space"
    whole["mcpServers"]["b"] = {"command": "b"}
    path.write_text(json.dumps(whole, indent=4), "utf-8")

    await home.run("uninstall", "claude-desktop")

    assert json.loads(path.read_text("utf-8")) == {
        "mcpServers": {"b": {"command": "b"}},
        "globalShortcut": "Ctrl+Space",
    }


async def test_a_member_for_servers_that_was_made_for_ours_goes_with_it(home: Home) -> None:
    path = home.files["claude-desktop"]
    path.parent.mkdir(parents=True)
    path.write_text('{\n  "a": 1\n}\n', "utf-8")
    await home.run("install", "claude-desktop")
    whole = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**whole, "b": 2}, indent=2), "utf-8")

    await home.run("uninstall", "claude-desktop")

    assert path.read_text("utf-8") == '{\n  "a": 1,\n  "b": 2\n}'


@pytest.mark.skipif(sys.platform == "win32", reason="needs a right for symbolic links")
async def test_a_file_that_is_a_symbolic_link_stays_one(home: Home) -> None:
    path, real = home.files["cursor"], home.path / "dotfiles" / "cursor.json"
    real.parent.mkdir(parents=True)
    path.parent.mkdir()
    real.write_text('{"mcpServers": {"a": {"command": "x"}}}', "utf-8")
    path.symlink_to(real)

    await home.run("install", "cursor")

    assert path.is_symlink()
    assert read_entry(real)["command"]
    assert [each.name for each in real.parent.iterdir()] == ["cursor.json"]
    await home.run("uninstall", "cursor")
    assert path.is_symlink()
    assert real.read_text("utf-8") == '{"mcpServers": {"a": {"command": "x"}}}'


@pytest.mark.skipif(sys.platform == "win32", reason="needs a right for symbolic links")
async def test_a_symbolic_link_to_a_file_that_is_not_there_yet(home: Home) -> None:
    path, real = home.files["cursor"], home.path / "dotfiles" / "cursor.json"
    real.parent.mkdir(parents=True)
    path.parent.mkdir()
    path.symlink_to(real)
    before = home.list_all()

    await home.run("install", "cursor")

    assert path.is_symlink()
    assert read_entry(real)["command"]
    await home.run("uninstall", "cursor")
    assert home.list_all() == before


async def test_what_a_person_has_changed_in_the_server_is_kept_and_said(home: Home) -> None:
    path = home.files["cursor"]
    path.parent.mkdir(parents=True)
    mine = {
        "command": "/old/geekai-video-mcp",
        "args": ["serve"],
        "env": {"GEEKAI_API_KEY": KEY, "HTTPS_PROXY": "http://p", "GEEKAI_BASE_URL": "sandbox"},
        "disabled": False,
        "autoApprove": ["list_video_models"],
    }
    path.write_text(json.dumps({"mcpServers": {ENTRY: mine}}, indent=2), "utf-8")

    status, out, _ = await home.run("install", "cursor")
    entry = read_entry(path)

    assert status == 0
    assert entry["command"] != mine["command"]
    assert entry["args"] == []
    assert entry["env"] == {
        "GEEKAI_API_KEY": KEY,
        "HTTPS_PROXY": "http://p",
        **{name: entry["env"][name] for name in entry["env"] if name.endswith(("_DIR", "_FILE"))},
    }
    assert entry["autoApprove"] == ["list_video_models"]
    assert 'Its command was "/old/geekai-video-mcp serve".' in out
    assert "Removed: GEEKAI_BASE_URL." in out
    assert "Kept: GEEKAI_API_KEY, HTTPS_PROXY." in out
    assert KEY not in out


async def test_a_server_that_was_reached_over_http_is_started_from_now_on(home: Home) -> None:
    path = home.files["cursor"]
    path.parent.mkdir(parents=True)
    remote = {"type": "http", "url": "http://127.0.0.1:8765/mcp", "headers": {"A": "b"}}
    path.write_text(json.dumps({"mcpServers": {ENTRY: remote}}), "utf-8")

    status, out, _ = await home.run("install", "cursor")

    assert status == 0
    assert read_entry(path).keys() == {"command", "args", "env"}
    assert "no longer reached over HTTP" in out


async def test_each_of_several_vs_codes_gets_the_server(home: Home) -> None:
    first = home.files["vscode"]
    second = first.parents[2] / "VSCodium" / "User" / "mcp.json"
    first.parents[1].mkdir(parents=True)
    second.parents[1].mkdir()
    before = home.list_all()

    await home.run("install", "vscode")

    assert read_entry(first) == read_entry(second)
    assert not (first.parents[2] / "Code - Insiders").exists()
    await home.run("uninstall", "vscode")
    assert home.list_all() == before


@pytest.mark.parametrize("host", HOSTS)
async def test_a_key_never_enters_a_hosts_file(home: Home, host: str) -> None:
    status, out, err = await home.run("install", host, GEEKAI_API_KEY=KEY)

    assert status == 0
    assert "no key is written into a host's file" in out
    assert "geekai-video-mcp setup" in out
    assert KEY not in out + err
    assert not [name for name, raw in home.list_all().items() if KEY.encode() in raw]


async def test_a_host_with_the_settings_file_of_this_user_is_not_told_of_the_sandbox(
    home: Home, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'GEEKAI_API_KEY = "{KEY}"\n', "utf-8")
    settings.chmod(0o600)

    status, out, _ = await home.run("install", "cursor", GEEKAI_SETTINGS_FILE=str(settings))

    assert status == 0
    assert "sandbox" not in out
    assert read_entry(home.files["cursor"])["env"]["GEEKAI_SETTINGS_FILE"] == str(settings)
