"""Unexpected exceptions in background work, described by class and place alone.

Their text is never repeated: it may hold a prompt or a link.
"""

import logging
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

logger = logging.getLogger(__name__)

Job = Callable[..., Coroutine[Any, Any, None]]


async def run_guarded(job: Job, *args: object) -> None:
    """Run *job*; an unexpected error ends it alone, and the next sweep starts it again.

    The log names the error's class and place: its message may hold a prompt or a link.
    """
    try:
        await job(*args)
    except Exception as exc:  # noqa: BLE001 - an error in one task must not end all the others
        log_exception(job, exc)


def log_exception(job: Callable[..., Any], exc: Exception) -> None:
    """Log that *job* has failed."""
    logger.error("%s failed: %s", getattr(job, "__qualname__", "a job"), describe_exception(exc))


def describe_exception(exc: BaseException) -> str:
    """The class of the exception and the line that raised it; of a group, of its first member."""
    while isinstance(exc, BaseExceptionGroup):
        exc = cast("BaseExceptionGroup[BaseException]", exc).exceptions[0]
    frames = traceback.extract_tb(exc.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(exc).__name__}{place}"
