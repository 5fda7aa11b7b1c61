"""A long mixed load on two real servers, which share a folder, with a provider that is well.

    python -m reliability.soak --seconds 600

Over stdio and over HTTP at once: requests, waits, lists, models, resources, previews, pictures,
calls that are refused, and connections that are made again. There may be no error, and memory,
descriptors, threads and latency of the last third may be no higher than those of the first, but
for what is allowed below. The slowest requests are those that wait for a machine that is busy.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final, TypeVar

import anyio

from reliability.fuzz import KEY
from reliability.hostile_provider import HostileProvider, running_hostile_provider
from reliability.targets import (
    FREE_AT_ONCE,
    HttpTarget,
    NoResponse,
    Target,
    Usage,
    handshake,
    http_target,
    stdio_target,
    stop,
    write_line,
)
from support.memory import in_memory
from support.stills import encode_image, halves, make_video

WORKERS: Final = 3
"""Callers of each server at a time, each with a pause between two calls, as models have."""
PAUSE: Final = 0.05
SAMPLE_SECONDS: Final = 1.0
SETTLE_SHARE: Final = 0.1
"""Share of the time at its beginning that is not counted: modules are imported, caches filled."""
ALLOWED_GROWTH_MB: Final = 12.0
"""Of the median RSS from the first third to the last. A task in progress is an object; a finished
one is only in the database, whose cache grows to two megabytes for each connection."""
ALLOWED_DESCRIPTORS: Final = 8
ALLOWED_THREADS: Final = 4
ALLOWED_SLOWDOWN: Final = {0: ("p10", 1.5, 5.0), 4: ("p50", 2.0, 20.0), 8: ("p90", 3.0, 150.0)}
"""Of the latency, as a factor and milliseconds. The fastest tenth shows whether the server does
more than before; the others also show what else the machine does."""
MIN_TIMINGS: Final = 40
"""Calls of a kind in each third, for a median of theirs to mean something."""
UNTIMED: Final = ("wait",)
"""How long they last is decided by the task."""
MAX_SECONDS: Final = 60.0
T = TypeVar("T")


@dataclass
class Log:
    """What was measured; times are seconds since the start."""

    started: float = field(default_factory=time.monotonic)
    latencies: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict[str, list[tuple[float, float]]](list)
    )
    usages: dict[str, list[tuple[float, Usage]]] = field(
        default_factory=lambda: defaultdict[str, list[tuple[float, Usage]]](list)
    )
    errors: Counter[str] = field(default_factory=Counter[str])

    def elapsed(self) -> float:
        return time.monotonic() - self.started


@dataclass
class Caller:
    """One caller of one server; what it does is decided by its dice."""

    target: Target
    dice: random.Random
    log: Log
    number: int
    """Of its newest prompt; no other caller has the same."""
    tasks: list[str] = field(default_factory=list[str])

    async def work(self, ends: float) -> None:
        """Make calls until *ends*, on the log's clock."""
        steps: Sequence[tuple[str, int, Callable[[], Awaitable[bool]]]] = (
            # A server polls twice a second at most, so more tasks would only queue.
            ("generate", 1, self.generate),
            ("dry run", 15, self.dry_run),
            ("get", 25, self.get),
            ("wait", 10, self.wait),
            ("list", 10, self.list_tasks),
            ("models", 5, self.list_models),
            ("resource", 15, self.read_resource),
            ("preview", 1, self.preview),
            ("refused", 12, self.refused),
            ("reconnect", 6, self.reconnect),
        )
        if isinstance(self.target, HttpTarget):
            await handshake(self.target)
        weights = [weight for _, weight, _ in steps]
        while self.log.elapsed() < ends:
            name, _, step = self.dice.choices(steps, weights)[0]
            at, started = self.log.elapsed(), time.monotonic()
            try:
                good = await step()
            except NoResponse as exc:
                self.log.errors[f"{name} over {self.target.name}: {exc}"] += 1
            else:
                if not good:
                    self.log.errors[f"{name} over {self.target.name}"] += 1
            self.log.latencies[name].append((at, time.monotonic() - started))
            await anyio.sleep(self.dice.uniform(0.0, 2 * PAUSE))

    async def _call(self, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return await self.target.call(tool, arguments, max_seconds=MAX_SECONDS)

    async def generate(self) -> bool:
        self.number += 1
        tool = self.dice.choice(("generate_video", "generate_image"))
        prompt = f"#{self.number}# a fox"
        result = await self._call(tool, prompt=prompt, **{"async": True})
        if task_id := result.get("structuredContent", {}).get("task_id"):
            self.tasks.append(task_id)
        return not result["isError"]

    async def dry_run(self) -> bool:
        result = await self._call("generate_video", prompt="雪" * 500, model="veo3", dry_run=True)
        return not result["isError"]

    async def get(self) -> bool:
        return await self._get(wait_seconds=0, view="none")

    async def wait(self) -> bool:
        return await self._get(wait_seconds=3, view="none")

    async def preview(self) -> bool:
        return await self._get(wait_seconds=3)

    async def _get(self, **arguments: Any) -> bool:  # noqa: ANN401 - JSON
        if not self.tasks:
            return True
        task_id = self.dice.choice(self.tasks[-20:])
        return not (await self._call("get_video_task", task_id=task_id, **arguments))["isError"]

    async def list_tasks(self) -> bool:
        limit = self.dice.choice((1, 10, 50))
        return not (await self._call("list_video_tasks", limit=limit))["isError"]

    async def list_models(self) -> bool:
        return not (await self._call("list_video_models", query="veo"))["isError"]

    async def read_resource(self) -> bool:
        if not self.tasks:
            return "result" in await self.target.request("resources/list", {})
        uri = f"video://tasks/{self.dice.choice(self.tasks)}"
        return "result" in await self.target.request("resources/read", {"uri": uri})

    async def refused(self) -> bool:
        wrong: Sequence[tuple[str, dict[str, Any]]] = (
            ("generate_video", {"prompt": ""}),
            ("generate_video", {"prompt": "x", "duration": "{0}"}),
            ("get_video_task", {"task_id": "%s"}),
            ("list_video_tasks", {"limit": 10**9}),
            ("no_such_tool", {}),
        )
        tool, arguments = self.dice.choice(wrong)
        return (await self.target.call(tool, arguments, max_seconds=MAX_SECONDS))["isError"]

    async def reconnect(self) -> bool:
        """A new session over HTTP; over stdio, which has one, a list of the tools."""
        if not isinstance(self.target, HttpTarget):
            return "result" in await self.target.request("tools/list", {})
        kept = {k: v for k, v in self.target.headers.items() if not k.lower().startswith("mcp-")}
        old, self.target.headers = self.target.headers, kept
        await handshake(self.target)
        await self.target.client.delete(f"{self.target.url}/mcp", headers=old)
        return True


async def soak(folder: Path, *, seconds: float, seed: int) -> tuple[Log, HostileProvider]:
    """Load two servers for *seconds*."""
    async with running_hostile_provider(seed, KEY, hostility=0.0) as provider:
        settings = {
            **provider.settings,
            "GEEKAI_MAX_VIDEOS_PER_DAY": "1000000",
            "GEEKAI_MAX_IN_FLIGHT": "1000000",
            **FREE_AT_ONCE,
        }
        provider.video, provider.picture = make_video(), encode_image(halves())
        async with (
            http_target(folder, _ignore, **settings) as http,
            stdio_target(folder, _ignore, **settings) as stdio,
        ):
            log = Log()
            async with anyio.create_task_group() as workers:
                for place, target in enumerate([http, stdio] * WORKERS):
                    if place < 2:
                        workers.start_soon(_sample, target, log, seconds)
                    dice = random.Random(f"{seed} {place}")  # noqa: S311 - a test's own dice
                    caller = Caller(_with_own_session(target), dice, log, place * 1_000_000)
                    workers.start_soon(caller.work, seconds)
            for target in (http, stdio):
                if await stop(target) not in {0, -15, 143}:
                    log.errors[f"exit of {target.name}"] += 1
    for stderr in folder.glob("*.stderr"):
        if "Traceback" in stderr.read_text("utf-8", "replace"):
            log.errors[f"traceback in {stderr.name}"] += 1
    return log, provider


def _ignore(_: str) -> None:
    """Messages are checked by the calls that they answer."""


def _with_own_session(target: Target) -> Target:
    """The same server with a session of its own, which only HTTP has."""
    if not isinstance(target, HttpTarget):
        return target
    kept = {k: v for k, v in target.headers.items() if not k.lower().startswith("mcp-")}
    return replace(target, headers=kept)


async def _sample(target: Target, log: Log, seconds: float) -> None:
    """Read what the process uses, until the time is over."""
    while log.elapsed() < seconds:
        log.usages[target.name].append((log.elapsed(), target.usage))
        await anyio.sleep(SAMPLE_SECONDS)


@dataclass(frozen=True)
class Row:
    """One line of the table: a measure in the first and in the last third."""

    name: str
    first: float
    last: float
    most: float
    """The highest that the last third may be."""

    @property
    def good(self) -> bool:
        return self.last <= self.most

    def __str__(self) -> str:
        mark = "" if self.good else "  <-- more than " + f"{self.most:.1f}"
        return f"  {self.name:<28} {self.first:>9.1f} {self.last:>9.1f}{mark}"


def table(log: Log, *, seconds: float) -> list[Row]:
    """The medians of both thirds of what was counted."""
    begins = seconds * SETTLE_SHARE
    third = (seconds - begins) / 3
    rows = list[Row]()
    for name, samples in log.usages.items():
        parts = _thirds(samples, begins, third)
        for measure, allowed in (
            ("rss_mb", ALLOWED_GROWTH_MB),
            ("descriptors", ALLOWED_DESCRIPTORS),
            ("threads", ALLOWED_THREADS),
        ):
            first, last = (median(getattr(one, measure) for one in part) for part in parts)
            rows.append(Row(f"{name} {measure}", first, last, first + allowed))
    for name, timings in sorted(log.latencies.items()):
        parts = _thirds(timings, begins, third)
        if name in UNTIMED or any(len(part) < MIN_TIMINGS for part in parts):
            continue
        tenths = [quantiles(part, n=10) for part in parts]
        for place, (label, factor, milliseconds) in ALLOWED_SLOWDOWN.items():
            first, last = (tenth[place] * 1e3 for tenth in tenths)
            rows.append(Row(f"{name} {label} ms", first, last, first * factor + milliseconds))
    return rows


def _thirds(
    samples: Sequence[tuple[float, T]], begins: float, third: float
) -> tuple[list[T], list[T]]:
    """The values of the first and of the last third."""
    first = [value for at, value in samples if begins <= at < begins + third]
    last = [value for at, value in samples if at >= begins + 2 * third]
    return first, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=in_memory(), prefix="soak-"))

    async def run() -> tuple[Log, HostileProvider]:
        return await soak(folder, seconds=options.seconds, seed=options.seed)

    log, provider = anyio.run(run)
    rows = table(log, seconds=options.seconds)
    calls = sum(map(len, log.latencies.values()))
    write_line(
        f"soak, {options.seconds:.0f} s: {calls:,} calls, {provider.charges.total():,} charges,"
        f" {log.errors.total()} errors"
    )
    write_line(f"  {'median of the thirds':<28} {'first':>9} {'last':>9}")
    for row in rows:
        write_line(str(row))
    for error, times in log.errors.items():
        write_line(f"  {times} times: {error}")
    doubles = [number for number, times in provider.charges.items() if times > 1]
    if doubles:
        write_line(f"  charged twice: {doubles[:10]}")
    good = not log.errors and not doubles and all(row.good for row in rows)
    if good:
        shutil.rmtree(folder)
    else:
        write_line(f"  the files of the run are in {folder}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
