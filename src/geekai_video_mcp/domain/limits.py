"""What the configuration allows a request, and asks of it. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

Checks = Literal["refuse", "warn"]
"""What becomes of a request of which only the maker's documents say that it is not taken."""

REQUESTS_PER_SECOND: Final = 2.0
"""For one service and key, in all processes together, unless configured: what ten tasks in flight
(the default cap) need at one poll every five seconds. GeekAI documents no limit for polls, and its
limits per model, where shown, are counted by the minute (read 2026-11-22)."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The caps on requests to the service; only the configuration raises them."""

    per_day: int
    """Videos in any 24 hours."""
    in_flight: int
    """Videos at the same time."""
    cny_per_day: float | None = None
    """CNY by the price list in any 24 hours; None for no such cap."""
