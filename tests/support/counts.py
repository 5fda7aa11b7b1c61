"""What a call does, counted: the statements that SQLite runs, and the hand-overs to a thread."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio.to_thread
import pytest


class Counts:
    """What was done since the last `clear`."""

    def __init__(self) -> None:
        self.statements = Counter[str]()
        self.thread_hops = 0

    def clear(self) -> None:
        self.statements.clear()
        self.thread_hops = 0


def count_from_now(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Count for every server that is opened from now on."""
    counts, run_sync = Counts(), anyio.to_thread.run_sync

    class CountingConnection(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as SQLite's
            counts.statements[sql] += 1
            return super().execute(sql, *parameters)

        def executemany(self, sql: str, parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as SQLite's
            counts.statements[sql] += len(parameters)
            return super().executemany(sql, parameters)

    async def run_and_count(work: Callable[..., Any], *args: object, **options: Any) -> Any:  # noqa: ANN401 - any work's own
        counts.thread_hops += 1
        return await run_sync(work, *args, **options)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=CountingConnection))
    monkeypatch.setattr(anyio.to_thread, "run_sync", run_and_count)
    return counts
