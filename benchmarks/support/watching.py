"""Watches many tasks in one process, and prints what that takes: a program.

Its arguments: the folder of a ledger made by `record_running_tasks`, the base URL of the service,
the requests per second, the seconds until it measures, and those that it measures. With `--bare`,
it makes the same number of GETs with httpx alone, and keeps nothing: the floor.

With GEEKAI_DATABASE_URL the ledger is in that database, and the process is one of several. It
prints a line when it begins to measure, and runs until its input ends.
"""

import argparse
import cProfile
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from unittest.mock import patch

import anyio
import anyio.to_thread

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

if TYPE_CHECKING:
    import httpx

Provider = Literal["http", "memory", "none"]
"""Who answers a poll: the service over HTTP; httpx without a network; or nobody, after 20 ms and
without httpx, as in the prototype that the database's statements were first measured with."""
LONGEST_GAP: Final = 120.0
DATABASE: Final = "GEEKAI_DATABASE_URL"
MEASURING: Final = "measuring"
GETS_AT_ONCE: Final = 10
PROTOTYPE_SECONDS: Final = 0.02
_PROMPT: Final = "A fox walks through fresh snow at dawn, slow dolly shot, soft light. " * 3


def settings(folder: Path, url: str, per_second: float) -> Settings:
    """The settings of the process that watches; the rate may be one that no person can set."""
    database = {DATABASE: os.environ[DATABASE]} if DATABASE in os.environ else {}
    read = Settings.from_env(
        {
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_BASE_URL": url,
            "GEEKAI_STATE_DIR": str(folder / "state"),
            "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
            **database,
        }
    )
    return replace(read, requests_per_second=per_second)


def settings_of_service(url: str) -> Settings:
    """Of any process that uses the service at *url*."""
    return settings(Path.cwd(), url, 2)


def record_running_tasks(
    folder: Path, url: str, count: int, *, ages: Sequence[float], typical: TypicalDuration
) -> None:
    """Tasks as another server has left them a moment ago, each of the age that is its turn."""
    account = settings(folder, url, 2).account
    with closing(SyncStore(folder / "state")) as store:
        store.connection.execute("PRAGMA synchronous=OFF")
        for task in running_tasks(account, count, ages=ages, typical=typical):
            store.add(task)


def running_tasks(
    account: str,
    count: int,
    *,
    ages: Sequence[float],
    typical: TypicalDuration,
    due_after: float = 0.0,
    due_within: float = LONGEST_GAP,
) -> Iterator[Task]:
    """Tasks that run, each of the age that is its turn, whose next polls are spread over a time.

    They begin *due_after* seconds from now, and the last is *due_within* seconds later.
    """
    now, chance = time.time(), random.Random(1)  # noqa: S311 - reproducible
    for number in range(count):
        sent_at = now - ages[number % len(ages)]
        yield Task(
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
            next_poll_at=now + due_after + chance.uniform(0, due_within),
            poll_count=3,
        )


@dataclass
class Polls:
    """The polls of this process."""

    lateness: list[float] = field(default_factory=list[float])
    """How long after its time each was made, in seconds, since the measurement began."""
    polled: set[str] = field(default_factory=set[str])
    """The tasks, since the process began."""


@contextmanager
def _noting_polls(polls: Polls, provider: Provider) -> Generator[None]:
    """Note for each poll how long after its time it is made."""
    from geekai_video_mcp.provider.client import GeekAIClient  # noqa: PLC0415 - as the server does

    due: dict[str, float] = {}
    change_all, take_leases = Ledger.change_all, Ledger.take_leases
    get_task = GeekAIClient.get_task if provider != "none" else _wait_and_answer

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(*arguments: Any) -> Any:  # noqa: ANN401 - as it is
            outcomes = await method(*arguments)
            for task in outcomes:
                if isinstance(task, Task) and task.next_poll_at is not None:
                    due[str(task.provider_task_id)] = task.next_poll_at
            return outcomes

        return noted

    async def noted_get_task(self: GeekAIClient, media: Media, task_id: str) -> Observation:
        polls.lateness.append(time.time() - due[task_id])
        polls.polled.add(task_id)
        return await get_task(self, media, task_id)

    with (
        patch.object(Ledger, "change_all", noting(change_all)),
        patch.object(Ledger, "take_leases", noting(take_leases)),
        patch.object(GeekAIClient, "get_task", noted_get_task),
    ):
        yield


async def _wait_and_answer(_: object, media: Media, task_id: str) -> Observation:
    del media
    await anyio.sleep(PROTOTYPE_SECONDS)
    return Observation(status=Status.RUNNING, at=time.time(), provider_task_id=task_id)


def _memory_transport() -> "httpx.AsyncBaseTransport":
    import httpx  # noqa: PLC0415 - as the server does

    def answer(request: httpx.Request) -> httpx.Response:
        task_id = request.url.path.rpartition("/")[2]
        return httpx.Response(200, json={"task_id": task_id, "task_status": "running"})

    return httpx.MockTransport(answer)


async def watch(
    folder: Path,
    url: str,
    per_second: float,
    warm_up: float,
    seconds: float,
    *,
    provider: Provider = "http",
) -> None:
    """Watch the tasks of the ledger, print what was measured, and go on until the input ends.

    The other replicas would take the tasks of one that ends before them.
    """
    polls = Polls()
    transport = _memory_transport if provider == "memory" else None
    with _noting_polls(polls, provider):
        async with open_app(settings(folder, url, per_second), transport=transport):
            await anyio.sleep(warm_up)
            print(MEASURING, flush=True)
            polls.lateness.clear()
            cpu = await _measure_cpu(seconds)
            lateness = sorted(polls.lateness)
            measured = {
                "cpu": cpu,
                "rss": _rss(),
                "polls": len(lateness) / seconds,
                "median": lateness[len(lateness) // 2] if lateness else math.nan,
                "late": lateness[int(0.99 * len(lateness))] if lateness else math.nan,
                "polled": sorted(polls.polled),
            }
            print(json.dumps(measured), flush=True)
            await anyio.to_thread.run_sync(sys.stdin.read)


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


async def get_most(url: str, warm_up: float, seconds: float) -> dict[str, float]:
    """GET as often as httpx can, ten at a time: the floor of the most polls of one process."""
    import httpx  # noqa: PLC0415 - as above

    made = 0

    async def get_always() -> None:
        nonlocal made
        while True:
            response = await client.get(f"{url}/videos/running-{made}")
            json.loads(response.content)
            made += 1

    measured = dict[str, float]()
    async with httpx.AsyncClient() as client, anyio.create_task_group() as group:
        for _ in range(GETS_AT_ONCE):
            group.start_soon(get_always)
        await anyio.sleep(warm_up)
        print(MEASURING, flush=True)
        made_before = made
        cpu = await _measure_cpu(seconds)
        measured = {"cpu": cpu, "rss": _rss(), "polls": (made - made_before) / seconds}
        group.cancel_scope.cancel()
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
    parser.add_argument("--most", action="store_true", help="as --bare, as many as can be made")
    parser.add_argument("--provider", choices=("http", "memory", "none"), default="http")
    parser.add_argument("--profile", type=Path, help="a file for cProfile's statistics")
    options = parser.parse_args()
    times = (options.url, options.per_second, options.warm_up, options.seconds)
    if options.most:
        print(json.dumps(anyio.run(get_most, options.url, options.warm_up, options.seconds)))
    elif options.bare:
        print(json.dumps(anyio.run(get_bare, *times)))
    else:
        watching = partial(watch, options.folder, *times, provider=options.provider)
        with _profiled(options.profile):
            anyio.run(watching)


@contextmanager
def _profiled(path: Path | None) -> Generator[None]:
    """With cProfile's statistics in the file, if there is one."""
    profile = cProfile.Profile()
    if path is not None:
        profile.enable()
    yield
    if path is not None:
        profile.disable()
        profile.dump_stats(path)


if __name__ == "__main__":
    main()
