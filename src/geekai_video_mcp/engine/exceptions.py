"""Unexpected exceptions in background work, described by class and place alone.

Their text is never repeated: it may hold a prompt or a link.
"""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

logger = logging.getLogger(__name__)


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
