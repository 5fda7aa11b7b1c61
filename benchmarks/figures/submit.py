"""How long a call of `generate_video` takes, against an SDK tool that does the same least."""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.comparison import Comparison, compare
from benchmarks.report import ROOT
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.service import KEY, running_service
from benchmarks.support.stdio import OWN_SERVER, StdioServer, running

CALLS: Final = 40
"""Calls of each in a round: enough for a 95th percentile."""
FLOOR: Final = "an SDK tool that makes one httpx POST between two such transactions"


def measure(rounds: int) -> Sequence[Row]:
    """Both servers run all the time, and are called in turn."""
    with tempfile.TemporaryDirectory(dir=ROOT) as name, running_service() as url:
        folder = Path(name)
        settings = {
            "GEEKAI_BASE_URL": url,
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_MAX_IN_FLIGHT": "100000",
            "GEEKAI_MAX_VIDEOS_PER_DAY": "100000",
        }
        (folder / "floor").mkdir()
        program = ROOT / "benchmarks" / "support" / "paying_server.py"
        command = (sys.executable, str(program), url, str(folder / "floor" / "tasks.sqlite3"))
        with (
            running(command, folder=folder) as floor,
            running(OWN_SERVER, folder=folder, settings=settings) as subject,
        ):
            series = {server: Series(server) for server in (floor, subject)}
            medians = compare(
                floor=series[floor].measure, subject=series[subject].measure, rounds=rounds
            )
    slowest = Comparison(
        floor=series[floor].slowest[1:],
        subject=series[subject].slowest[1:],  # the first of each is not counted
    )
    return [
        ratio_row(
            medians,
            figure="`generate_video`, call to answer, the median call",
            floor=FLOOR,
            target=Target(value=1.5),
            details=describe(medians),
        ),
        ratio_row(
            slowest,
            figure="`generate_video`, call to answer, 95th percentile",
            floor=FLOOR,
            target=Target(value=3),
            details=describe(slowest),
        ),
    ]


class Series:
    """The calls of one server."""

    def __init__(self, server: StdioServer) -> None:
        self._server = server
        self._calls = 0
        self.slowest: list[float] = []
        """The 95th percentile of each round."""
        server.initialize()
        server.notify_initialized()

    def measure(self) -> float:
        """Seconds of the median call of a round."""
        took = sorted(self._call() for _ in range(CALLS))
        self.slowest.append(took[CALLS * 95 // 100])
        return statistics.median(took)

    def _call(self) -> float:
        self._calls += 1
        began = time.perf_counter()
        result = self._server.call_tool(
            "generate_video", model="cogvideox-flash", prompt=f"A fox in the snow, {self._calls}"
        )
        took = time.perf_counter() - began
        if result.get("isError"):
            raise RuntimeError(result["content"])
        return took


def describe(comparison: Comparison) -> str:
    """Both sides in milliseconds."""
    subject, floor = (
        statistics.median(side) * 1000 for side in (comparison.subject, comparison.floor)
    )
    return f"{subject:.1f} ms against {floor:.1f} ms"
