"""SIGKILL at random moments, also during recovery.

    PYTHONPATH=src:tests python -m reliability.kills --kills 300

A round is a new folder in which two lanes of workers run concurrently; each worker is killed
at a moment drawn from the seed. Then one survivor repeats all their calls with the same keys
and finishes every task, and the oracle compares the ledger with what the provider charged. A
share of the victims are real servers over stdio, as a check on the forked workers.
"""

import argparse
import functools
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio

from reliability.cli import finish
from reliability.harness import Harness, open_harness
from reliability.oracle import Verdict
from support.process import running_server

LANES: Final = 2
"""Concurrent workers in one folder: each finds what a killed worker of the other left."""
ROUND: Final = 50
"""Kills before everything must settle, so that a fault is found close to its cause."""
REAL_EVERY: Final = 20
"""One victim in so many is a whole server process, which takes a hundred times as long."""
LATENCY: Final = 0.04
"""Longest pause in seconds between two steps of the provider, so that kills can hit it."""
DOWNLOAD_STEPS: Final = 8
"""Pauses of the provider in one download."""
START_SECONDS: Final = 0.1
"""Seconds in which a worker opens everything and resumes the tasks that it finds."""
EVENT_TIMEOUT: Final = 2.0
"""Seconds to wait for a poll or a download, which may not happen at all."""
POST_TIMEOUT: Final = 20.0
"""Seconds to wait for a victim's own POST, which may be late on a busy machine."""
JOB_SECONDS: Final = (0.05, 0.2, 0.8)
"""Seconds that a job takes; some last longer than the worker that submitted them."""


@dataclass(frozen=True)
class Moment:
    """When a victim is killed: a random delay after an event at the provider."""

    event: str
    """Its own `POST`, or any `GET` or `FILE`; empty for the delay alone."""
    max_delay: float
    """Longest delay in seconds."""


MOMENTS: Final = (
    Moment("", START_SECONDS),
    Moment("", START_SECONDS * 8),
    Moment("POST", LATENCY),
    Moment("POST", START_SECONDS * 4),
    Moment("GET", LATENCY),
    Moment("FILE", LATENCY * DOWNLOAD_STEPS),
    Moment("FILE", LATENCY * DOWNLOAD_STEPS * 2),
)
"""All equally likely, so that kills hit opening, submitting, polling and downloading."""


@dataclass
class Outcome:
    """The result of a run of kills."""

    seed: int
    kills: int = 0
    real: int = 0
    hit: Counter[str] = field(default_factory=Counter[str])
    """How many requests of each kind a kill interrupted, as the provider saw it."""
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    @property
    def clean(self) -> bool:
        return not any(verdict.violations for verdict in self.verdicts)

    @property
    def covered(self) -> bool:
        """Whether a kill interrupted a POST, and another one a download."""
        return bool(self.hit["POST"] and self.hit["FILE"])

    def __str__(self) -> str:
        hit = ", ".join(f"{count} {kind}" for kind, count in sorted(self.hit.items()))
        return (
            f"kills: {self.kills} (seed {self.seed}; {self.real} of whole servers;"
            f" interrupted {hit}): {functools.reduce(Verdict.plus, self.verdicts)}"
        )


async def run(
    folder: Path, *, kills: int, seed: int, real_every: int = REAL_EVERY, size: int = 200_000
) -> Outcome:
    """Make *kills* kills in rounds, and judge each round."""
    outcome = Outcome(seed)
    async with open_harness(folder, latency=LATENCY, size=size, seed=seed) as harness:
        while outcome.kills < kills:
            name = f"round-{len(outcome.verdicts)}"
            this = Round(harness, name, random.Random(f"{seed} {name}"), outcome, real_every)  # noqa: S311 - a test's own dice
            await this.run(min(ROUND, kills - outcome.kills))
            outcome.verdicts.append(harness.verdict(name, prompts=f"{name} "))
        outcome.hit.update(
            {kind: harness.events[f"broken {kind}"] for kind in ("POST", "GET", "FILE")}
        )
    return outcome


@dataclass
class Round:
    """Kills in one folder, and then a recovery without kills."""

    harness: Harness
    name: str
    chance: random.Random
    outcome: Outcome
    real_every: int
    left: int = 0
    prompts: list[str] = field(default_factory=list[str])
    """Every prompt that was given to a victim so far."""

    async def run(self, kills: int) -> None:
        self.left = kills
        async with anyio.create_task_group() as lanes:
            for _ in range(LANES):
                lanes.start_soon(self._run_lane)
        # As callers do that got no result: repeating the call with its key returns the task.
        await self.harness.settle(self.name, prompts=self.prompts, keyed=True)

    async def _run_lane(self) -> None:
        while self.left:
            self.left -= 1
            self.outcome.kills += 1
            moment = self.chance.choice(MOMENTS)
            if self.outcome.kills % self.real_every == 0:
                self.outcome.real += 1
                await self._kill_server(moment)
            else:
                await self._kill_worker(moment)

    async def _kill_worker(self, moment: Moment) -> None:
        prompts = [self._add_prompt() for _ in range(self.chance.choice((0, 1, 1, 2)))]
        if moment.event == "POST" and not prompts:
            prompts = [self._add_prompt()]
        has_happened = self._event_condition(moment, prompts)
        victim = await self.harness.fork(self.name, prompts=prompts, keyed=True)
        await self._wait_until(has_happened, moment)
        await self.harness.kill(victim)

    async def _kill_server(self, moment: Moment) -> None:
        prompt = self._add_prompt()
        has_happened = self._event_condition(moment, [prompt])
        folder = self.harness.folder / self.name
        folder.mkdir(exist_ok=True)
        async with running_server(folder, **self.harness.env(self.name)) as server:
            arguments = {"model": "m", "prompt": prompt, "idempotency_key": prompt}
            call = {"name": "generate_video", "arguments": arguments}
            message = {"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call}
            await server.send(json.dumps(message).encode())
            await self._wait_until(has_happened, moment)
            await server.kill()

    def _add_prompt(self) -> str:
        number = len(self.prompts) + 1
        self.prompts.append(f"{self.name} fox {number} TAKES={self.chance.choice(JOB_SECONDS)}")
        return self.prompts[-1]

    def _event_condition(self, moment: Moment, prompts: list[str]) -> Callable[[], bool]:
        """A function that tells whether the moment's event has happened since this call."""
        events = self.harness.events
        name = f"POST {prompts[0]}" if moment.event == "POST" else moment.event
        before = events[name]
        return lambda: not name or events[name] > before

    async def _wait_until(self, has_happened: Callable[[], bool], moment: Moment) -> None:
        with anyio.move_on_after(POST_TIMEOUT if moment.event == "POST" else EVENT_TIMEOUT):
            while not has_happened():
                await self.harness.wait_for_change()
        await anyio.sleep(self.chance.uniform(0.0, moment.max_delay))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    outcome = anyio.run(functools.partial(run, folder, kills=options.kills, seed=options.seed))
    finish(str(outcome), outcome.verdicts, folder, covered=outcome.covered)


if __name__ == "__main__":
    main()
