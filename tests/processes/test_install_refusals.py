"""What `install` and `uninstall` refuse: the host's file is kept, and said."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from geekai_video_mcp.cli.hosts import HOSTS, PRINTED
from support.disks import mounted_tmpfs
from support.hosts import ENTRY, Home

ALL = [*HOSTS, *PRINTED]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b'{\n  "mcpServers": {\n    "a": {', "(line 3)"),
        (b'{\n  // mine\n  "mcpServers": {"geekai-video": {}}\n}\n', "(line 2)"),
        (b'{\n  "mcpServers": {},\n}\n', "trailing commas"),
        (b"[]\n", "a list and not an object"),
        (b'{\n  "mcpServers": ["x"]\n}\n', "(line 2)"),
        (b'{"mcpServers": null}', '"mcpServers" is null'),
        (b'{\n"a": 1,\n"b": "\xff\xfe"\n}', "(line 3)"),
        ('{"mcpServers": {}}'.encode("utf-16"), "not text in UTF-8"),
        (b'{"mcpServers": {}}\x00', "not JSON"),
        (b'{"mcpServers": {"geekai-video": 1, "geekai-video": 2}}', "twice"),
    ],
)
async def test_a_file_that_cannot_be_read_is_kept_byte_for_byte(
    home: Home, command: str, raw: bytes, said: str
) -> None:
    path = home.files["cursor"]
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)
    before = home.list_all()

    status, out, err = await home.run(command, "cursor")

    assert status == 1
    assert home.list_all() == before
    assert str(path) in err
    assert said in err
    assert "Traceback" not in err
    if command == "install":
        assert ENTRY in json.loads(out)["mcpServers"]


async def test_a_folder_in_the_place_of_the_file_is_said(home: Home) -> None:
    home.files["cursor"].mkdir(parents=True)

    status, out, err = await home.run("install", "cursor")

    assert status == 1
    assert "a folder is in its place" in err
    assert json.loads(out)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
async def test_a_file_in_the_place_of_the_folder_is_said(home: Home) -> None:
    home.path.mkdir()
    home.files["cursor"].parent.write_text("x", "utf-8")

    status, _, err = await home.run("install", "cursor")

    assert status == 1
    assert "a part of its path is a file and not a folder" in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.skipif(
    sys.platform != "win32" and os.geteuid() == 0, reason="root may write what it likes"
)
async def test_a_file_that_may_not_be_written_is_kept(home: Home) -> None:
    path = home.files["cursor"]
    path.parent.mkdir(parents=True)
    path.write_text("{}", "utf-8")
    path.chmod(0o400)

    status, _, err = await home.run("install", "cursor")

    assert status == 1
    assert "no permission" in err
    assert path.read_text("utf-8") == "{}"


async def test_a_disk_without_room_leaves_the_file_and_no_remains(home: Home) -> None:
    path = home.files["cursor"]
    path.parent.parent.mkdir(parents=True)
    with mounted_tmpfs(path.parent, "size=64k"):
        path.write_text('{"mcpServers": {}}', "utf-8")
        filler = path.parent / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        before = home.list_all()

        status, out, err = await home.run("install", "cursor")

        assert status == 1
        assert "its disk is full" in err
        assert json.loads(out)
        assert home.list_all() == before


@pytest.mark.parametrize(
    ("name", "meant"),
    [("curser", "cursor"), ("claude_code", "claude-code"), ("vs-code", "vscode"), ("Zed!", "zed")],
)
@pytest.mark.parametrize("options", [(), ("--print",)])
async def test_an_unknown_host_is_answered_with_the_nearest(
    home: Home, name: str, meant: str, options: tuple[str, ...]
) -> None:
    status, out, err = await home.run("install", *options, name)

    assert (status, out) == (2, "")
    assert f"Did you mean {meant}" in err
    assert home.list_all() == {}
    assert (await home.run("uninstall", name))[0] == 2


async def test_a_name_from_outside_is_quoted(home: Home) -> None:
    status, _, err = await home.run("install", "x\x1b[31m\ny")

    assert status == 2
    assert "\x1b" not in err


@pytest.mark.parametrize("name", ["goose", "dify"])
async def test_a_host_that_is_only_printed_says_how(home: Home, name: str) -> None:
    status, out, err = await home.run("install", name)

    assert (status, out) == (1, "")
    assert f"geekai-video-mcp install --print {name}" in err
    assert home.list_all() == {}


@pytest.mark.parametrize("name", ALL)
async def test_what_is_printed_is_the_snippet_alone_and_changes_nothing(
    home: Home, name: str
) -> None:
    status, out, err = await home.run("install", "--print", name, "--sandbox")

    assert status == 0
    assert err.strip()
    assert home.list_all() == {}
    if name == "dify":
        assert out == "http://127.0.0.1:8765/mcp\n"
        return
    assert ENTRY in out
    assert "sandbox" in out
    assert "mcp.json" not in out
    if name not in {"codex", "goose", "continue"}:
        assert json.loads(out)


async def test_the_list_says_which_hosts_are_here_and_start_this_server(home: Home) -> None:
    files = home.files
    files["vscode"].parent.mkdir(parents=True)
    files["vscode"].write_text("{,}", "utf-8")
    files["claude-desktop"].parent.mkdir(parents=True)
    other = {"mcpServers": {ENTRY: {"command": "/other"}}}
    files["claude-desktop"].write_text(json.dumps(other), "utf-8")
    files["cursor"].parent.mkdir()
    await home.run("install", "cursor")

    status, out, err = await home.run("install")
    rows = {line.split()[0]: line.split(None, 2)[1:] for line in out.splitlines()[1:7]}

    assert status == 0
    assert rows["cursor"] == ["yes", "yes"]
    assert rows["claude-desktop"] == ["yes", 'another one: "/other"']
    assert rows["vscode"] == ["yes", "not known: see below"]
    assert rows["codex"] == ["no", "no"]
    assert str(files["vscode"]) in err
    assert max(map(len, out.splitlines())) <= 80
    assert (await home.run("install", "--list"))[1] == out
