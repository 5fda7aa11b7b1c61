"""How often the service is asked: the looks at one task, and the requests of all. Pure.

A look costs nothing and a late one costs someone's patience, so looks are placed where the
end is likely: by the service's own estimate, else by how long such tasks took before. Above
that stands one budget for all tasks of a service and all processes of a state folder.

Rule 1: no clock and no chance in here; jitter is a function of what is looked at.

Rule 2: a time further ahead than anything here sets was written before the clock was set
back, and does not count.

All times are Unix seconds, UTC. All durations are seconds.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

FIRST_LOOK: Final = 10.0
"""Seconds until the first look when nobody says better; no model is known to need less."""
LOOK_EVERY: Final = 5.0
"""Seconds between looks at first: twice as often would save 1.5 s and double the requests."""
LOOK_AT_MOST: Final = 30.0
"""Seconds between looks at a task that has run for five minutes or more."""
AWAY_AT_MOST: Final = 120.0
"""Seconds without a look, whatever a Retry-After or history asks: no schedule sets more, so
a time further ahead can only come from a clock that was set back."""
LOOK_SHARE: Final = 0.1
"""Of its age: the extra wait a slow task can bear without anyone noticing."""
HINT_SLACK: Final = 0.15
"""Seconds after the service's own estimate: a little late finds it done, early does not."""
HINT_AT_LEAST: Final = 0.25
"""Seconds between looks however short the estimate: an estimate that is stuck is no licence."""
JITTER: Final = 0.1
"""Of a computed delay, either way: tasks that were sent together are not looked at together."""

NEWEST: Final = 50
"""Tasks of a kind that count as its history: more would remember a service that has changed."""
HISTORY_AT_LEAST: Final = 5
"""Measured tasks below which a kind has no history: fewer say little of a tenth or a twentieth."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long tasks of one kind usually take, in seconds."""

    soonest: float
    """One in ten is done by then."""
    latest: float
    """All but one in twenty are."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A finished task as it was seen from here."""

    submitted_at: float | None
    looked_at: float | None
    """When it was last seen unfinished."""
    ended_at: float | None

    @property
    def took(self) -> float | None:
        """Seconds it needed, as near as the looks tell; None if nobody was looking.

        It ended somewhere between two looks, and the middle is taken. Were it the later one,
        a history of tasks that were done at the first look would only ever grow: simulated,
        the extra wait of the slowest twentieth doubles (`tests/reliability/schedule.py`).
        """
        if self.submitted_at is None or self.looked_at is None or self.ended_at is None:
            return None
        if not 0 <= self.ended_at - self.looked_at <= AWAY_AT_MOST:
            return None  # no server ran, or a clock was set
        took = (self.looked_at + self.ended_at) / 2 - self.submitted_at
        return took if took > 0 else None


def kind(request: Mapping[str, Any]) -> str:
    """The same for requests that take about as long: model, duration and resolution."""
    return json.dumps([request.get(name) for name in ("model", "duration", "resolution")])


def pace(spans: Iterable[Span]) -> Pace | None:
    """The pace of these tasks; None if too few of them were measured."""
    took = sorted(span.took for span in spans if span.took is not None)
    if len(took) < HISTORY_AT_LEAST:
        return None
    count = len(took)
    return Pace(soonest=took[count // 10], latest=took[count * 19 // 20])


def look_after(*, age: float, usual: Pace | None, first: bool) -> float:
    """Seconds to the next look at a task *age* seconds after it was sent, without jitter."""
    if usual is not None and age < usual.soonest:
        return min(max(LOOK_EVERY, usual.soonest - age), AWAY_AT_MOST)
    if usual is not None and age < usual.latest:
        return LOOK_EVERY
    if usual is None and first:
        return FIRST_LOOK
    return min(max(LOOK_EVERY, age * LOOK_SHARE), LOOK_AT_MOST)


def hinted(estimated_seconds: float) -> float:
    """Seconds to the next look when the service says how much longer it needs."""
    return min(max(HINT_AT_LEAST, estimated_seconds + HINT_SLACK), LOOK_AT_MOST)


def jittered(delay: float, *, by: str) -> float:
    """*delay*, up to a tenth earlier or later: always the same for the same name *by*."""
    chance = zlib.crc32(by.encode()) / 0xFFFF_FFFF
    return min(delay * (1 + JITTER * (2 * chance - 1)), AWAY_AT_MOST)


LOOKS_PER_SECOND: Final = 2.0
"""Of one service and key, all processes together: what ten tasks in flight (the default cap)
need at one look every five seconds. GeekAI documents no limit for looks, and its limits per
model, where shown, are counted by the minute (read 2026-11-22)."""
BURST: Final = 10.0
"""Looks that may come at once, as when a server starts with ten tasks under way."""
LIMITED_PAUSE: Final = 10.0
"""Seconds without requests after a 429 that names no time."""
BLOCKED_AT_MOST: Final = AWAY_AT_MOST
"""Seconds without requests, whatever a 429 asks."""
_WHOLE: Final = 1.0 - 1e-3
"""Of a token that counts as one: a wait that ends a rounding too soon is not begun again."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one service and key may still be asked, by all processes together."""

    service: str
    tokens: float = BURST
    """Looks that may go at once; below zero after submissions, which do not wait for one."""
    refilled_at: float = 0.0
    blocked_until: float = 0.0
    """Nothing is sent before: the service has asked for it."""


def take(budget: Budget, *, at: float, ahead: bool = False) -> tuple[Budget, float]:
    """The budget less one request, and 0.0; or as it is, and the seconds to wait before asking.

    *ahead* is for a request that somebody waits for: it is held up by a block alone, and the
    looks that come after it make up for it.
    """
    if at < budget.blocked_until <= at + BLOCKED_AT_MOST:
        return budget, budget.blocked_until - at
    budget = _refilled(budget, at=at)
    if not ahead and budget.tokens < _WHOLE:
        return budget, (1 - budget.tokens) / LOOKS_PER_SECOND
    return replace(budget, tokens=max(budget.tokens - 1, -BURST)), 0.0


def block(budget: Budget, *, at: float, seconds: float | None) -> Budget:
    """The budget after a 429 that asks for *seconds*; afterwards looks start one by one."""
    until = at + min(LIMITED_PAUSE if seconds is None else seconds, BLOCKED_AT_MOST)
    if at < budget.blocked_until <= at + BLOCKED_AT_MOST:
        until = max(until, budget.blocked_until)
    return replace(budget, tokens=min(budget.tokens, 0.0), refilled_at=until, blocked_until=until)


def _refilled(budget: Budget, *, at: float) -> Budget:
    """Refilled from when it last was; from now if that lies ahead, for a clock was set back."""
    gained = max(0.0, at - budget.refilled_at) * LOOKS_PER_SECOND
    return replace(budget, tokens=min(BURST, budget.tokens + gained), refilled_at=at)
