"""`get_video_task` over stdio, without waiting and without a picture.

The floor is the SDK's own server, whose tool returns the same result. Both are asked one call
after another, as a host does; the same client speaks to both.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.comparison import Comparison, compare
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.recorded_tasks import finished_task, running_task
from benchmarks.support.stdio import BARE_SERVER, OWN_SERVER, StdioServer, running
from geekai_video_mcp.domain.tasks import Task
from support.ledgers import record_tasks

CALLS: Final = 300
"""Calls of one round."""
RATE: Final = Target(value=0.70, bound="at least")
CPU: Final = Target(value=1.43)
"""What one call may take, if both programs are limited by the processor alone."""
_FLOOR: Final = "an SDK tool that returns the same bytes"


def measure(rounds: int) -> Sequence[Row]:
    """Calls per second and CPU per call, of a finished task and of one that is running."""
    with tempfile.TemporaryDirectory() as folder:
        finished = finished_task(1, file=Path(folder) / "fox.mp4")
        return [
            *_measure_task(finished, "a finished task", rounds),
            *_measure_task(running_task(2), "a running task", rounds),
        ]


def _measure_task(task: Task, state: str, rounds: int) -> Sequence[Row]:
    cpu: dict[StdioServer, list[float]] = {}

    def calls_per_second(server: StdioServer) -> Callable[[], float]:
        def measure_round() -> float:
            began, cpu_began = time.perf_counter(), server.cpu_seconds()
            for _ in range(CALLS):
                _call(server, task)
            cpu.setdefault(server, []).append((server.cpu_seconds() - cpu_began) / CALLS)
            return CALLS / (time.perf_counter() - began)

        return measure_round

    with _servers(task) as (floor, subject):
        rate = compare(
            floor=calls_per_second(floor), subject=calls_per_second(subject), rounds=rounds
        )
    # Without the round of each that is not counted.
    per_call = Comparison(floor=cpu[floor][1:], subject=cpu[subject][1:])
    return [
        ratio_row(
            rate,
            figure=f"status calls per second, of {state}",
            floor=_FLOOR,
            target=RATE,
            details=_both(rate, 1, "per second"),
        ),
        ratio_row(
            per_call,
            figure=f"CPU of a status call, of {state}",
            floor=_FLOOR,
            target=CPU,
            details=_both(per_call, 1e6, "µs"),
        ),
    ]


@contextlib.contextmanager
def _servers(task: Task) -> Generator[tuple[StdioServer, StdioServer]]:
    """The floor and this server, which return the same result to the same call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(record_tasks(folder / "state", task))
        with running(OWN_SERVER, folder=folder) as subject:
            _shake_hands(subject)
            result = folder / "result.json"
            result.write_text(json.dumps(_call(subject, task)), "utf-8")
            with running([*BARE_SERVER, str(result)], folder=folder) as floor:
                _shake_hands(floor)
                _call(floor, task)
                yield floor, subject


def _shake_hands(server: StdioServer) -> None:
    server.initialize()
    server.notify_initialized()


def _call(server: StdioServer, task: Task) -> dict[str, Any]:
    return server.call_tool("get_video_task", task_id=task.id, wait_seconds=0, view="none")


def _both(compared: Comparison, factor: float, unit: str) -> str:
    subject, floor = (sorted(each)[len(each) // 2] for each in (compared.subject, compared.floor))
    return f"{subject * factor:,.0f} and {floor * factor:,.0f} {unit}"
