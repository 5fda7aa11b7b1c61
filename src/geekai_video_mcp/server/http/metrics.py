"""The numbers of this process in Prometheus' format. Imported when they are asked for.

The only module that knows `prometheus_client`, which the extra `metrics` installs.
"""

import time
from collections.abc import Iterator
from typing import Final

import anyio
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as MEDIA_TYPE
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from geekai_video_mcp import __version__
from geekai_video_mcp.engine import Operations
from geekai_video_mcp.engine.counters import METRICS, Counters
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import TaskCount

__all__ = ["MEDIA_TYPE", "MetricsExporter"]

CACHE_SECONDS: Final = 1.0
"""Seconds for which one text is the answer to everyone who scrapes."""


class MetricsExporter(Collector):
    """Turns the numbers of one process into metrics when it is asked."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._lock = anyio.Lock()
        self._open_tasks: list[TaskCount] | None = None
        self._rendered_at = float("-inf")
        self._text = b""
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    async def render(self) -> bytes:
        """The text, in Prometheus' own format, of this second."""
        async with self._lock:
            if time.monotonic() - self._rendered_at >= CACHE_SECONDS:
                self._open_tasks = await self._count_open_tasks()
                self._text = generate_latest(self._registry)
                self._rendered_at = time.monotonic()
            return self._text

    async def _count_open_tasks(self) -> list[TaskCount] | None:
        if self._operations.ledger is None:
            return None
        with anyio.move_on_after(1):
            try:
                return await self._operations.ledger.count_open_tasks()
            except StorageUnavailable:
                return None
        return None

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        counters, drain = self._operations.counters, self._operations.drain
        build = GaugeMetricFamily("geekai_build_info", "The version", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build
        yield GaugeMetricFamily(
            "geekai_draining", "1 while the process is stopping", value=drain.started
        )
        yield GaugeMetricFamily(
            "geekai_http_requests_in_flight",
            "Requests over HTTP being answered, open streams among them",
            value=counters.http_in_flight,
        )
        for metric in METRICS:
            family = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in counters.values(metric):
                family.add_metric(labels, value)
            yield family
        waiting = GaugeMetricFamily(
            "geekai_waiting_calls", "Calls that wait for tasks now", labels=("tenant",)
        )
        for tenant, count in sorted(counters.waiting.items()):
            waiting.add_metric((tenant,), count)
        yield waiting
        yield _lateness(counters)
        yield self._tasks(counters)

    def _tasks(self, counters: Counters) -> Metric:
        """Without samples if the task database could not be read in time."""
        family = GaugeMetricFamily(
            "geekai_tasks",
            "Tasks that have not ended, by status: unknown until a person resolves them, and"
            " downloading if they are finished and their file is not here yet",
            labels=("tenant", "status"),
        )
        sums: dict[tuple[str, str], int] = {}
        for tenant, state, count in self._open_tasks or ():
            labels = (counters.tenant_label(tenant), state)
            sums[labels] = sums.get(labels, 0) + count
        for labels, count in sorted(sums.items()):
            family.add_metric(labels, count)
        return family


def _lateness(counters: Counters) -> Metric:
    histogram = counters.poll_lateness
    *counts, total = histogram.cumulative()
    buckets = [*zip(map(str, histogram.bounds), counts, strict=True), ("+Inf", total)]
    family = HistogramMetricFamily(
        "geekai_poll_lateness_seconds", "Seconds by which polls began after they were due"
    )
    family.add_metric((), buckets, histogram.total)
    return family
