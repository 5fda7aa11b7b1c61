"""Clients that nobody here wrote, each as its users run it: list, generate, wait, read, err.

Every client is a small program that takes an errand and prints what it saw as JSON. Their
tools are apart from ours, because they want other versions of the same packages.
"""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from support import ROOT
from support.missing import skip_test
from support.mp4 import probe
from support.process import MODULE, SERVE, environment, http_server
from support.sampling import sample

HERE: Final = Path(__file__).parent
PACKAGES: Final = HERE / "node_modules"
NODE: Final = PACKAGES / ".bin" / "node"
INSPECTOR: Final = PACKAGES / ".bin" / "mcp-inspector"
TOOLS: Final = {path.stem for path in (HERE.parent / "snapshots" / "tools").glob("*.json")}
RESOURCE: Final = "video://tasks/{task_id}"
"""What every client reads of the task it made."""

ASK: Final[dict[str, Any]] = {"prompt": "a fox", "size": "320x180", "duration": 1, "fps": 12}
OLD, NEW = "2025-11-25", "2026-07-28"


@dataclass(frozen=True)
class Program:
    """A client: what runs it, how it is to negotiate, and the revision that comes of it."""

    name: str
    runtime: Path
    script: str
    made_by: str
    """The command that installs it."""
    protocol: str | None
    """None where the client does not tell."""
    mode: str = ""
    link: str = "resource_link"
    """What it calls a link to a resource."""
    over_sse: str | None = None
    """The revision over SSE, where the client takes another one there."""

    def __str__(self) -> str:
        return f"{self.name} {self.mode}".strip()


MCP1: Final = ROOT / ".venv-mcp1" / "bin" / "python"
MCP2: Final = ROOT / ".venv" / "bin" / "python"
FASTMCP: Final = ROOT / ".venv-fastmcp" / "bin" / "python"
PROGRAMS: Final = [
    Program("mcp 1.", MCP1, "mcp1_client.py", "make test", OLD),
    Program("mcp 2.", MCP2, "mcp2_client.py", "make test", NEW, mode="auto"),
    Program("mcp 2.", MCP2, "mcp2_client.py", "make test", OLD, mode="legacy"),
    Program("mcp 2.", MCP2, "mcp2_client.py", "make test", NEW, mode="2026-07-28"),
    Program("fastmcp", FASTMCP, "fastmcp_client.py", "make test", NEW, over_sse=OLD),
    Program("langchain-mcp-adapters", MCP1, "langchain_client.py", "make test", None, link="file"),
    Program("@modelcontextprotocol/sdk 1.", NODE, "sdk1_client.mjs", "make clients", OLD),
    Program(
        "@modelcontextprotocol/client 2.", NODE, "sdk2_client.mjs", "make clients", OLD, "legacy"
    ),
    Program(
        "@modelcontextprotocol/client 2.", NODE, "sdk2_client.mjs", "make clients", NEW, "auto"
    ),
]


@pytest.fixture(scope="module")
async def origin(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """A server with both HTTP transports on one port, for all clients of this process."""
    folder = tmp_path_factory.mktemp("http")
    async with http_server(folder, *SERVE) as origin:
        yield origin


def skip_unless_installed(tool: Path, made_by: str, config: pytest.Config) -> None:
    """Skip where a client is not installed, unless every client was asked for."""
    if tool.exists():
        return
    absent = f"no {tool.relative_to(ROOT)} here; `{made_by}` installs it"
    if config.getoption("--every-client", default=False):
        pytest.fail(absent)
    skip_test(f"this client is not installed: {absent}")


@pytest.mark.parametrize("transport", sample(["stdio", "http", "sse"], every=3))
@pytest.mark.parametrize("program", sample(PROGRAMS, every=8), ids=str)
async def test_a_client_lists_generates_waits_reads_and_sees_its_mistakes(
    program: Program,
    transport: str,
    origin: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    skip_unless_installed(program.runtime, program.made_by, pytestconfig)
    targets = {"stdio": "", "http": f"{origin}/mcp", "sse": f"{origin}/sse"}
    target = targets[transport]
    variation = 1 + len(targets) * PROGRAMS.index(program) + list(targets).index(transport)
    errand = {
        "transport": transport,
        "command": MODULE,
        "url": target,
        "mode": program.mode,
        "ask": ASK | {"variation": variation},  # each its own task, to wait for
        "resource": RESOURCE,
    }
    observed, stderr = await run(program, errand, tmp_path)

    assert observed["client"].startswith(program.name)
    expected = program.over_sse if transport == "sse" else None
    assert observed["protocol"] == (expected or program.protocol)
    assert set(observed["tools"]) == TOOLS
    assert observed["done"]["task_status"] == "succeed"
    assert probe(Path(observed["done"]["file"])).codec == "h264"
    assert observed["blocks"] == ["text", program.link, "image"]
    assert observed["heard"]
    marks = [progress for progress, _ in observed["heard"]]
    assert marks == sorted(set(marks))
    assert json.loads(observed["resource"])["task_id"] == observed["done"]["task_id"]
    wrong, sentence = observed["unknown_argument"]
    assert wrong
    assert "promt" in sentence
    assert "Nothing was charged." in sentence
    wrong, sentence = observed["unknown_task"]
    assert wrong
    assert "nobodys" in sentence
    assert "Traceback" not in stderr


async def run(program: Program, errand: dict[str, Any], folder: Path) -> tuple[dict[str, Any], str]:
    """What the client saw, and what it and a server of its own wrote on stderr."""
    command = [str(program.runtime), str(HERE / program.script), json.dumps(errand)]
    with anyio.fail_after(50):
        done = await anyio.run_process(command, env=environment(folder), check=False)
    stderr = done.stderr.decode()
    assert done.returncode == 0, stderr
    return json.loads(done.stdout), stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize("transport", ["stdio", "http", "sse"])
async def test_the_inspector_finds_no_fault_with_the_schemas_and_does_all_of_it(
    transport: str, origin: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    skip_unless_installed(INSPECTOR, "make clients", pytestconfig)
    target = {"stdio": MODULE, "http": [f"{origin}/mcp"], "sse": [f"{origin}/sse"]}[transport]
    inspector = Inspector(target, tmp_path)

    listed = await inspector.ask("tools/list", "--strict")
    started = await inspector.call("generate_video", **(ASK | {"variation": 50}))
    task_id = started["structuredContent"]["task_id"]
    done = await inspector.call("get_video_task", task_id=task_id, wait_seconds=45)
    read = await inspector.ask("resources/read", "--uri", RESOURCE.format(task_id=task_id))
    argument = await inspector.call("generate_video", promt="a fox", status=IS_ERROR)
    task = await inspector.call("get_video_task", task_id="nobodys", status=IS_ERROR)

    assert {tool["name"] for tool in listed["tools"]} == TOOLS
    assert done["structuredContent"]["task_status"] == "succeed"
    assert probe(Path(done["structuredContent"]["file"])).codec == "h264"
    assert [block["type"] for block in done["content"]] == ["text", "resource_link", "image"]
    assert argument["isError"]
    assert "promt" in argument["content"][0]["text"]
    assert task["isError"]
    assert "nobodys" in task["content"][0]["text"]
    assert json.loads(read["contents"][0]["text"])["task_id"] == task_id


IS_ERROR: Final = 5
"""The Inspector's exit status for a tool that answers with isError."""


@dataclass(frozen=True)
class Inspector:
    """The Inspector's command line: each question is a process, and over stdio a server too."""

    target: list[str]
    folder: Path

    async def call(self, tool: str, *, status: int = 0, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        options = ("--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        return await self.ask("tools/call", *options, status=status)

    async def ask(self, method: str, *options: str, status: int = 0) -> dict[str, Any]:
        command = [str(NODE), str(INSPECTOR), "--cli", *self.target]
        command += ["--method", method, *options, "--format", "json"]
        # It keeps a file in the home folder.
        env = environment(self.folder) | {"HOME": str(self.folder)}
        with anyio.fail_after(30):
            done = await anyio.run_process(command, env=env, check=False)
        assert done.returncode == status, done.stderr.decode()
        return json.loads(done.stdout)["result"]
