"""SIGKILL at random moments, also during recovery.

    PYTHONPATH=src:tests python -m reliability.random_kills --kills 300

A round is a new folder in which two lanes of workers run concurrently; each worker is killed
at a moment drawn from the seed. Then one survivor repeats all their calls with the same keys
and finishes every task, and the oracle compares the ledger with what the provider charged. A
share of the victims are real servers over stdio, as a check on the forked workers.

    python -m reliability.random_kills --database postgres --replicas 4 --kills 40 --restarts 3

With a database, each lane is a machine with a state folder of its own. In a restart the database
stops as by a power cut while a replica has sent requests: their responses arrive meanwhile.
"""

import argparse
import functools
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from reliability.cli import add_database_option, chosen_cluster, finish
from reliability.harness import Harness, open_harness
from reliability.oracle import Verdict
from support.postgres import PostgresCluster
from support.process import running_server

LANES: Final = 2
"""Concurrent workers in one folder: each finds what a killed worker of the other left."""
MAX_OUTAGE: Final = 3.0
"""Seconds, at the most, between the stop of the database and its next start."""
LIFE_SECONDS: Final = 20.0
"""Seconds that a replica lives on after a restart of the database, at the most."""
DEATHS: Final = 0.5
"""Share of the replicas that are killed as soon as the database is there again."""
IN_FLIGHT: Final = 3
"""Requests whose responses arrive while the database is away."""
ROUND: Final = 50
"""Kills before everything must settle, so that a fault is found close to its cause."""
REAL_EVERY: Final = 20
"""One victim in so many is a whole server process, which takes a hundred times as long."""
LATENCY: Final = 0.04
"""Longest pause in seconds between two steps of the provider, so that kills can hit it."""
LATE_RESPONSE: Final = 0.4
"""Seconds until the response to a request at whose POST a worker with a database is killed."""
DOWNLOAD_STEPS: Final = 8
"""Pauses of the provider in one download."""
START_SECONDS: Final = 0.1
"""Seconds in which a worker opens everything and resumes the tasks that it finds."""
EVENT_TIMEOUT: Final = 2.0
"""Seconds to wait for a poll or a download, which may not happen at all."""
POST_TIMEOUT: Final = 20.0
"""Seconds to wait for a victim's own POST, which may be late on a busy machine."""
RETRY_DELAY: Final = 0.2
"""Seconds until another worker is tried after one that found no database."""
UNOPENED: Final = 1
"""Exit status of a worker that could not open the ledger: its database was away."""
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
    restarts: int = 0
    """How often the database was stopped at once and started again."""
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
        restarts = f" {self.restarts} restarts of the database;" if self.restarts else ""
        return (
            f"kills: {self.kills} (seed {self.seed}; {self.real} of whole servers;"
            f"{restarts} interrupted {hit}): {functools.reduce(Verdict.plus, self.verdicts)}"
        )


async def run(
    folder: Path,
    *,
    kills: int,
    seed: int,
    real_every: int = REAL_EVERY,
    size: int = 200_000,
    cluster: PostgresCluster | None = None,
    replicas: int = LANES,
    restarts: int = 0,
) -> Outcome:
    """Make *kills* kills in rounds, and judge each round.

    With *cluster*, its database is restarted so often in each round.
    """
    outcome = Outcome(seed)
    async with open_harness(
        folder, latency=LATENCY, size=size, seed=seed, server=cluster and cluster.url
    ) as harness:
        while outcome.kills < kills:
            name = f"round-{len(outcome.verdicts)}"
            chance = random.Random(f"{seed} {name}")  # noqa: S311 - a test's own dice
            this = Round(harness, name, chance, outcome, real_every, replicas, restarts, cluster)
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
    replicas: int
    restarts: int
    cluster: PostgresCluster | None
    left: int = 0
    prompts: list[str] = field(default_factory=list[str])
    """Every prompt that was given to a victim so far."""
    _restarting: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def machines(self) -> list[str]:
        """The state folder of each lane: they share a file, or each has the journal of its own."""
        shared = self.cluster is None
        return ["" if shared else f"machine-{n}" for n in range(self.replicas)]

    async def run(self, kills: int) -> None:
        self.left = kills
        await self.harness.prepare(self.name)
        async with anyio.create_task_group() as lanes:
            for machine in self.machines:
                lanes.start_soon(self._run_lane, machine)
            for at in sorted(self.chance.sample(range(kills), self.restarts), reverse=True):
                lanes.start_soon(self._restart_database, at)
        # As callers do that got no result: repeating the call with its key returns the task. Each
        # machine has a server again, which reads the journal there.
        async with anyio.create_task_group() as survivors:
            for machine in set(self.machines):
                settle = functools.partial(self.harness.settle, machine=machine, keyed=True)
                survivors.start_soon(functools.partial(settle, self.name, prompts=self.prompts))

    async def _run_lane(self, machine: str) -> None:
        while self.left:
            self.left -= 1
            self.outcome.kills += 1
            moment = self.chance.choice(MOMENTS)
            real = self.outcome.kills % self.real_every == 0
            kill = self._kill_server if real else self._kill_worker
            if await kill(moment, machine):
                self.outcome.real += real
            else:  # the database was away when it began, so that there was nothing to kill
                self.left += 1
                self.outcome.kills -= 1
                await anyio.sleep(RETRY_DELAY)

    async def _restart_database(self, at: int) -> None:
        """Restart the database when *at* kills are left, and while responses are on their way."""
        cluster = self.cluster
        assert cluster is not None
        while self.left > at:
            await self.harness.wait_for_change()
        prompts = [f"{self._add_prompt()} POST=late:1" for _ in range(IN_FLIGHT)]
        self.prompts[-IN_FLIGHT:] = prompts
        machine = self.chance.choice(self.machines)
        replica = await self.harness.fork(
            self.name,
            machine=machine,
            prompts=prompts,
            keyed=True,
            max_seconds=LIFE_SECONDS,
            constants={"engine.SWEEP_INTERVAL": 0.5},
        )
        with anyio.move_on_after(POST_TIMEOUT):
            for prompt in prompts:
                await self.harness.wait_for_event(f"POST {prompt}", 1)
        async with self._restarting:
            await anyio.to_thread.run_sync(cluster.stop, "immediate")
            await anyio.sleep(self.chance.uniform(0.0, MAX_OUTAGE))
            await anyio.to_thread.run_sync(cluster.start)
            self.outcome.restarts += 1
        if self.chance.random() < DEATHS:
            await self.harness.kill(replica)
        else:
            await replica.wait()

    async def _kill_worker(self, moment: Moment, machine: str) -> bool:
        prompts = [self._add_prompt() for _ in range(self.chance.choice((0, 1, 1, 2)))]
        if moment.event == "POST" and not prompts:
            prompts = [self._add_prompt()]
        if moment.event == "POST" and self.cluster is not None:
            # Here a kill comes later after its moment, and the response would be recorded by then.
            self.prompts[-1] = prompts[-1] = f"{prompts[-1]} POST=late:{LATE_RESPONSE}"
        has_happened = self._event_condition(moment, prompts[-1:])
        victim = await self.harness.fork(self.name, machine=machine, prompts=prompts, keyed=True)
        await self._wait_until(lambda: has_happened() or victim.ended.is_set(), moment)
        await self.harness.kill(victim)
        return victim.status != UNOPENED

    async def _kill_server(self, moment: Moment, machine: str) -> bool:
        prompt = self._add_prompt()
        has_happened = self._event_condition(moment, [prompt])
        folder = self.harness.folder / self.name
        env = self.harness.env(self.name, machine)
        ended = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError)
        with suppress(*ended, ProcessLookupError):
            await self._serve_and_kill(folder, env, prompt, moment, has_happened)
            return True
        return False

    async def _serve_and_kill(
        self,
        folder: Path,
        env: Mapping[str, str],
        prompt: str,
        moment: Moment,
        has_happened: Callable[[], bool],
    ) -> None:
        async with running_server(folder, **env) as server:
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
    parser.add_argument("--replicas", type=int, default=LANES, help="concurrent workers")
    parser.add_argument("--restarts", type=int, default=0, help="of the database, in each round")
    add_database_option(parser)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    with chosen_cluster(options.database) as cluster:
        program = functools.partial(
            run,
            folder,
            kills=options.kills,
            seed=options.seed,
            cluster=cluster,
            replicas=options.replicas,
            restarts=options.restarts,
        )
        outcome = anyio.run(program)
        if cluster is not None:
            for prompt in (
                each for verdict in outcome.verdicts for each in verdict.unknown_prompts
            ):
                sys.stdout.write(f"  unknown: {prompt}\n")
    finish(str(outcome), outcome.verdicts, folder, covered=outcome.covered)


if __name__ == "__main__":
    main()
