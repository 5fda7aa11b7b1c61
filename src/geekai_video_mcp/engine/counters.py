"""What this process has done, counted for whoever monitors it; nothing here is stored.

Counting must cost nothing and never fail, so these are plain numbers: `server.http.metrics` turns
them into Prometheus' format when it is asked. Labels have few values, and none of them says
anything about a request: no prompt, no id, no key.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from geekai_video_mcp.domain.catalogue import SANDBOX_MODEL, image_models, models

OTHER: Final = "other"
MAX_TENANTS: Final = 200
"""Tenants that are counted by name; an authorisation server may have any number of users."""


class Metric(NamedTuple):
    """A number that only grows, for each combination of its labels."""

    name: str
    meaning: str
    labels: tuple[str, ...]


SUBMISSIONS: Final = Metric(
    "geekai_submissions",
    "Requests for videos and pictures, by what became of them: accepted, rejected (not charged),"
    " unknown (may be charged), not_sent (to be tried again), duplicate (nothing was sent), capped"
    " or refused (before they were sent)",
    ("tenant", "model", "outcome"),
)
POLLS: Final = Metric(
    "geekai_polls", "Polls of tasks, by whether they were answered", ("tenant", "outcome")
)
WAITS: Final = Metric("geekai_waits", "Calls that have waited for tasks", ("tenant",))
DOWNLOADS: Final = Metric(
    "geekai_downloads", "Attempts to download a result, by what came of them", ("tenant", "outcome")
)
DOWNLOADED_BYTES: Final = Metric(
    "geekai_downloaded_bytes", "Bytes of the results that were stored", ("tenant", "model")
)
HTTP_REQUESTS: Final = Metric(
    "geekai_http_requests", "Answers over HTTP, by the class of their status", ("status_class",)
)
HTTP_REFUSALS: Final = Metric(
    "geekai_http_refusals",
    "Requests over HTTP that were refused: 401 and 403 by who sent them, 408 and 413 by their"
    " body, 421 by their host, 429 by a limit of the caller, 503 by a limit of the server",
    ("status",),
)
METRICS: Final = (
    SUBMISSIONS,
    POLLS,
    WAITS,
    DOWNLOADS,
    DOWNLOADED_BYTES,
    HTTP_REQUESTS,
    HTTP_REFUSALS,
)
LATENESS_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds; a poll is late if requests are limited or this process has too much to do."""


class Histogram:
    """How many values were at most as large as each of the bounds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds: Final = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[int]:
        """The number of values up to each bound, and of all."""
        return [*accumulate(self._counts)]


class Counters:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._values = defaultdict[Metric, dict[tuple[str, ...], float]](dict)
        self._tenants = set[str]()
        self.waiting = defaultdict[str, int](int)
        """Calls that are waiting for tasks now, by tenant."""
        self.http_in_flight = 0
        self.poll_lateness = Histogram(LATENESS_BUCKETS)

    def add(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        values = self._values[metric]
        values[labels] = values.get(labels, 0) + amount

    def values(self, metric: Metric) -> Iterator[tuple[tuple[str, ...], float]]:
        """Each combination of labels that there was, with its number."""
        yield from sorted(self._values[metric].items())

    def of_tenant(self, tenant: str) -> "TenantCounters":
        return TenantCounters(self, self.tenant_label(tenant))

    def tenant_label(self, tenant: str) -> str:
        """The tenant's name, or `other` if too many others are counted by theirs."""
        if tenant not in self._tenants and len(self._tenants) >= MAX_TENANTS:
            return OTHER
        self._tenants.add(tenant)
        return tenant


class TenantCounters:
    """The same numbers, for what is done for one tenant."""

    def __init__(self, counters: Counters, tenant: str) -> None:
        self._counters = counters
        self._tenant = tenant

    def count_submission(self, model: str, outcome: str) -> None:
        self._counters.add(SUBMISSIONS, self._tenant, model_label(model), outcome)

    def count_poll(self, *, answered: bool) -> None:
        self._counters.add(POLLS, self._tenant, "answered" if answered else "failed")

    def observe_poll_lateness(self, seconds: float) -> None:
        self._counters.poll_lateness.observe(max(0.0, seconds))

    def count_download(self, model: str, outcome: str, *, size_bytes: int = 0) -> None:
        self._counters.add(DOWNLOADS, self._tenant, outcome)
        if size_bytes:
            labels = (self._tenant, model_label(model))
            self._counters.add(DOWNLOADED_BYTES, *labels, amount=size_bytes)

    def begin_wait(self) -> None:
        self._counters.add(WAITS, self._tenant)
        self._counters.waiting[self._tenant] += 1

    def end_wait(self) -> None:
        self._counters.waiting[self._tenant] -= 1


def model_label(model: str) -> str:
    """The model's id if the catalogue has it: a caller may name anything."""
    known = model == SANDBOX_MODEL or model in models() or model in image_models()
    return model if known else OTHER
