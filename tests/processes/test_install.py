"""`install` and `uninstall` as a person runs them: a process each."""

import json
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.disks import mounted_tmpfs
from support.hosts import Home, read_entry
from support.process import environment


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("host", ["claude-desktop", "cursor", "vscode"])
async def test_what_is_written_starts_the_server_and_is_taken_out_again(
    home: Home, host: str
) -> None:
    status, out, err = await home.run_process("install", host, "--sandbox")
    entry = read_entry(home.files[host])
    given = {**environment(home.folder), "HOME": str(home.path), **entry["env"]}
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=given)
    with anyio.fail_after(40):
        async with Client(stdio_client(server)) as client:
            tools = await client.list_tools()

    assert (status, err) == (0, "")
    assert str(home.files[host]) in out
    assert "generate_video" in {tool.name for tool in tools.tools}
    assert (await home.run_process("uninstall", host))[0] == 0
    assert not home.files[host].exists()


async def test_two_at_once_leave_a_whole_file(home: Home) -> None:
    path = home.files["cursor"]
    path.parent.mkdir(parents=True)
    path.write_text('{"mcpServers": {"a": {"command": "x"}}}', "utf-8")

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(home.run_process, "install", "cursor")

    assert read_entry(path)["command"]
    assert json.loads(path.read_text("utf-8"))["mcpServers"]["a"] == {"command": "x"}
    assert not list(path.parent.glob(".*.new"))


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

        status, out, err = await home.run_process("install", "cursor")

        assert status == 1
        assert "its disk is full" in err
        assert json.loads(out)
        assert home.list_all() == before
