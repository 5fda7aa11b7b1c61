"""Times the callbacks of an event loop: the CPU time and the wall time of each."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

LIMIT: Final = 0.05
"""CPU seconds that one callback may take; a host notices a tenth of a second."""


class CallbackTimer:
    """Times every callback of the loops of this process."""

    def __init__(self) -> None:
        self._timings: list[tuple[float, float, str]] = []

    def install(self) -> None:
        run = asyncio.events.Handle._run  # pyright: ignore[reportPrivateUsage]
        timings = self._timings

        def run_timed(handle: asyncio.Handle) -> None:
            callback: Any = getattr(handle, "_callback", None)
            wall, cpu = time.perf_counter(), time.thread_time()
            run(handle)
            took = time.thread_time() - cpu, time.perf_counter() - wall
            timings.append((*took, _callback_name(callback) if max(took) > LIMIT / 5 else ""))

        asyncio.events.Handle._run = run_timed  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self._timings), "utf-8")


def _callback_name(callback: Any) -> str:  # noqa: ANN401 - any callable
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        frames = task.get_stack(limit=1)
        at = f" at {frames[0].f_code.co_qualname}:{frames[0].f_lineno}" if frames else ""
        return f"{task.get_name()}{at}"
    return str(getattr(callback, "__qualname__", ""))
