"""Two things measured in turn, so that whatever else the machine does meets both."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """What a series of measurements shows: its median, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The quartiles of *values*, of which there are at least two."""
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low=low, median=statistics.median(values), high=high)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A subject and its floor, measured in the same rounds."""

    floor: Sequence[float]
    subject: Sequence[float]

    @property
    def ratio(self) -> Spread:
        """The subject against the floor of the same round."""
        return Spread.of([s / f for s, f in zip(self.subject, self.floor, strict=True)])

    @property
    def difference(self) -> Spread:
        """The subject less the floor of the same round."""
        return Spread.of([s - f for s, f in zip(self.subject, self.floor, strict=True)])

    @property
    def noise(self) -> Spread:
        """The floor against the floor of the round before: what the machine does by itself."""
        return Spread.of([b / a for a, b in zip(self.floor, self.floor[1:], strict=False)])


def compare(*, floor: Callable[[], float], subject: Callable[[], float], rounds: int) -> Comparison:
    """Measure both *rounds* times in turn, after one round of each that is not counted.

    The order changes every round, so that neither always finds the caches as the other left them.
    """
    floor()
    subject()
    measured: dict[Callable[[], float], list[float]] = {floor: [], subject: []}
    for number in range(rounds):
        for one in (floor, subject) if number % 2 else (subject, floor):
            measured[one].append(one())
    return Comparison(floor=measured[floor], subject=measured[subject])
