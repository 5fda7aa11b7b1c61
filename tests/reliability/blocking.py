"""How long one callback blocks a server's event loop, while many processes are busy.

Sixteen workers share a state folder; one of them times every callback of its loop. The CPU
time is the server's own; the wall time also contains what the other fifteen used of the
machine.
"""

import argparse
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio

from reliability.cli import add_database_option, chosen_cluster
from reliability.harness import open_harness
from reliability.progress import LIMIT

TIMEOUT: Final = 300.0
"""Seconds for all processes together."""
SLOWEST: Final = 5
"""How many of the slowest callbacks are printed by name."""


def summarize(timings: Sequence[tuple[float, float, str]]) -> tuple[str, float]:
    """One line about all callbacks, and the longest CPU time of one, in seconds."""
    lines = list[str]()
    cpus, walls = [cpu for cpu, _, _ in timings], [wall for _, wall, _ in timings]
    for name, times in (("CPU", sorted(cpus)), ("wall", sorted(walls))):
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        lines.append(f"{name} p50 {p50 * 1e3:.2f} p99 {p99 * 1e3:.2f} max {times[-1] * 1e3:.1f} ms")
    slowest = sorted(timings, reverse=True)[:SLOWEST]
    named = "; ".join(f"{cpu * 1e3:.0f}/{wall * 1e3:.0f} {name}" for cpu, wall, name in slowest)
    return f"{len(timings)} callbacks: {'; '.join(lines)}. Slowest: {named}", slowest[0][0]


async def measure(
    folder: Path, *, processes: int, calls: int, image: int, server: str | None = None
) -> tuple[str, float]:
    """Let *processes* make *calls* each, and measure the loop of the first one."""
    times = folder / "callbacks.json"
    async with open_harness(folder, size=2_000_000, server=server) as harness:
        children = [
            await harness.fork(
                prompts=[f"prompt {number} {call}" for call in range(calls)],
                image=image,
                max_seconds=TIMEOUT,
                hold=True,
                callback_log=None if number else str(times),
            )
            for number in range(processes)
        ]
        for child in children:
            await child.ready.wait()
        for child in children:
            await harness.send_signal(child, signal.SIGUSR1)
        for child in children:
            assert await child.wait(max_seconds=TIMEOUT) == 0
    return summarize(json.loads(times.read_text("utf-8")))


async def _run(processes: int, calls: int, image: int, server: str | None) -> bool:
    with tempfile.TemporaryDirectory() as name:
        summary, longest = await measure(
            Path(name), processes=processes, calls=calls, image=image, server=server
        )
    print(f"{processes} processes on {os.cpu_count()} cores, {summary}")  # noqa: T201 - a program that a person runs
    return longest <= LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--image", type=int, default=0, help="characters of an image sent along")
    add_database_option(parser)
    options = parser.parse_args()
    with chosen_cluster(options.database) as cluster:
        sizes = options.processes, options.calls, options.image
        raise SystemExit(0 if anyio.run(_run, *sizes, cluster and cluster.url) else 1)


if __name__ == "__main__":
    main()
