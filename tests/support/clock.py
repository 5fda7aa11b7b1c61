"""A clock that jumps to the next deadline once every task waits."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import pytest
from trio.testing import MockClock


def virtual_backend() -> tuple[str, dict[str, Any]]:
    """Trio on a clock that jumps; what the fixture `anyio_backend` returns."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def virtual_time() -> pytest.MarkDecorator:
    """Run a test on Trio with a clock that jumps, so that deadlines take no real time."""
    return pytest.mark.parametrize("anyio_backend", [virtual_backend()], ids=["virtual"])


async def run_without_thread(work: Callable[..., Any], *args: object, **_: object) -> Any:  # noqa: ANN401 - any work's own
    """Replaces `anyio.to_thread.run_sync`: the clock would jump while a thread works."""
    await anyio.lowlevel.checkpoint()
    result = work(*args)
    # As with a thread: other tasks run meanwhile, and a cancellation does not lose the result.
    await anyio.lowlevel.cancel_shielded_checkpoint()
    return result
