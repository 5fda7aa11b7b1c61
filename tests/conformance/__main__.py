"""The official conformance suite against the real server, over its real HTTP application.

`python tests/conformance` serves on loopback, runs the suite for each era, prints what it
counted, and exits with 1 when a scenario does other than its baseline says. A scenario that
passes though the baseline expects it to fail is a difference as well.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import fixtures
import uvicorn
from mcp.server.mcpserver import MCPServer

from geekai_video_mcp.app import App, open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.server.build import OpenSource, build_server
from geekai_video_mcp.server.http import bind_loopback, build_http
from geekai_video_mcp.server.http.listener import server_config

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE.parent / "clients" / "node_modules" / ".bin"
REVISIONS: Final = ("2025-11-25", "2026-07-28")
PATIENCE: Final = 600
"""Seconds for one run of the suite; on two busy cores it takes about one minute."""


async def main() -> int:
    logging.basicConfig(level=logging.CRITICAL)  # scenarios provoke warnings on purpose
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        async with _running_server(folder) as url:
            as_expected = [await _judge(url, revision, folder) for revision in REVISIONS]
    return 0 if all(as_expected) else 1


@asynccontextmanager
async def _running_server(folder: Path) -> AsyncGenerator[str]:
    """The real server in its sandbox, with the fixtures, at a free port."""
    settings = Settings.from_env(
        {"GEEKAI_STATE_DIR": f"{folder}/state", "GEEKAI_OUTPUT_DIR": f"{folder}/videos"}
    )
    listener = bind_loopback("127.0.0.1", 0)
    app = build_http(partial(open_app, settings), transport="http", build=_with_fixtures)
    server = uvicorn.Server(server_config(app))
    async with anyio.create_task_group() as serving:
        serving.start_soon(server.serve, [listener])
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        server.should_exit = True


def _with_fixtures(opener: OpenSource) -> MCPServer[App]:
    server = build_server(opener)
    fixtures.add_to(server)
    return server


async def _judge(url: str, revision: str, folder: Path) -> bool:
    """Run the suite for *revision*, say what came of it, and whether it was as expected."""
    command = [str(PROGRAMS / "conformance"), "server", "--url", url, "--suite", "all"]
    command += ["--spec-version", revision, "--output-dir", str(folder / revision)]
    command += ["--expected-failures", str(HERE / f"{revision}.yaml")]
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    with anyio.fail_after(PATIENCE):
        done = await anyio.run_process(
            command,
            env={**os.environ, "PATH": path, "NO_COLOR": "1"},
            check=False,
            stderr=subprocess.STDOUT,
        )
    print(f"== {revision} ==")
    print(_summary(done.stdout.decode()), end="")
    for name, why in _failures(folder / revision):
        print(f"  {name}: {why}")
    return done.returncode == 0


def _summary(output: str) -> str:
    """The suite's own summary, or all of it when it did not get that far."""
    return output[max(0, output.rfind("=== SUMMARY ===")) :]


def _failures(results: Path) -> Iterator[tuple[str, str]]:
    """Every check that failed or warned, and why; those of the baseline too."""
    for path in sorted(results.glob("*/checks.json")):
        for check in json.loads(path.read_text("utf-8")):
            if check["status"] in {"FAILURE", "WARNING"}:
                yield check["id"], check.get("errorMessage", "")


if __name__ == "__main__":
    sys.exit(anyio.run(main))
