"""What callers take that wait for running tasks, by their number.

Each size has a process of its own, which is compared with itself before the callers come: ten
tasks that are running, of which nothing new becomes known while they wait.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.comparison import Spread
from benchmarks.report import ROOT
from benchmarks.rows import Row
from benchmarks.support.recorded_tasks import running_task
from support.ledgers import record_tasks

SIZES: Final = (1, 10, 100, 1000)
TASKS: Final = 10
SECONDS: Final = 9.0
"""Three heartbeats."""
MAX_ROUNDS: Final = 3
"""Of each size: a round takes half a minute."""
_PROGRAM: Final = str(ROOT / "benchmarks" / "support" / "waiting_callers.py")


def measure(rounds: int) -> Sequence[Row]:
    """CPU and memory of each number of callers."""
    return [_measure_size(size, max(2, min(rounds, MAX_ROUNDS))) for size in SIZES]


def _measure_size(callers: int, rounds: int) -> Row:
    measured = [_run(callers) for _ in range(rounds)]
    cpu = Spread.of([100 * (waiting[0] - alone[0]) for alone, waiting in measured])
    memory = Spread.of([(waiting[1] - alone[1]) / 1e6 for alone, waiting in measured])
    return Row(
        figure=f"{callers:,} waiting callers",
        floor="the same process before they come",
        unit="% of a core",
        value=cpu.median,
        spread=(cpu.low, cpu.high),
        details=f"{memory.median:.1f} MB",
    )


def _run(callers: int) -> Sequence[Sequence[float]]:
    with tempfile.TemporaryDirectory() as folder:
        tasks = (running_task(number) for number in range(TASKS))
        asyncio.run(record_tasks(Path(folder) / "state", *tasks))
        done = subprocess.run(
            [sys.executable, _PROGRAM, folder, str(callers), str(SECONDS)],
            stdout=subprocess.PIPE,
            check=True,
        )
    return json.loads(done.stdout)
