"""Watches many tasks in one process, and prints what that takes: a program.

Its arguments: the folder of a ledger made by `record_running_tasks`, the base URL of the service,
the requests per second, the seconds until it measures, and those that it measures. With `--bare`,
it makes the same number of GETs with httpx alone, and keeps nothing: the floor.
"""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import anyio

from benchmarks.support.service import KEY
from geekai_video_mcp.app import open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.polling import TypicalDuration
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import new_task_id
from geekai_video_mcp.domain.tasks import Media, Observation, Task
from geekai_video_mcp.engine.watcher import ROUND_SECONDS
from geekai_video_mcp.ledger import Ledger
from support.sync_store import SyncStore

LONGEST_GAP: Final = 120.0
_PROMPT: Final = "A fox walks through fresh snow at dawn, slow dolly shot, soft light. " * 3


def settings(folder: Path, url: str, per_second: float) -> Settings:
    """The settings of the process that watches."""
    return Settings.from_env(
        {
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_BASE_URL": url,
            "GEEKAI_STATE_DIR": str(folder / "state"),
            "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
            "GEEKAI_REQUESTS_PER_SECOND": f"{per_second:g}",
        }
    )


def record_running_tasks(
    folder: Path, url: str, count: int, *, ages: Sequence[float], typical: TypicalDuration
) -> None:
    """Tasks as another server has left them a moment ago, each of the age that is its turn."""
    account, now, chance = settings(folder, url, 2).account, time.time(), random.Random(1)  # noqa: S311 - reproducible
    with closing(SyncStore(folder / "state")) as store:
        store.connection.execute("PRAGMA synchronous=OFF")
        for number in range(count):
            sent_at = now - ages[number % len(ages)]
            store.add(
                Task(
                    id=new_task_id(),
                    created_at=sent_at,
                    account=account,
                    model="cogvideox-3",
                    request={"model": "cogvideox-3", "prompt": _PROMPT, "duration": 5},
                    owner="gone",
                    attempt=1,
                    status=Status.RUNNING,
                    submitted_at=sent_at,
                    provider_task_id=f"running-{number}",
                    typical_p10=typical.p10,
                    typical_p95=typical.p95,
                    last_polled_at=now,
                    next_poll_at=now + chance.uniform(0, LONGEST_GAP),
                    poll_count=3,
                )
            )


@contextmanager
def _noting_lateness(lateness: list[float]) -> Generator[None]:
    """Note for each poll how long after its time it is made."""
    from geekai_video_mcp.provider.client import GeekAIClient  # noqa: PLC0415 - as the server does

    due: dict[str, float] = {}
    change_all, get_task = Ledger.change_all, GeekAIClient.get_task

    async def noted_change_all(self: Ledger, changes: Any) -> Any:  # noqa: ANN401 - as it is
        outcomes = await change_all(self, changes)
        for task in outcomes:
            if isinstance(task, Task) and task.next_poll_at is not None:
                due[str(task.provider_task_id)] = task.next_poll_at
        return outcomes

    async def noted_get_task(self: GeekAIClient, media: Media, task_id: str) -> Observation:
        lateness.append(time.time() - due[task_id])
        return await get_task(self, media, task_id)

    with (
        patch.object(Ledger, "change_all", noted_change_all),
        patch.object(GeekAIClient, "get_task", noted_get_task),
    ):
        yield


async def watch(
    folder: Path, url: str, per_second: float, warm_up: float, seconds: float
) -> dict[str, float]:
    """Watch the tasks of the ledger."""
    lateness = list[float]()
    with _noting_lateness(lateness):
        async with open_app(settings(folder, url, per_second)):
            await anyio.sleep(warm_up)
            lateness.clear()
            cpu = await _measure_cpu(seconds)
    lateness.sort()
    return {
        "cpu": cpu,
        "rss": _rss(),
        "polls": len(lateness) / seconds,
        "late": lateness[int(0.99 * len(lateness))] if lateness else math.nan,
    }


async def get_bare(url: str, per_second: float, warm_up: float, seconds: float) -> dict[str, float]:
    """GET as often as that, spread evenly."""
    import httpx  # noqa: PLC0415 - it is not loaded if nothing is to be got

    made = 0

    async def get_one(number: int) -> None:
        response = await client.get(f"{url}/videos/running-{number}")
        json.loads(response.content)

    async def get_all() -> None:
        nonlocal made
        began = time.monotonic()
        while True:
            due = int((time.monotonic() - began) * per_second)
            for number in range(made, due):
                group.start_soon(get_one, number)
                await anyio.sleep(ROUND_SECONDS / (due - made))
            made = due
            await anyio.sleep(0.01)

    client, measured = httpx.AsyncClient(), dict[str, float]()
    async with anyio.create_task_group() as group:
        group.start_soon(get_all)
        await anyio.sleep(warm_up)
        made_before = made
        cpu = await _measure_cpu(seconds)
        measured = {"cpu": cpu, "rss": _rss(), "polls": (made - made_before) / seconds}
        group.cancel_scope.cancel()
    await client.aclose()
    return measured


async def _measure_cpu(seconds: float) -> float:
    """The share of a core that this process takes, in per cent."""
    wall, cpu = time.monotonic(), time.process_time()
    await anyio.sleep(seconds)
    return 100 * (time.process_time() - cpu) / (time.monotonic() - wall)


def _rss() -> float:
    """Megabytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    parser.add_argument("per_second", type=float)
    parser.add_argument("warm_up", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    times = (options.url, options.per_second, options.warm_up, options.seconds)
    if options.bare:
        measured = anyio.run(get_bare, *times)
    else:
        measured = anyio.run(watch, options.folder, *times)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
