"""One line of the table: a figure, what it is compared with, and what it should be."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.comparison import Comparison, Spread


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a figure should be."""

    value: float
    bound: Literal["at most", "at least"] = "at most"

    def is_met(self, value: float) -> bool:
        """Whether *value*, rounded as the table shows it, is within the bound."""
        shown = round(value, 2)
        return shown <= self.value if self.bound == "at most" else shown >= self.value


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured figure."""

    figure: str
    """What was measured, as a person would say it."""
    floor: str
    """What it is compared with; for a count or a size, what it was counted over."""
    unit: str
    """Of the value: "x" for a ratio, otherwise "ms", "MB", "syncs", ..."""
    value: float
    """The median."""
    spread: tuple[float, float] | None = None
    """The quartiles around the value."""
    noise: tuple[float, float] | None = None
    """The quartiles of the floor against itself."""
    target: Target | None = None
    """None for a figure that is only shown."""
    details: str = ""
    """The absolute figures behind a ratio, in a phrase."""


def ratio_row(
    comparison: Comparison, *, figure: str, floor: str, target: Target, details: str = ""
) -> Row:
    """The row of a comparison by ratio."""
    ratio, noise = comparison.ratio, comparison.noise
    return Row(
        figure=figure,
        floor=floor,
        unit="x",
        value=ratio.median,
        spread=_quartiles(ratio),
        noise=_quartiles(noise),
        target=target,
        details=details,
    )


def difference_row(
    comparison: Comparison,
    *,
    figure: str,
    floor: str,
    unit: str,
    target: Target | None,
    details: str = "",
) -> Row:
    """The row of a comparison by difference, in *unit*."""
    difference = comparison.difference
    return Row(
        figure=figure,
        floor=floor,
        unit=unit,
        value=difference.median,
        spread=_quartiles(difference),
        noise=_quartiles(comparison.noise),
        target=target,
        details=details,
    )


def _quartiles(spread: Spread) -> tuple[float, float]:
    return spread.low, spread.high
