"""What the engines of one process are doing: each of several tenants has one."""

from collections import Counter
from dataclasses import dataclass, field

import anyio


@dataclass(frozen=True, kw_only=True)
class ProcessWork:
    """What the engines of one process are doing: each has to know it of all of them.

    A task of this process that none of its engines works on is one that was left behind, and is
    taken over by the next that finds it.
    """

    submissions: Counter[str] = field(default_factory=Counter[str])
    """By task whose request is being sent: how often."""
    film_shares: dict[str, float] = field(default_factory=dict[str, float])
    """By film that is being made: the share of it that is done."""
    film_turn: anyio.Lock = field(default_factory=anyio.Lock)
    """Films are joined one at a time: each takes every core."""
