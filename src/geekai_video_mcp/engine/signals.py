"""Who waits for tasks of this process to change, and how they are notified."""

from collections.abc import Generator
from contextlib import contextmanager

import anyio


class Listener:
    """Whoever waits for tasks to change; made by `ChangeSignals.listen`."""

    def __init__(self) -> None:
        self._changed = anyio.Event()

    def notify(self) -> None:
        """Let `wait` return."""
        self._changed.set()

    async def wait(self) -> None:
        """Return at the next change, or at once if there was one since `wait` last returned."""
        await self._changed.wait()
        self._changed = anyio.Event()


class ChangeSignals:
    """Notifies those who wait for tasks to change; what changed is read from the ledger."""

    def __init__(self) -> None:
        self._listeners: dict[str | None, set[Listener]] = {}

    @contextmanager
    def listen(self, *task_ids: str) -> Generator[Listener]:
        """Listen for changes of these tasks while the block lasts, or of any if none is named.

        Read the tasks inside the block: a change in between is then not missed.
        """
        listener, keys = Listener(), task_ids or (None,)
        for key in keys:
            self._listeners.setdefault(key, set()).add(listener)
        try:
            yield listener
        finally:
            for key in keys:
                self._listeners[key].discard(listener)
                if not self._listeners[key]:
                    del self._listeners[key]

    def notify(self, task_id: str) -> None:
        """Notify those who wait for this task."""
        for key in (task_id, None):
            for listener in self._listeners.get(key, ()):
                listener.notify()

    def notify_all(self) -> None:
        """Notify everyone, where it is not known what has changed."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.notify()
