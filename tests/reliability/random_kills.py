"""SIGKILL at random moments, in the middle of everything, recovery included.

    PYTHONPATH=src:tests python -m reliability.kills --kills 300

A round is a fresh folder in which two lanes of workers run over each other; each worker is
killed at a moment drawn from the seed. Then one survivor makes all their calls again, by the
same keys, and carries what is left to its end, and the oracle compares the ledger with what
the provider charged. A share of the victims are real servers over stdio, so that the cheap
ones stay honest.
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
from support.process import line

LANES: Final = 2
"""Workers at a time over one folder: each finds what the other's victim left behind."""
ROUND: Final = 50
"""Kills before everything must settle: a fault is then found near where it was made."""
REAL_EVERY: Final = 20
"""One victim in so many is a whole server process, which costs a hundred times as much."""
LATENCY: Final = 0.04
"""Seconds that the provider takes at most between two steps: long enough to be killed in."""
DOWNLOAD_STEPS: Final = 8
"""Pauses of the provider's in one download."""
START: Final = 0.1
"""Seconds in which a worker opens everything and takes up what it finds."""
IN_VAIN: Final = 2.0
"""Seconds to wait for a look or a download, which need not come at all."""
PAYS_WITHIN: Final = 20.0
"""Seconds to wait for a victim's own POST, which comes once a busy machine lets it."""
TAKES: Final = (0.05, 0.2, 0.8)
"""Seconds that a job takes: some outlive who asked for them."""


@dataclass(frozen=True)
class Moment:
    """When a victim dies: at an event of the provider's and a little later."""

    event: str
    """`POST` of its own, or any `GET` or `FILE`; empty for the time alone."""
    later: float
    """Seconds after that at most."""


MOMENTS: Final = (
    Moment("", START),
    Moment("", START * 8),
    Moment("POST", LATENCY),
    Moment("POST", START * 4),
    Moment("GET", LATENCY),
    Moment("FILE", LATENCY * DOWNLOAD_STEPS),
    Moment("FILE", LATENCY * DOWNLOAD_STEPS * 2),
)
"""Each as likely as the others, so that opening, paying, looking and fetching are all hit."""


@dataclass
class Outcome:
    """What a run of kills came to."""

    seed: int
    kills: int = 0
    real: int = 0
    hit: Counter[str] = field(default_factory=Counter[str])
    """How many requests of each kind a death broke off, as the provider saw it."""
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    @property
    def clean(self) -> bool:
        return not any(verdict.violations for verdict in self.verdicts)

    @property
    def covered(self) -> bool:
        """Whether somebody died while paying, and somebody while downloading."""
        return bool(self.hit["POST"] and self.hit["FILE"])

    def __str__(self) -> str:
        hit = ", ".join(f"{count} {kind}" for kind, count in sorted(self.hit.items()))
        return (
            f"kills: {self.kills} (seed {self.seed}; {self.real} of whole servers;"
            f" broke off {hit}): {functools.reduce(Verdict.plus, self.verdicts)}"
        )


async def run(
    folder: Path, *, kills: int, seed: int, real_every: int = REAL_EVERY, size: int = 200_000
) -> Outcome:
    """Kill so often, in rounds, and judge each."""
    outcome = Outcome(seed)
    async with open_harness(folder, latency=LATENCY, size=size, seed=seed) as here:
        while outcome.kills < kills:
            name = f"round-{len(outcome.verdicts)}"
            this = Round(here, name, random.Random(f"{seed} {name}"), outcome, real_every)  # noqa: S311 - a test's own dice
            await this.run(min(ROUND, kills - outcome.kills))
            outcome.verdicts.append(here.verdict(name, prompts=f"{name} "))
        outcome.hit.update(
            {kind: here.events[f"broken {kind}"] for kind in ("POST", "GET", "FILE")}
        )
    return outcome


@dataclass
class Round:
    """Kills over one folder, and then peace."""

    here: Harness
    name: str
    chance: random.Random
    outcome: Outcome
    real_every: int
    left: int = 0
    prompts: list[str] = field(default_factory=list[str])
    """All that victims were asked for so far."""

    async def run(self, kills: int) -> None:
        self.left = kills
        async with anyio.create_task_group() as lanes:
            for _ in range(LANES):
                lanes.start_soon(self._lane)
        # As the callers would who heard nothing: by its key, each finds what became of it.
        await self.here.settle(self.name, prompts=self.prompts, keyed=True)

    async def _lane(self) -> None:
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
        prompts = [self._prompt() for _ in range(self.chance.choice((0, 1, 1, 2)))]
        if moment.event == "POST" and not prompts:
            prompts = [self._prompt()]
        come = self._expect(moment, prompts)
        victim = await self.here.fork(self.name, prompts=prompts, keyed=True)
        await self._until(come, moment)
        await self.here.kill(victim)

    async def _kill_server(self, moment: Moment) -> None:
        prompt = self._prompt()
        come = self._expect(moment, [prompt])
        folder = self.here.folder / self.name
        folder.mkdir(exist_ok=True)
        async with line(folder, **self.here.env(self.name)) as server:
            arguments = {"model": "m", "prompt": prompt, "idempotency_key": prompt}
            call = {"name": "generate_video", "arguments": arguments}
            message = {"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call}
            await server.send(json.dumps(message).encode())
            await self._until(come, moment)
            await server.kill()

    def _prompt(self) -> str:
        number = len(self.prompts) + 1
        self.prompts.append(f"{self.name} fox {number} TAKES={self.chance.choice(TAKES)}")
        return self.prompts[-1]

    def _expect(self, moment: Moment, prompts: list[str]) -> Callable[[], bool]:
        """Whether the moment's event has come, counted from now."""
        events = self.here.events
        name = f"POST {prompts[0]}" if moment.event == "POST" else moment.event
        before = events[name]
        return lambda: not name or events[name] > before

    async def _until(self, come: Callable[[], bool], moment: Moment) -> None:
        with anyio.move_on_after(PAYS_WITHIN if moment.event == "POST" else IN_VAIN):
            while not come():
                await self.here.news()
        await anyio.sleep(self.chance.uniform(0.0, moment.later))


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
