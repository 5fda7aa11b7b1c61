"""What the configuration allows a request, and asks of it. Pure."""

from dataclasses import dataclass
from typing import Literal

Checks = Literal["refuse", "warn"]
"""What becomes of a request of which only the maker's documents say that it is not taken."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The caps on requests to the service; only the configuration raises them."""

    per_day: int
    """Videos in any 24 hours."""
    in_flight: int
    """Videos at the same time."""
    cny_per_day: float | None = None
    """CNY by the price list in any 24 hours; None for no such cap."""
