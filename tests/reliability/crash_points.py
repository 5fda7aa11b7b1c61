"""A kill at every durable or network system call of a task's life, one after another.

    PYTHONPATH=src:tests python -m reliability.crash_points --share 3

The calls of a first run of each scenario are recorded. Then, for every call that makes
something durable or uses the network, a new worker is killed as it enters that call, another
one finishes the task, and the oracle judges. `--share 3` takes a third of the points, by the
seed.
"""

import argparse
import functools
import hashlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.result_file import record_file
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import FileUpdate, Observation, Result, Task, new_task
from reliability.cli import add_database_option, chosen_cluster, finish
from reliability.harness import Harness, open_harness
from reliability.oracle import Verdict
from reliability.provider import video_bytes
from reliability.tracing import Call, kill_at, record_calls, why_unavailable
from reliability.worker import StartGate, open_ledger

LANES: Final = 2
"""Concurrent points, each in a folder of its own."""
SIZE: Final = 100_000
"""Bytes of a video: a download of four writes, each of them a point."""
SMALL_BLOCKS: Final = {"media.downloads.block_writer.BLOCK_BYTES": 30_000}
"""So that they are four: of a large video each is a megabyte."""
JOB_SECONDS: Final = 0.1
"""Seconds that a job takes."""
ATTEMPTS: Final = 8
"""Runs per point, because the work is not always divided between the threads in the same way:
every other one looks for the call in the other thread."""

MIN_FIRED_SHARE: Final = 0.9
"""Share of the tried points that must have killed; with fewer, the run proves nothing."""


@dataclass(frozen=True)
class Scenario:
    """A part of a task's life: the tasks at its beginning, and the order of the victim."""

    name: str
    order: Mapping[str, Any]
    """Fields of a `worker.Order`; prompts are prefixed with the name of their folder."""
    initial: tuple[Status, ...] = ()
    """The statuses of tasks that an earlier process left behind."""
    retry: bool = False
    """Whether the survivor repeats the victim's calls, as its caller would."""

    async def prepare(self, harness: Harness, name: str) -> "Mapping[str, Any]":
        """Prepare the folder *name*; returns the order for its victim."""
        await harness.prepare(name)
        for status in self.initial:
            await leave_task(harness, name, status)
        prompts = [f"{name} {prompt}" for prompt in self.order.get("prompts", [])]
        return {**self.order, "prompts": prompts, "hold": True}


SCENARIOS: Final = (
    Scenario("submit", {"prompts": ["fox"], "until": "answered"}),
    Scenario("poll", {"until": "ready"}, initial=(Status.PENDING,)),
    Scenario("download", {"constants": SMALL_BLOCKS}, initial=(Status.SUCCEED,)),
    # One task in flight at a time: two would use the threads differently in each run.
    Scenario("release", {"until": "answered"}, initial=(Status.WAITING,)),
    Scenario("resume", {}, initial=(Status.SUBMITTING, Status.INTENDED)),
    Scenario(
        "cancel", {"prompts": ["fox POST=late:0.2"], "cancel_after": 0.1, "until": "answered"}
    ),
    Scenario(
        "repeat",
        {
            "prompts": ["fox POST=late:0.2"],
            "keyed": True,
            "cancel_after": 0.1,
            "until": "answered",
        },
        retry=True,
    ),
    Scenario("resubmit", {"resubmit": True}, initial=(Status.UNKNOWN,)),
    Scenario("close", {"prompts": ["fox POST=late:0.4"], "close_after": 0.3}),
)


DATABASE_SCENARIOS: Final = ("submit", "resume", "repeat")
"""Those in which a request is sent, or nearly: what is different with a database."""


async def leave_task(harness: Harness, name: str, status: Status, *, about: str = "") -> None:
    """Leave a task as a process does that died in *status*: its row and its charge.

    *about* is a part of its prompt. A waiting one uses the video of another, finished task.
    """
    waiting = status is Status.WAITING
    parents = (await _add_finished_task(harness, name),) if waiting else ()
    task = await _make_task(harness, name, status, waits_for=parents, about=about)
    await _add_task(harness, name, task)


async def _add_finished_task(harness: Harness, name: str) -> str:
    """Add a task whose video is on this machine; returns its id."""
    task = await _make_task(harness, name, Status.SUCCEED)
    content = video_bytes(str(task.provider_task_id), SIZE)
    path = harness.folder / name / "videos" / "parent.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    update = FileUpdate(
        status=FileStatus.STORED,
        path=str(path),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    await _add_task(harness, name, record_file(task, update))
    return task.id


async def _make_task(
    harness: Harness,
    name: str,
    status: Status,
    *,
    waits_for: tuple[str, ...] = (),
    about: str = "",
) -> Task:
    """A task in *status*, which is charged if its request was sent."""
    prompt = f"{name} {status.value} {about} TAKES={0.4 if status is Status.PENDING else 0}"
    body = {"model": "m", "prompt": prompt, "async": True}
    for parent in waits_for:
        body["video"] = f"task:{parent}/video"
    account, at = Settings.from_env(harness.env(name)).account, time.time()
    task = new_task(request=body, account=account, owner="dead", at=at, waits_for=waits_for)
    if status in {Status.WAITING, Status.INTENDED}:
        return task
    claim = Observation(status=Status.SUBMITTING, at=at, owner="dead", attempt=1)
    task = advance(task, claim)
    task_id = await _pay_for(harness, body)
    if status is Status.SUBMITTING:
        return task
    url = f"{harness.origin}/files/{task_id}.mp4"
    known = None if status is Status.UNKNOWN else task_id
    observation = Observation(status=status, at=at, provider_task_id=known)
    task = advance(task, replace(observation, result=Result(url=url)))
    return replace(task, next_poll_at=None)


async def _add_task(harness: Harness, name: str, task: Task) -> None:
    ledger = await open_ledger(Settings.from_env(harness.env(name)))
    await ledger.add(task)
    await ledger.close()


async def _pay_for(harness: Harness, body: Mapping[str, Any]) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{harness.origin}/api/v1/videos/generations", json=body)
    return str(answer.json()["task_id"])


@dataclass
class Outcome:
    """The result of a run over crash points."""

    seed: int
    points: Counter[str] = field(default_factory=Counter[str])
    """How many points each scenario has."""
    fired: Counter[str] = field(default_factory=Counter[str])
    """How many of the tried points really killed."""
    commits: int = 0
    """How many of the points are a COMMIT on its way to a database."""
    tried: int = 0
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    @property
    def clean(self) -> bool:
        return not any(verdict.violations for verdict in self.verdicts)

    @property
    def covered(self) -> bool:
        """Whether enough of the tried points really killed."""
        return self.fired.total() >= self.tried * MIN_FIRED_SHARE

    def __str__(self) -> str:
        fired = ", ".join(f"{name} {count}" for name, count in self.fired.items())
        commits = f"; {self.commits} of a COMMIT" if self.commits else ""
        return (
            f"crash points: {self.fired.total()} fired of {self.tried} tried of"
            f" {self.points.total()} found (seed {self.seed}; {fired}{commits}):"
            f" {functools.reduce(Verdict.plus, self.verdicts, Verdict())}"
        )


async def run(
    folder: Path,
    *,
    seed: int,
    share: int = 1,
    max_points: int | None = None,
    server: str | None = None,
    scenarios: Collection[str] | None = None,
) -> Outcome:
    """Try one point in *share* of every scenario, at most *max_points* in all; judge each."""
    if scenarios is None:
        scenarios = DATABASE_SCENARIOS if server else [each.name for each in SCENARIOS]
    outcome, chance = Outcome(seed), random.Random(seed)  # noqa: S311 - a test's own dice
    async with open_harness(folder, job_seconds=JOB_SECONDS, size=SIZE, server=server) as harness:
        points = list[tuple[Scenario, Call]]()
        for scenario in SCENARIOS:
            if scenario.name not in scenarios:
                continue
            # Twice: a call that one of two runs does not reach would kill in few others.
            again = {call.place for call in await record_scenario(harness, scenario, "again")}
            calls = await record_scenario(harness, scenario)
            # A busy machine may need one more thread, to which nothing can attach beforehand.
            calls = [
                call
                for call in calls
                if call.matters and call.thread <= StartGate.THREADS and call.place in again
            ]
            outcome.points[scenario.name] = len(calls)
            outcome.commits += sum(call.is_commit for call in calls)
            points.extend((scenario, call) for call in calls)
        count = min(-(-len(points) // share), max_points or len(points))
        remaining = chance.sample(points, count)
        async with anyio.create_task_group() as lanes:
            for _ in range(LANES):
                lanes.start_soon(_run_lane, harness, remaining, outcome)
    return outcome


async def record_scenario(
    harness: Harness, scenario: Scenario, suffix: str = "whole"
) -> list[Call]:
    """Record every call of a victim that is not killed, in a folder of this suffix."""
    name = f"{scenario.name}-{suffix}"
    order = await scenario.prepare(harness, name)
    victim = await harness.fork(name, **order)
    calls = await record_calls(harness, victim, harness.folder / name / "strace.log")
    assert victim.status == 0, f"the recording of {scenario.name} ended with {victim.status}"
    return calls


async def _run_lane(
    harness: Harness, remaining: list[tuple[Scenario, Call]], outcome: Outcome
) -> None:
    while remaining:
        scenario, call = remaining.pop()
        outcome.tried += 1
        other = replace(call, thread=StartGate.THREADS + 1 - call.thread) if call.thread else call
        for attempt in range(ATTEMPTS):
            sought = other if attempt % 2 else call
            name = f"{scenario.name}-{sought.thread}-{call.name}-{call.number}-{attempt}"
            order = await scenario.prepare(harness, name)
            victim = await harness.fork(name, **order)
            fired = await kill_at(harness, victim, sought, harness.folder / name / "strace.log")
            calls = {field: order[field] for field in ("prompts", "keyed") if scenario.retry}
            await harness.settle(name, **calls)
            outcome.verdicts.append(harness.verdict(name, prompts=f"{name} "))
            if fired:
                outcome.fired[scenario.name] += 1
                break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=int, default=3, help="one point in so many")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--scenario", action="append", choices=names, help="one of them alone")
    add_database_option(parser)
    options = parser.parse_args()
    if reason := why_unavailable():
        parser.exit(2, f"crash points: not run, {reason}\n")
    folder = Path(tempfile.mkdtemp(prefix="crash-points-"))
    with chosen_cluster(options.database) as cluster:
        program = functools.partial(
            run,
            folder,
            seed=options.seed,
            share=options.share,
            server=cluster and cluster.url,
            scenarios=options.scenario,
        )
        outcome = anyio.run(program)
    finish(str(outcome), outcome.verdicts, folder, covered=outcome.covered)


if __name__ == "__main__":
    main()
