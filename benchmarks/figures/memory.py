"""What a server that has said what it offers holds in memory: a host keeps it all day."""

import statistics
from collections.abc import Callable, Sequence

from benchmarks.comparison import compare
from benchmarks.rows import Row, Target, difference_row
from benchmarks.support.stdio import BARE_SERVER, OWN_SERVER, greeted


def measure(rounds: int) -> Sequence[Row]:
    """Resident memory after `tools/list`."""
    comparison = compare(
        floor=_measure_rss(BARE_SERVER), subject=_measure_rss(OWN_SERVER), rounds=rounds
    )
    own, bare = (statistics.median(one) for one in (comparison.subject, comparison.floor))
    return [
        difference_row(
            comparison,
            figure="resident memory after `tools/list`",
            floor="a bare SDK server with one tool",
            unit="MB",
            target=Target(value=4),
            details=f"{own:.1f} MB against {bare:.1f} MB",
        )
    ]


def _measure_rss(command: Sequence[str]) -> Callable[[], float]:
    def measure_once() -> float:
        with greeted(command, list_tools=True) as server:
            return server.rss_bytes() / 1e6

    return measure_once
