"""`install` and `uninstall` for the hosts with a command of their own.

The real programs are run where `make hosts` has installed them, cut off from the network.
"""

import json
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import anyio
import pytest

from hosts.installation import folder, missing
from hosts.run_host import INSIDE
from support.hosts import ENTRY, Home
from support.missing import skip_test
from support.process import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs programs by a shell")

PROGRAMS = {"claude-code": "claude", "codex": "codex", "gemini-cli": "gemini"}
FILES = {
    "claude-code": ".claude.json",
    "codex": ".codex/config.toml",
    "gemini-cli": ".gemini/settings.json",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("host", PROGRAMS)
async def test_without_the_program_the_command_and_the_snippet_are_printed(
    home: Home, host: str
) -> None:
    status, out, err = await home.run_process("install", host, "--sandbox")

    assert status == 1
    assert f"there is no {PROGRAMS[host]} on PATH" in err
    command = next(line for line in err.splitlines() if f"{PROGRAMS[host]} mcp add" in line)
    words = shlex.split(command)
    assert "GEEKAI_BASE_URL=sandbox" in words
    assert ENTRY in words
    assert str(home.path / FILES[host]) in err
    snippet = tomllib.loads(out) if host == "codex" else json.loads(out)
    assert (snippet.get("mcpServers") or snippet["mcp_servers"])[ENTRY]["command"]
    assert home.list_all() == {}
    assert (await home.run_process("uninstall", host))[0] == 0


@pytest.mark.parametrize("host", PROGRAMS)
async def test_the_commands_own_words_say_why_it_failed(home: Home, host: str) -> None:
    home.put_program(PROGRAMS[host], 'printf "\\033[31mno scope \\"user\\"\\033[0m\\n" >&2; exit 3')

    status, out, err = await home.run_process("install", host)

    assert status == 1
    assert "own command failed, with status 3: \"no scope 'user'\"" in err
    assert ENTRY in out
    assert f"{PROGRAMS[host]} mcp add" in err


async def test_a_command_that_only_says_that_it_was_done_is_not_believed(home: Home) -> None:
    home.put_program("codex", "echo Added global MCP server.")

    status, out, err = await home.run_process("install", "codex")

    assert status == 1
    assert "its file does not have the server" in err
    assert ENTRY in out


async def test_a_program_that_cannot_be_started_is_said(home: Home) -> None:
    home.put_program("codex", "")
    (home.programs / "codex").write_bytes(b"\x7fELF not a program")

    status, _, err = await home.run_process("install", "codex")

    assert status == 1
    assert "could not be started" in err
    assert "Traceback" not in err


async def test_a_file_of_the_host_that_is_no_toml_is_said_and_kept(home: Home) -> None:
    home.put_program("codex", "exit 1")
    path = home.path / FILES["codex"]
    path.parent.mkdir(parents=True)
    path.write_text("x = [", "utf-8")

    for command in ("install", "uninstall"):
        status, _, err = await home.run_process(command, "codex")
        assert status == 1
        assert str(path) in err
    assert path.read_text("utf-8") == "x = ["


class RealHost:
    """One of the real programs, in a home of its own and without any network but loopback."""

    def __init__(self, home: Home, name: str, programs: Path) -> None:
        self.home, self.name, self.programs = home, name, programs
        self.file = home.path / FILES[name]

    async def run(self, *command: str) -> str:
        """Run the host's own command; returns what it printed."""
        return await self._run([PROGRAMS[self.name], *command])

    async def call(self, *command: str) -> str:
        """Run a command of ours."""
        return await self._run([sys.executable, "-m", "geekai_video_mcp", *command])

    async def _run(self, command: list[str]) -> str:
        work = self.home.folder / "work"
        for each in (work, self.home.path):
            each.mkdir(exist_ok=True)
        kept = environment(self.home.folder, HOME=str(self.home.path), LANG="C.UTF-8")
        dropped = ("XDG_", "CLAUDE", "ANTHROPIC", "CODEX", "GEMINI", "OPENAI", "COVERAGE")
        variables = {name: each for name, each in kept.items() if not name.startswith(dropped)}
        variables["PATH"] = f"{self.programs}:{Path(sys.executable).parent}:/usr/bin:/bin"
        variables["GEMINI_CLI_TRUST_WORKSPACE"] = "true"
        with anyio.fail_after(50):
            done = await anyio.run_process(
                [*INSIDE, *command], env=variables, cwd=work, check=False
            )
        printed = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, printed
        return printed

    def read_entry(self) -> dict[str, Any]:
        text = self.file.read_text("utf-8")
        whole = tomllib.loads(text) if self.name == "codex" else json.loads(text)
        return (whole.get("mcpServers") or whole["mcp_servers"])[ENTRY]


@pytest.fixture(params=PROGRAMS)
def real_host(request: pytest.FixtureRequest, home: Home) -> RealHost:
    name: str = request.param
    programs = folder() / "npm" / "node_modules" / ".bin"
    if not (programs / PROGRAMS[name]).exists():
        skip_test(f"{PROGRAMS[name]} is not in {programs}: make hosts installs it")
    reason = missing()
    if reason:
        skip_test(reason)
    return RealHost(home, name, programs)


@pytest.mark.timeout(240)
async def test_the_real_host_lists_the_server_and_then_no_longer(real_host: RealHost) -> None:
    assert ENTRY not in await real_host.run("mcp", "list")
    printed = await real_host.call("install", real_host.name)
    listed = await real_host.run("mcp", "list")
    again = await real_host.call("install", real_host.name)

    assert "own command wrote geekai-video" in printed
    assert ENTRY in listed
    assert ("enabled" if real_host.name == "codex" else "Connected") in listed
    assert "nothing was changed" in again
    assert "yes   yes" in (await real_host.call("install", "--list"))

    assert "removed geekai-video" in await real_host.call("uninstall", real_host.name)
    assert ENTRY not in await real_host.run("mcp", "list")
    assert "nothing was changed" in await real_host.call("uninstall", real_host.name)


OWN: dict[str, dict[str, Any]] = {
    "claude-code": {"timeout": 120000},
    "codex": {"required": True, "startup_timeout_sec": 30, "enabled_tools": ["view_video"]},
    "gemini-cli": {"trust": True, "timeout": 90000, "includeTools": ["view_video"]},
}


@pytest.mark.timeout(240)
async def test_what_a_person_has_set_in_the_real_host_stays(real_host: RealHost) -> None:
    await real_host.call("install", real_host.name)
    own = OWN[real_host.name]
    if real_host.name == "codex":
        header, text = f"[mcp_servers.{ENTRY}]\n", real_host.file.read_text("utf-8")
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in own.items())
        real_host.file.write_text(text.replace(header, header + lines) + "# mine\n", "utf-8")
    else:
        whole = json.loads(real_host.file.read_text("utf-8"))
        whole["mcpServers"][ENTRY] |= {**own, "env": {"HTTPS_PROXY": "http://p"}}
        real_host.file.write_text(json.dumps(whole, indent=2), "utf-8")

    printed = await real_host.call("install", real_host.name, "--sandbox")

    entry = real_host.read_entry()
    assert {name: entry.get(name) for name in own} == own
    assert entry["env"]["GEEKAI_BASE_URL"] == "sandbox"
    assert "Added: GEEKAI_BASE_URL" in printed
    if real_host.name == "codex":
        assert "# mine\n" in real_host.file.read_text("utf-8")
    else:
        assert entry["env"]["HTTPS_PROXY"] == "http://p"
    assert "nothing was changed" in await real_host.call("install", real_host.name, "--sandbox")
    assert ENTRY in await real_host.run("mcp", "list")
