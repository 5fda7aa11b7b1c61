"""Where the start goes: imports by package, and a profile of this server, up to its two answers.

`python -m benchmarks.support.start_profile` prints both for `docs/benchmarks.md`. `-X importtime`
measures wall time and costs some itself; the shares count, not the sums.
"""

import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.support.stdio import running

RECORDING: Final = """
import os, sys
from geekai_video_mcp import cli
from geekai_video_mcp.server import stdio

message_streams = stdio.message_streams

def recorded(on_response):
    def record():
        {record}
        on_response()
    return message_streams(record)

stdio.message_streams = recorded
{run}
"""
"""This server, which records something when a response has been written."""
ANSWERED: Final = "answered"
IMPORTS: Final = RECORDING.format(
    record=f"os.write(2, b'{ANSWERED}\\n')", run="sys.exit(cli.main([]))"
)
PROFILE: Final = RECORDING.format(
    record="statistics(profile)",
    run="""
import cProfile, io, pstats
written = []

def statistics(profile):
    written.append(1)
    if len(written) == 2:
        text = io.StringIO()
        pstats.Stats(profile, stream=text).sort_stats("cumulative").print_stats(70)
        os.write(2, text.getvalue().encode())

profile = cProfile.Profile()
profile.runcall(cli.main, [])
""",
)
TIMED: Final = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
GROUPS: Final = (
    *("geekai_video_mcp.config", "geekai_video_mcp.domain.catalogue", "geekai_video_mcp.domain"),
    *("geekai_video_mcp.server.arguments", "geekai_video_mcp.server.views"),
    *("geekai_video_mcp.server", "geekai_video_mcp"),
    *("mcp_types", "mcp", "pydantic", "pydantic_core", "cryptography", "opentelemetry"),
    *("starlette", "uvicorn", "httpx2", "anyio", "asyncio", "platformdirs"),
)


def main() -> None:
    """Print the table of imports and the head of the profile."""
    first, second, _ = _stderr_of(IMPORTS, "-X", "importtime").split(ANSWERED, 2)
    before, after = _times(first), _times(second)
    print("| package | up to `initialize`, ms | then, up to `tools/list`, ms |\n|---|---|---|")
    for group in sorted({*before, *after}, key=lambda g: -before.get(g, 0) - after.get(g, 0)):
        print(f"| {group} | {before.get(group, 0):.1f} | {after.get(group, 0):.1f} |")
    print(_stderr_of(PROFILE))


def _stderr_of(program: str, *options: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = (sys.executable, *options, "-c", program)
        with (
            (folder / "stderr").open("wb") as stderr,
            running(command, folder=folder, stderr=stderr.fileno()) as server,
        ):
            server.initialize()
            server.request("tools/list")
            server.request("ping")  # its answer follows what was recorded of the one before
        return (folder / "stderr").read_text("utf-8")


def _times(lines: str) -> Mapping[str, float]:
    """Milliseconds of each group of modules in themselves."""
    times: dict[str, float] = defaultdict(float)
    for microseconds, module in TIMED.findall(lines):
        group = next((g for g in GROUPS if f"{module}.".startswith(f"{g}.")), "others")
        times[group] += int(microseconds) / 1000
    return times


if __name__ == "__main__":
    main()
