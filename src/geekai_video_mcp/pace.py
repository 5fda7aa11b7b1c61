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

FIRST_POLL_DELAY: Final = 10.0
"""Seconds until the first look when nobody says better; no model is known to need less."""
POLL_INTERVAL: Final = 5.0
"""Seconds between looks at first: twice as often would save 1.5 s and double the requests."""
MAX_POLL_INTERVAL: Final = 30.0
"""Seconds between looks at a task that has run for five minutes or more."""
MAX_POLL_GAP: Final = 120.0
"""Seconds without a look, whatever a Retry-After or history asks: no schedule sets more, so
a time further ahead can only come from a clock that was set back."""
POLL_AGE_FRACTION: Final = 0.1
"""Of its age: the extra wait a slow task can bear without anyone noticing."""
ESTIMATE_SLACK: Final = 0.15
"""Seconds after the service's own estimate: a little late finds it done, early does not."""
MIN_POLL_INTERVAL: Final = 0.25
"""Seconds between looks however short the estimate: an estimate that is stuck is no licence."""
JITTER: Final = 0.1
"""Of a computed delay, either way: tasks that were sent together are not looked at together."""

HISTORY_LIMIT: Final = 50
"""Tasks of a kind that count as its history: more would remember a service that has changed."""
MIN_HISTORY: Final = 5
"""Measured tasks below which a kind has no history: fewer say little of a tenth or a twentieth."""


@dataclass(frozen=True, kw_only=True)
class TypicalDuration:
    """How long tasks of one kind usually take, in seconds."""

    p10: float
    """One in ten is done by then."""
    p95: float
    """All but one in twenty are."""


@dataclass(frozen=True, kw_only=True)
class DurationSample:
    """A finished task as it was seen from here."""

    submitted_at: float | None
    last_polled_at: float | None
    """When it was last seen unfinished."""
    ended_at: float | None

    @property
    def seconds(self) -> float | None:
        """Seconds it needed, as near as the looks tell; None if nobody was looking.

        It ended somewhere between two looks, and the middle is taken. Were it the later one,
        a history of tasks that were done at the first look would only ever grow: simulated,
        the extra wait of the slowest twentieth doubles (`tests/reliability/schedule.py`).
        """
        if self.submitted_at is None or self.last_polled_at is None or self.ended_at is None:
            return None
        if not 0 <= self.ended_at - self.last_polled_at <= MAX_POLL_GAP:
            return None  # no server ran, or a clock was set
        took = (self.last_polled_at + self.ended_at) / 2 - self.submitted_at
        return took if took > 0 else None


def duration_key(request: Mapping[str, Any]) -> str:
    """The same for requests that take about as long: model, duration and resolution."""
    return json.dumps([request.get(name) for name in ("model", "duration", "resolution")])


def typical_duration(samples: Iterable[DurationSample]) -> TypicalDuration | None:
    """The pace of these tasks; None if too few of them were measured."""
    took = sorted(span.seconds for span in samples if span.seconds is not None)
    if len(took) < MIN_HISTORY:
        return None
    count = len(took)
    return TypicalDuration(p10=took[count // 10], p95=took[count * 19 // 20])


def poll_interval(*, age: float, typical: TypicalDuration | None, first: bool) -> float:
    """Seconds to the next look at a task *age* seconds after it was sent, without jitter."""
    if typical is not None and age < typical.p10:
        return min(max(POLL_INTERVAL, typical.p10 - age), MAX_POLL_GAP)
    if typical is not None and age < typical.p95:
        return POLL_INTERVAL
    if typical is None and first:
        return FIRST_POLL_DELAY
    return min(max(POLL_INTERVAL, age * POLL_AGE_FRACTION), MAX_POLL_INTERVAL)


def interval_from_estimate(estimated_seconds: float) -> float:
    """Seconds to the next look when the service says how much longer it needs."""
    return min(max(MIN_POLL_INTERVAL, estimated_seconds + ESTIMATE_SLACK), MAX_POLL_INTERVAL)


def jittered(delay: float, *, seed: str) -> float:
    """*delay*, up to a tenth earlier or later: always the same for the same name *by*."""
    chance = zlib.crc32(seed.encode()) / 0xFFFF_FFFF
    return min(delay * (1 + JITTER * (2 * chance - 1)), MAX_POLL_GAP)


POLLS_PER_SECOND: Final = 2.0
"""Of one service and key, all processes together: what ten tasks in flight (the default cap)
need at one look every five seconds. GeekAI documents no limit for looks, and its limits per
model, where shown, are counted by the minute (read 2026-11-22)."""
BURST: Final = 10.0
"""Looks that may come at once, as when a server starts with ten tasks under way."""
DEFAULT_PAUSE: Final = 10.0
"""Seconds without requests after a 429 that names no time."""
MAX_PAUSE: Final = MAX_POLL_GAP
"""Seconds without requests, whatever a 429 asks."""
_FULL_TOKEN: Final = 1.0 - 1e-3
"""Of a token that counts as one: a wait that ends a rounding too soon is not begun again."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one service and key may still be asked, by all processes together."""

    account: str
    tokens: float = BURST
    """Looks that may go at once; below zero after submissions, which do not wait for one."""
    refilled_at: float = 0.0
    paused_until: float = 0.0
    """Nothing is sent before: the service has asked for it."""


def take_token(budget: Budget, *, at: float, priority: bool = False) -> tuple[Budget, float]:
    """The budget less one request, and 0.0; or as it is, and the seconds to wait before asking.

    *priority* is for a request that somebody waits for: it is held up by a block alone, and the
    looks that come after it make up for it.
    """
    if at < budget.paused_until <= at + MAX_PAUSE:
        return budget, budget.paused_until - at
    budget = _refill(budget, at=at)
    if not priority and budget.tokens < _FULL_TOKEN:
        return budget, (1 - budget.tokens) / POLLS_PER_SECOND
    return replace(budget, tokens=max(budget.tokens - 1, -BURST)), 0.0


def pause(budget: Budget, *, at: float, seconds: float | None) -> Budget:
    """The budget after a 429 that asks for *seconds*; afterwards looks start one by one."""
    until = at + min(DEFAULT_PAUSE if seconds is None else seconds, MAX_PAUSE)
    if at < budget.paused_until <= at + MAX_PAUSE:
        until = max(until, budget.paused_until)
    return replace(budget, tokens=min(budget.tokens, 0.0), refilled_at=until, paused_until=until)


def _refill(budget: Budget, *, at: float) -> Budget:
    """Refilled from when it last was; from now if that lies ahead, for a clock was set back."""
    gained = max(0.0, at - budget.refilled_at) * POLLS_PER_SECOND
    return replace(budget, tokens=min(BURST, budget.tokens + gained), refilled_at=at)
