"""A process in which callers wait for running tasks, and what it takes.

As a program: the folder of a server, the number of callers, and the seconds to measure. It prints
the CPU seconds for each second and the resident bytes, before the callers come and while they
wait. They wait where the tools wait, at the engine: over HTTP a process takes 256 connections.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import anyio

from geekai_video_mcp.app import open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine import Engine

SETTLING_SECONDS = 3.0
"""Until the tasks that the ledger holds have been taken over, and until all callers wait."""


async def measure(folder: Path, callers: int, seconds: float) -> Sequence[Sequence[float]]:
    """CPU per second and resident bytes: without callers, and with them."""
    settings = Settings.from_env(
        {"GEEKAI_STATE_DIR": str(folder / "state"), "GEEKAI_OUTPUT_DIR": str(folder / "videos")}
    )
    usages = list[Sequence[float]]()
    async with open_app(settings) as app, anyio.create_task_group() as waiting:
        tasks = await app.engine.list_tasks(limit=1000)
        for number in (0, callers):
            for caller in range(number):
                waiting.start_soon(_wait, app.engine, tasks[caller % len(tasks)])
            await anyio.sleep(SETTLING_SECONDS)
            began, cpu_began = time.monotonic(), time.process_time()
            await anyio.sleep(seconds)
            cpu = (time.process_time() - cpu_began) / (time.monotonic() - began)
            usages.append((cpu, resident_bytes()))
        waiting.cancel_scope.cancel()
    return usages


async def _wait(engine: Engine, task: Task) -> None:
    async with aclosing(engine.follow(task, wait_seconds=3600)) as states:
        async for _ in states:
            pass


def resident_bytes() -> int:
    """The memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    measured = anyio.run(measure, Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    print(json.dumps(measured))
