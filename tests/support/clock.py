"""Time that jumps to the next deadline once everything waits."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import pytest
from trio.testing import MockClock


def virtual_time() -> pytest.MarkDecorator:
    """Trio on a clock that jumps: a deadline is reached without waiting for it."""
    clock = MockClock(autojump_threshold=0)
    return pytest.mark.parametrize("anyio_backend", [("trio", {"clock": clock})], ids=["virtual"])


async def in_place(work: Callable[..., Any], *args: object, **_: object) -> Any:  # noqa: ANN401 - any work's own
    """For `anyio.to_thread.run_sync`: the clock would jump over a thread that works."""
    await anyio.lowlevel.checkpoint()
    done = work(*args)
    # As with a thread: others go on meanwhile, and no cancelling takes the result away.
    await anyio.lowlevel.cancel_shielded_checkpoint()
    return done
