"""What a load measures: times by kind of request, refusals, errors, and what the server uses."""

import time
from collections import Counter, defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from reliability.targets import Usage


@dataclass
class Timings:
    """The seconds of each kind of request, with the time at which it ended."""

    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict[str, list[tuple[float, float]]](list)
    )
    refused: Counter[str] = field(default_factory=Counter[str])
    """Answers with 429, by kind of request."""
    errors: Counter[str] = field(default_factory=Counter[str])
    """Everything else that was no success."""

    @contextmanager
    def measure(self, kind: str) -> Generator[None]:
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self.seconds[kind].append((ended - self.started, ended - began))

    def between(self, kind: str, first: float, last: float) -> list[float]:
        """The times of those that ended in this part of the load."""
        return [taken for at, taken in self.seconds.get(kind, ()) if first <= at < last]

    def lines(self) -> list[str]:
        """A table of the times in milliseconds, and what was no success."""
        found = [f"{'request':24}{'count':>8}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}"]
        for kind, taken in sorted(self.seconds.items()):
            times = [each for _, each in taken]
            found.append(
                f"{kind:24}{len(times):>8}{median(times) * 1000:>10.0f}"
                f"{percentile(times, 99) * 1000:>10.0f}{max(times) * 1000:>10.0f}"
            )
        found += [f"429 to {kind}: {count}" for kind, count in sorted(self.refused.items())]
        found += [f"ERROR {kind}: {count}" for kind, count in sorted(self.errors.items())]
        return found


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that *percent* of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


def describe_usage(label: str, usage: Usage) -> str:
    return (
        f"{label}: RSS {usage.rss_mb:.0f} MB (peak {usage.peak_mb:.0f}),"
        f" {usage.descriptors} descriptors, {usage.threads} threads"
    )
