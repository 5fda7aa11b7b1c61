"""From the start of a process to its answers, in CPU time: a host waits for both of them."""

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.comparison import Comparison, compare
from benchmarks.rows import Row, Target, difference_row, ratio_row
from benchmarks.support.stdio import BARE_SERVER, OWN_SERVER, greeted, running

IMPORT_ALONE: Final = (
    sys.executable,
    "-c",
    "import gc; gc.disable(); import mcp.server.mcpserver, os; os.write(1, b'\\n'); os.read(0, 1)",
)
"""A Python with the collector off that imports the SDK's server, says so, and does no more."""


def measure(rounds: int) -> Sequence[Row]:
    """Up to the response to `initialize`, and up to that to `tools/list`."""
    own, bare = _measure_cpu(OWN_SERVER), _measure_cpu(BARE_SERVER)
    initialize = compare(floor=bare, subject=own, rounds=rounds)
    above_import = compare(floor=_measure_import, subject=own, rounds=rounds)
    tools = compare(
        floor=_measure_cpu(BARE_SERVER, list_tools=True),
        subject=_measure_cpu(OWN_SERVER, list_tools=True),
        rounds=rounds,
    )
    return [
        ratio_row(
            initialize,
            figure="start to the answer of `initialize`, CPU",
            floor="a bare SDK server with one tool",
            target=Target(value=1.00),
            details=_describe(initialize),
        ),
        difference_row(
            above_import,
            figure="start to the answer of `initialize`, CPU beyond the SDK's import",
            floor="`import mcp.server.mcpserver` alone, the collector off",
            unit="ms",
            target=Target(value=30),
            details=_describe(above_import),
        ),
        replace(
            ratio_row(
                tools,
                figure="start to the answer of `tools/list`, CPU",
                floor="a bare SDK server with one tool",
                target=Target(value=1.00),
                details=_describe(tools),
            ),
            target=None,
        ),
    ]


def _measure_cpu(command: Sequence[str], *, list_tools: bool = False) -> Callable[[], float]:
    def measure_once() -> float:
        with greeted(command, list_tools=list_tools) as server:
            return 1000 * server.cpu_seconds()

    return measure_once


def _measure_import() -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        running(IMPORT_ALONE, folder=Path(folder)) as python,
    ):
        python.read_line()
        return 1000 * python.cpu_seconds()


def _describe(comparison: Comparison) -> str:
    own, floor = (statistics.median(one) for one in (comparison.subject, comparison.floor))
    return f"{own:.0f} ms against {floor:.0f} ms"
