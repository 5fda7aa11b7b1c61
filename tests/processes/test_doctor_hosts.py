"""`doctor` starts what each host is configured to start, and says whether it is this server."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from geekai_video_mcp import __version__
from support.process import descendants_naming, run_cli

SOURCE: Final = str(Path(__file__).parent.parent.parent / "src")
OURS: Final[dict[str, Any]] = {
    "command": sys.executable,
    "args": ["-m", "geekai_video_mcp"],
    "env": {"GEEKAI_BASE_URL": "sandbox", "PYTHONPATH": SOURCE},
}
KEY: Final = "sk-canary-0123456789-wxyz"
GATEWAY: Final = "http://127.0.0.1:9/api/v1"
OTHER: Final = """
import json, sys
request = json.loads(sys.stdin.readline())
info = {"name": "another-server", "version": "9"}
answer = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": info}
print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": answer}), flush=True)
"""
EARLIER: Final = OTHER.replace("another-server", "geekai-video-mcp")
GARBAGE: Final = "print('Welcome to my shell!', flush=True); input()"
HANGS: Final = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause() # canary"
)
ENDS: Final = "import sys; sys.exit('the module is gone')"

CONFIGURATION: Final = "Library/Application Support" if sys.platform == "darwin" else ".config"
pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the files of hosts are not below HOME there"
)


def program(code: str) -> dict[str, Any]:
    return {"command": sys.executable, "args": ["-c", code]}


def configure(home: Path, **entries: dict[str, Any]) -> None:
    """Write the files of hosts with these entries."""
    files = {
        "claude_desktop": (f"{CONFIGURATION}/Claude/claude_desktop_config.json", "mcpServers"),
        "cursor": (".cursor/mcp.json", "mcpServers"),
        "vscode": (f"{CONFIGURATION}/Code/User/mcp.json", "servers"),
        "claude_code": (".claude.json", "mcpServers"),
        "gemini": (".gemini/settings.json", "mcpServers"),
    }
    for host, entry in entries.items():
        name, member = files[host]
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({member: {"geekai-video": entry}}), "utf-8")


async def examine_hosts(home: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status of doctor, and its first line about each host, by the host's name."""
    status, hosts, _ = await examine_all(home)
    return status, hosts


async def examine_all(home: Path) -> tuple[int, dict[str, dict[str, Any]], str]:
    """The same, and the texts of all lines."""
    places = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "PATH": "/usr/bin:/bin"}
    status, out, err = await run_cli(home, "doctor", "--json", **places)
    assert err == ""
    lines = [line for line in json.loads(out)["checks"] if line["check"] == "hosts"]
    first = {line["facts"].get("host", "all"): line for line in reversed(lines)}
    return status, first, "\n".join(line["text"] for line in lines)


@pytest.mark.exhaustive
async def test_a_host_that_starts_this_server_is_well_and_no_task_is_touched(
    tmp_path: Path,
) -> None:
    entry = OURS | {"env": OURS["env"] | {"GEEKAI_STATE_DIR": str(tmp_path / "state")}}
    configure(tmp_path, cursor=entry)
    status, hosts = await examine_hosts(tmp_path)

    assert status == 0
    assert hosts["cursor"]["state"] == "ok"
    assert hosts["cursor"]["text"] == f"Cursor starts version {__version__}"
    assert not (tmp_path / "state").exists()


@pytest.mark.exhaustive
async def test_each_host_that_starts_something_else_is_told_apart(tmp_path: Path) -> None:
    configure(
        tmp_path,
        claude_desktop={"command": str(tmp_path / "gone")},
        cursor=program(OTHER),
        vscode=program(HANGS),
        claude_code=program(GARBAGE),
        gemini=program(ENDS),
    )
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text("mcp_servers = [", "utf-8")
    status, hosts = await examine_hosts(tmp_path)

    assert status == 1
    assert {line["state"] for name, line in hosts.items() if name != "all"} == {"FAIL"}
    assert "cannot be started: it does not exist" in hosts["claude-desktop"]["text"]
    assert 'starts another server, "another-server"' in hosts["cursor"]["text"]
    assert "did not answer within 10 s" in hosts["vscode"]["text"]
    assert '"Welcome to my shell!"' in hosts["claude-code"]["text"]
    assert 'ended with status 1 and said "the module is gone"' in hosts["gemini-cli"]["text"]
    assert ".codex/config.toml" in hosts["codex"]["text"]
    for name in ("claude-desktop", "cursor", "vscode", "claude-code", "gemini-cli", "codex"):
        assert f"geekai-video-mcp install {name}" in hosts[name]["remedy"]
    assert not descendants_naming("# canary")


@pytest.mark.exhaustive
async def test_an_earlier_version_another_state_folder_and_a_host_without_it_are_noted(
    tmp_path: Path,
) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    other = {"GEEKAI_STATE_DIR": elsewhere, "GEEKAI_API_KEY": KEY, "GEEKAI_BASE_URL": GATEWAY}
    configure(tmp_path, cursor=program(EARLIER), vscode=OURS | {"env": OURS["env"] | other})
    (tmp_path / CONFIGURATION / "Claude").mkdir(parents=True)
    status, hosts, every = await examine_all(tmp_path)

    assert status == 0
    assert hosts["cursor"]["state"] == "note"
    assert f"starts version 9, and this is {__version__}" in hosts["cursor"]["text"]
    assert hosts["vscode"]["state"] == "ok"
    assert f'VS Code records its tasks in "{elsewhere}", and this terminal looks in' in every
    assert f"VS Code uses {GATEWAY}, and this terminal uses the sandbox" in every
    assert KEY not in every
    assert "Claude Desktop" in hosts["all"]["text"]
    assert hosts["all"]["remedy"] == "To add it: geekai-video-mcp install claude-desktop"
    assert list((tmp_path / CONFIGURATION / "Claude").iterdir()) == []
