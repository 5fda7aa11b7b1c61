"""How long a server's event loop is held by one callback, among many busy processes.

Sixteen workers share a state folder; one of them times every callback of its loop. Its CPU
time is what the server is to blame for; the wall time beside it holds what the other
fifteen took of the machine.
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

from reliability.harness import open_harness
from reliability.progress import LIMIT

AT_MOST: Final = 300.0
"""Seconds for the whole crowd."""
SLOWEST: Final = 5
"""How many of the slowest callbacks are named."""


def report(seen: Sequence[tuple[float, float, str]]) -> tuple[str, float]:
    """One line on all callbacks, and the longest CPU time of one, in seconds."""
    lines = list[str]()
    cpus, walls = [cpu for cpu, _, _ in seen], [wall for _, wall, _ in seen]
    for name, times in (("CPU", sorted(cpus)), ("wall", sorted(walls))):
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        lines.append(f"{name} p50 {p50 * 1e3:.2f} p99 {p99 * 1e3:.2f} max {times[-1] * 1e3:.1f} ms")
    slowest = sorted(seen, reverse=True)[:SLOWEST]
    named = "; ".join(f"{cpu * 1e3:.0f}/{wall * 1e3:.0f} {name}" for cpu, wall, name in slowest)
    return f"{len(seen)} callbacks: {'; '.join(lines)}. Slowest: {named}", slowest[0][0]


async def measure(folder: Path, *, processes: int, calls: int, image: int) -> tuple[str, float]:
    """Let *processes* make *calls* each, and report on the first one's loop."""
    times = folder / "callbacks.json"
    async with open_harness(folder, size=2_000_000) as here:
        children = [
            await here.fork(
                prompts=[f"wish {number} {call}" for call in range(calls)],
                image=image,
                at_most=AT_MOST,
                hold=True,
                watch=None if number else str(times),
            )
            for number in range(processes)
        ]
        for child in children:
            await child.holds.wait()
        for child in children:
            await here.signal(child, signal.SIGUSR1)
        for child in children:
            assert await child.end(at_most=AT_MOST) == 0
    return report(json.loads(times.read_text("utf-8")))


async def _main(processes: int, calls: int, image: int) -> bool:
    with tempfile.TemporaryDirectory() as name:
        said, longest = await measure(Path(name), processes=processes, calls=calls, image=image)
    print(f"{processes} processes on {os.cpu_count()} cores, {said}")  # noqa: T201 - a program that a person runs
    return longest <= LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--image", type=int, default=0, help="characters of a picture sent along")
    asked = parser.parse_args()
    raise SystemExit(0 if anyio.run(_main, asked.processes, asked.calls, asked.image) else 1)


if __name__ == "__main__":
    main()
