"""Death at every durable or network system call of a task's life, one after another.

    PYTHONPATH=src:tests python -m reliability.crash_points --share 3

A first run of each scenario is recorded; then, for every call that makes something durable
or speaks to the network, a fresh worker is killed as it enters that call, another one
carries on, and the oracle judges. `--share 3` takes a third of the points, by the seed.
"""

import argparse
import functools
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.lifecycle import Observation, Result, advance, new_task
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.ledger import Ledger
from reliability.cli import finish
from reliability.harness import Harness, open_harness
from reliability.oracle import Verdict
from reliability.tracing import Call, kill_at, record, unavailable

LANES: Final = 2
"""Points at a time, each in a folder of its own."""
SIZE: Final = 100_000
"""Bytes of a video: four writes of a download, each of them a point."""
TAKES: Final = 0.1
"""Seconds of a job."""
ATTEMPTS: Final = 3
"""Runs that a point gets: which thread does what is now and then another one's work."""

FIRED_AT_LEAST: Final = 0.9
"""Share of the points tried that must have killed, or the run has proved nothing."""


@dataclass(frozen=True)
class Scenario:
    """A part of a task's life: what is there before, and what the victim is asked to do."""

    name: str
    order: Mapping[str, Any]
    """Fields of a `worker.Order`; prompts get the name of their folder in front."""
    leave: tuple[Status, ...] = ()
    """Tasks that an earlier process left behind in these statuses."""
    again: bool = False
    """Whether the survivor makes the victim's calls again, as its caller would."""

    async def begin(self, here: Harness, name: str) -> "Mapping[str, Any]":
        """Make the folder *name* ready; the order for its victim."""
        for status in self.leave:
            await left_behind(here, name, status)
        prompts = [f"{name} {prompt}" for prompt in self.order.get("prompts", [])]
        return {**self.order, "prompts": prompts, "hold": True}


SCENARIOS: Final = (
    Scenario("submit", {"prompts": ["fox"], "until": "answered"}),
    Scenario("poll", {"until": "ready"}, leave=(Status.PENDING,)),
    Scenario("download", {}, leave=(Status.SUCCEED,)),
    # One task in flight at a time: two would share the threads in another way each time.
    Scenario("resume", {}, leave=(Status.SUBMITTING, Status.INTENDED)),
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
        again=True,
    ),
    Scenario("resubmit", {"resubmit": True}, leave=(Status.UNKNOWN,)),
    Scenario("close", {"prompts": ["fox POST=late:0.4"], "close_after": 0.3}),
)


async def left_behind(here: Harness, name: str, status: Status) -> None:
    """A task as a process leaves it that died in *status*: its row, and its charge."""
    prompt = f"{name} {status.value} TAKES={0.4 if status is Status.PENDING else 0}"
    body = {"model": "m", "prompt": prompt, "async": True}
    settings, at = Settings.from_env(here.env(name)), time.time()
    task = new_task(request=body, account=settings.account, owner="dead", at=at)
    if status is not Status.INTENDED:
        claim = Observation(status=Status.SUBMITTING, at=at, owner="dead", attempt=1)
        task = advance(task, claim)
        task_id = await _paid(here, body)
        if status is not Status.SUBMITTING:
            url = f"{here.origin}/files/{task_id}.mp4"
            known = None if status is Status.UNKNOWN else task_id
            seen = Observation(status=status, at=at, provider_task_id=known)
            task = advance(task, replace(seen, result=Result(url=url)))
            task = replace(task, next_poll_at=None)
    ledger = await Ledger.open(settings.state_dir)
    await ledger.add(task)
    await ledger.close()


async def _paid(here: Harness, body: Mapping[str, Any]) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{here.origin}/api/v1/videos/generations", json=body)
    return str(answer.json()["task_id"])


@dataclass
class Outcome:
    """What a run over crash points came to."""

    seed: int
    points: Counter[str] = field(default_factory=Counter[str])
    """How many points each scenario has."""
    fired: Counter[str] = field(default_factory=Counter[str])
    """How many of those tried really killed."""
    tried: int = 0
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    @property
    def clean(self) -> bool:
        return not any(verdict.violations for verdict in self.verdicts)

    @property
    def covered(self) -> bool:
        """Whether enough of the points tried really killed."""
        return self.fired.total() >= self.tried * FIRED_AT_LEAST

    def __str__(self) -> str:
        fired = ", ".join(f"{name} {count}" for name, count in self.fired.items())
        return (
            f"crash points: {self.fired.total()} fired of {self.tried} tried of"
            f" {self.points.total()} found (seed {self.seed}; {fired}):"
            f" {functools.reduce(Verdict.plus, self.verdicts, Verdict())}"
        )


async def run(folder: Path, *, seed: int, share: int = 1, most: int | None = None) -> Outcome:
    """Try one point in *share* of every scenario, *most* at most in all, and judge each."""
    outcome, chance = Outcome(seed), random.Random(seed)  # noqa: S311 - a test's own dice
    async with open_harness(folder, takes=TAKES, size=SIZE) as here:
        found = list[tuple[Scenario, Call]]()
        for scenario in SCENARIOS:
            calls = [call for call in await recorded(here, scenario) if call.matters]
            outcome.points[scenario.name] = len(calls)
            found.extend((scenario, call) for call in calls)
        wanted = min(-(-len(found) // share), most or len(found))
        todo = chance.sample(found, wanted)
        async with anyio.create_task_group() as lanes:
            for _ in range(LANES):
                lanes.start_soon(_lane, here, todo, outcome)
    return outcome


async def recorded(here: Harness, scenario: Scenario) -> list[Call]:
    """Every call of an undisturbed victim."""
    name = f"{scenario.name}-whole"
    order = await scenario.begin(here, name)
    victim = await here.fork(name, **order)
    calls = await record(here, victim, here.folder / name / "strace.log")
    assert victim.status == 0, f"the recording of {scenario.name} ended with {victim.status}"
    return calls


async def _lane(here: Harness, todo: list[tuple[Scenario, Call]], outcome: Outcome) -> None:
    while todo:
        scenario, call = todo.pop()
        outcome.tried += 1
        for attempt in range(ATTEMPTS):
            name = f"{scenario.name}-{call.thread}-{call.name}-{call.number}-{attempt}"
            order = await scenario.begin(here, name)
            victim = await here.fork(name, **order)
            fired = await kill_at(here, victim, call, here.folder / name / "strace.log")
            calls = {field: order[field] for field in ("prompts", "keyed") if scenario.again}
            await here.settle(name, **calls)
            outcome.verdicts.append(here.verdict(name, prompts=f"{name} "))
            if fired:
                outcome.fired[scenario.name] += 1
                break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=int, default=3, help="one point in so many")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    if why := unavailable():
        parser.exit(2, f"crash points: not run, {why}\n")
    folder = Path(tempfile.mkdtemp(prefix="crash-points-"))
    outcome = anyio.run(functools.partial(run, folder, seed=options.seed, share=options.share))
    finish(str(outcome), outcome.verdicts, folder, covered=outcome.covered)


if __name__ == "__main__":
    main()
