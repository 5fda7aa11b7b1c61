"""The store of one SQLite file, without an event loop: for scripts and for tests of one thread."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from geekai_video_mcp.ledger.sqlite.worker import run_to_end
from geekai_video_mcp.ledger.store import Store


class SyncStore:
    """Every method of `Store`, run to its end."""

    def __init__(self, state_dir: Path) -> None:
        self.database: Final = SqliteDatabase(state_dir)
        self._store: Final = Store(self.database)

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file, for what no statement of the store does."""
        return self.database._connection  # pyright: ignore[reportPrivateUsage]

    def close(self) -> None:
        self.connection.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        return lambda *args, **options: run_to_end(method(*args, **options))
