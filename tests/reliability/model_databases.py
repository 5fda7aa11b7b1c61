"""The databases on which the model's processes work: a file for each run, or PostgreSQL.

Nothing here waits in more than one place at a time, so a whole run is one thread.
"""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg

from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.ledger.journal import Journal
from geekai_video_mcp.ledger.postgres.database import PostgresDatabase
from geekai_video_mcp.ledger.store import Store
from support.postgres import create_database
from support.sync_store import SyncStore

WRITES: Final = (
    *(("task", "UPDATE"), ("task", "INSERT"), ("event", "INSERT")),
    *(("body", "UPDATE"), ("body", "INSERT"), ("budget", "INSERT")),
)
REFUSE_WRITE: Final = """
    CREATE TRIGGER full_{table}_{verb} BEFORE {verb} ON {table}
    BEGIN SELECT RAISE(ABORT, 'disk full'); END
"""
REFUSE_WRITE_IN_POSTGRES: Final = """
    CREATE TRIGGER full_{table}_{verb} BEFORE {verb} ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_write()
"""
REFUSAL: Final = """
    CREATE OR REPLACE FUNCTION refuse_write() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; END $$
"""

T = TypeVar("T")
Row = Mapping[str, Any]


class OpenStore(ABC):
    """The database of one process of the model, with every method of `Store`, run to its end."""

    ledger: Ledger

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def __getattr__(self, name: str) -> Callable[..., Any]: ...


class ModelDatabase(ABC):
    """What the processes of one run share, and how the model reads it."""

    @abstractmethod
    def open_store(self, journal: Journal) -> OpenStore: ...

    @abstractmethod
    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine over the ledger of one of the stores."""

    @abstractmethod
    def select(self, statement: str) -> Sequence[Row]: ...

    @abstractmethod
    def fill(self) -> None:
        """Refuse every write from now on, as a full disk does."""

    @abstractmethod
    def free(self) -> None: ...

    @abstractmethod
    def problems(self) -> Iterable[str]:
        """What the database says is wrong with itself."""

    @abstractmethod
    def close(self) -> None: ...


class SynchronousLedger(Ledger):
    """The ledger without its worker threads: each transaction runs in the caller."""

    async def _run(self, transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await transaction()


class FileStore(OpenStore):
    """A connection to the file. It does not sync: the model tests orders, not power failures."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._store = SyncStore(folder)
        self._store.connection.execute("PRAGMA synchronous=OFF")
        self.ledger = SynchronousLedger(self._store.database, journal=journal)

    def close(self) -> None:
        self._store.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return getattr(self._store, name)


class FileDatabase(ModelDatabase):
    """A file in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        FileStore(folder, Journal(folder)).close()
        self._reader = sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)
        self._reader.row_factory = sqlite3.Row

    def open_store(self, journal: Journal) -> OpenStore:
        return FileStore(self._folder, journal)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        coroutine.close()
        raise AssertionError("the coroutine waits")

    def select(self, statement: str) -> Sequence[Row]:
        return [dict(row) for row in self._reader.execute(statement)]

    def fill(self) -> None:
        for table, verb in WRITES:
            self._reader.execute(REFUSE_WRITE.format(table=table, verb=verb))

    def free(self) -> None:
        for table, verb in WRITES:
            self._reader.execute(f"DROP TRIGGER full_{table}_{verb}")

    def problems(self) -> Iterable[str]:
        found = [row[0] for row in self._reader.execute("PRAGMA integrity_check")]
        return [each for each in found if each != "ok"]

    def close(self) -> None:
        self._reader.close()


class PostgresStore(OpenStore):
    """A pool of its own for each process."""

    def __init__(self, server: "PostgresServer", journal: Journal) -> None:
        self._server = server
        self._database = server.run(PostgresDatabase.open(server.url))
        self._store = Store(self._database)
        self.ledger = Ledger(self._database, journal=journal)

    def close(self) -> None:
        self._server.run(self._database.close())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        return lambda *args, **options: self._server.run(method(*args, **options))


class PostgresServer(ModelDatabase):
    """One database for all runs of this process, emptied before each of them."""

    def __init__(self, server: str, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self.url = self._runner.run(create_database(server))
        ledger = self._runner.run(Ledger.open_database(self.url, folder))
        self._runner.run(ledger.close())
        self._reader: asyncpg.Connection[Any] = self._runner.run(asyncpg.connect(self.url))
        self._execute("SET search_path = geekai_video")
        self._execute(REFUSAL)

    def empty(self) -> None:
        self._execute("TRUNCATE task, event, body, budget")

    def open_store(self, journal: Journal) -> OpenStore:
        return PostgresStore(self, journal)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def select(self, statement: str) -> Sequence[Row]:
        return [dict(row) for row in self._runner.run(self._reader.fetch(statement))]

    def fill(self) -> None:
        for table, verb in WRITES:
            self._execute(REFUSE_WRITE_IN_POSTGRES.format(table=table, verb=verb))

    def free(self) -> None:
        for table, verb in WRITES:
            self._execute(f"DROP TRIGGER full_{table}_{verb} ON {table}")

    def problems(self) -> Iterable[str]:
        return ()

    def close(self) -> None:
        """Nothing to do: the next run has it."""

    def _execute(self, statement: str) -> None:
        self._runner.run(self._reader.execute(statement))
