"""Records that callers were shown how their tasks ended."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import anyio

from geekai_video_mcp.domain.lifecycle import mark_delivered
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import StorageUnavailable

LEDGER_TIMEOUT: Final = 1.0
"""Seconds that a call may wait for the ledger beyond its own end."""


class DeliveryRecorder:
    """Records deliveries, each in the background."""

    def __init__(self, context: EngineContext, *, start: Callable[..., None]) -> None:
        self._context = context
        self._start = start

    async def record_delivery(self, *tasks: Task) -> None:
        """Record that a caller was shown how they ended: repeats are new requests from now on.

        It is recorded in the background, because a transaction cannot be abandoned: while another
        process holds the ledger, the caller waits `LEDGER_TIMEOUT` and not for that process. If
        it is never recorded, a repeat finds the task once more.
        """
        ended = [task for task in tasks if task.settled and task.delivered_at is None]
        if not ended:
            return
        at, recorded = self._context.clock(), anyio.Event()

        async def record() -> None:
            try:
                for task in ended:
                    with suppress(StorageUnavailable):
                        await self._context.ledger.change(task.id, partial(mark_delivered, at=at))
            finally:
                recorded.set()

        self._start(record)
        with anyio.move_on_after(LEDGER_TIMEOUT):
            await recorded.wait()
