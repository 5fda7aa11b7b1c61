"""Which processes are alive: what the engine needs to know of the others on the same ledger."""

from collections.abc import Iterable
from typing import Protocol


class Processes(Protocol):
    """This process and all others that use the ledger."""

    @property
    def own_id(self) -> str:
        """The id by which a task names this process as its owner or as the holder of its lease."""
        ...

    def is_alive(self, process_id: str) -> bool:
        """Whether the process with this id still runs; in doubt it does. Never blocks for long."""
        ...

    def ensure_own_lock(self) -> None:
        """See that the other processes take this one for alive.

        Raises:
            StorageUnavailable: they do not, and may take over its tasks.
        """
        ...

    async def refresh(self, about: Iterable[str] = ()) -> None:
        """Find out anew who is alive; before a search for the tasks of those who are not.

        After it no process of *about* is in doubt, unless nobody can be asked.
        """
        ...

    async def wait_for_end(self) -> None:
        """Return when another process is found to have ended; never, where nothing is told of it.

        Whoever waits looks by himself from time to time as well.
        """
        ...
