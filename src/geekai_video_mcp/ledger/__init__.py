"""Every task, durable: a row is written before money is spent, and only a person deletes it.

The one way to change a task is `Ledger.change`: it reads the row, passes it to a function such as
those of `lifecycle`, and writes the result, in one transaction. So two processes that change a task
at the same moment cannot overwrite each other, and a cancelled caller cannot leave half a change
behind. What changes nothing is in `reads`, what each transaction does in `store`, and SQL in
`schema`, `sqlite` and `postgres`. The network, MCP and the rules of when money may be spent may not
enter, and are passed in as functions.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import anyio
import anyio.to_thread

from geekai_video_mcp.domain.admission import Admission, ExistingTasks
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.tasks import Observation, Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger.conversion import Event, EventNotice, TaskCount
from geekai_video_mcp.ledger.database import Database
from geekai_video_mcp.ledger.journal import Journal, JournalEntry
from geekai_video_mcp.ledger.postgres import require_asyncpg
from geekai_video_mcp.ledger.reads import LedgerReads, TaskReader
from geekai_video_mcp.ledger.row_checks import UnreadableRow
from geekai_video_mcp.ledger.sqlite import database_file, filesystem
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase, path_in
from geekai_video_mcp.ledger.sqlite.processes import ProcessRegistry
from geekai_video_mcp.ledger.store import Store
from geekai_video_mcp.quoting import quote

__all__ = ["Admit", "Change", "Event", "EventNotice", "Ledger", "ProcessRegistry", "TaskCount"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Change = Callable[[Task], Task]
Admit = Callable[[ExistingTasks, Budget], Admission]
Release = Callable[[Task, ExistingTasks], Task]


class Ledger(LedgerReads):
    """The record of every task under one state folder, shared by all its processes.

    It is bound to one tenant: nothing of the others can be seen, changed or counted through it.
    """

    def __init__(
        self,
        database: Database,
        *,
        journal: Journal,
        reader: TaskReader | None = None,
        tenant: str = LOCAL_TENANT,
    ) -> None:
        super().__init__(Store(database, tenant=tenant), database, reader=reader)
        self._journal = journal

    @classmethod
    async def open(cls, state_dir: Path) -> Self:
        """Open or create the ledger of *state_dir*, for the operator's own tasks.

        Raises:
            StorageUnavailable: the folder or the file cannot be used.
            LedgerTooNew: a newer version of this server has made or upgraded it.
        """

        def open_files() -> Self:
            database = SqliteDatabase(state_dir)
            is_local = not filesystem.warn_if_remote(state_dir)
            reader = database.open_reader(LOCAL_TENANT) if is_local else None
            return cls(database, journal=Journal(state_dir), reader=reader)

        return await anyio.to_thread.run_sync(open_files)

    @classmethod
    async def open_database(cls, url: str, state_dir: Path) -> Self:
        """Open the ledger in a PostgreSQL database, and create its tables if there are none.

        *state_dir* has the emergency journal of this machine.

        Raises:
            ConfigError: the database cannot be used; it names the variable.
            LedgerTooNew: a newer version of this server has made or upgraded it.
        """
        require_asyncpg()
        from geekai_video_mcp.ledger.postgres.connection import prepare_database
        from geekai_video_mcp.ledger.postgres.database import PostgresDatabase

        await anyio.to_thread.run_sync(database_file.create_folder, state_dir)
        await prepare_database(url)
        database = await PostgresDatabase.open(url)
        return cls(database, journal=await anyio.to_thread.run_sync(Journal, state_dir))

    def of_tenant(self, tenant: str) -> Self:
        """The same ledger for another tenant; nothing is opened, and `close` of either closes it.

        Transactions of all its tenants run one at a time, as those of one do.
        """
        return type(self)(
            self._database,
            journal=self._journal,
            reader=self._reader.of_tenant(tenant) if self._reader is not None else None,
            tenant=tenant,
        )

    def use_clock(self, clock: Callable[[], float]) -> None:
        """Date what is recorded by this clock, instead of by that of this machine."""
        self._database.clock = clock

    @staticmethod
    def exists(state_dir: Path) -> bool:
        """Whether there is a ledger; `open` would create one.

        Raises:
            StorageUnavailable: the folder cannot be read.
        """
        return database_file.exists(path_in(state_dir))

    @staticmethod
    async def exists_in_database(url: str) -> bool:
        """Whether a PostgreSQL database has the ledger; `open_database` would create it.

        Raises:
            ConfigError: the database cannot be used; it names the variable.
        """
        require_asyncpg()
        from geekai_video_mcp.ledger.postgres.check import has_tables

        return await has_tables(url)

    async def close(self) -> None:
        """Close it once the current transaction has ended, for a cancelled caller too."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        await self._database.close()

    async def add(self, task: Task) -> Task:
        """Record a task that was made elsewhere; when this returns, it survives a power cut.

        Returns the task on record: this one, under another id if its own begins like that of
        another task, or the one that another call has recorded for the same task of the provider.

        Raises:
            StorageUnavailable: it is not recorded.
        """
        return await self._run(lambda: self._store.add(task))

    async def admit(
        self,
        task: Task,
        *,
        body: Mapping[str, Any],
        admit: Admit,
        limits: Limits | None,
        quota_bytes: int | None = None,
        fixed_id: bool = False,
    ) -> Admission:
        """Record what the pure function *admit* returns for a new task, in one transaction.

        That is the task as it is from now on, which may be claimed already, and what is left of
        the request budget that all processes share; or an earlier task, and nothing is recorded.
        *body* is the request as it is to be sent. *limits* and *quota_bytes* are the caps, and
        only what they need is counted. With *fixed_id*, the task's id may begin like that of
        another task.

        Raises:
            ShortIdTaken: it needs another id; it is not recorded.
            StorageUnavailable: it is not recorded.
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            GeekAIVideoError: raised by *admit*; the task is not recorded.
        """
        return await self._run(
            lambda: self._store.admit(
                task, body, admit, limits=limits, quota_bytes=quota_bytes, fixed_id=fixed_id
            )
        )

    async def add_film(self, film: Task, choose: Callable[[Sequence[Task]], Task]) -> Task:
        """Record a film if the function *choose* returns it, in one transaction; return its choice.

        *choose* is given the films of the same parts that have not failed, newest first. It runs
        on a worker thread, and may look for their files.

        Raises:
            ShortIdTaken: the film needs another id; it is not recorded.
            StorageUnavailable: it is not recorded.
        """
        return await self._run(lambda: self._store.add_film(film, choose))

    async def release(
        self,
        task_id: str,
        *,
        body: Mapping[str, Any],
        release: Release,
        limits: Limits | None,
        at: float,
    ) -> Task:
        """Replace a waiting task by what the pure function *release* returns for it.

        If it is to be sent now, *body* is stored as what is sent. One transaction, refused
        whenever `admit` would be, so that only one process sends it and no cap is exceeded.

        Raises:
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            StorageUnavailable: the change is not recorded.
            KeyError: there is no such task.
        """
        return await self._run(
            lambda: self._store.release(task_id, body, release, limits=limits, at=at)
        )

    async def change(self, task_id: str, change: Change) -> Task:
        """Replace the task by what *change* returns for it; return the new one.

        *change* runs inside the transaction, and must not wait: with SQLite on a worker thread, and
        with PostgreSQL in the event loop.

        Raises:
            StorageUnavailable: the change is not recorded.
            KeyError: there is no such task.
        """
        return await self._run(lambda: self._store.change(task_id, change))

    async def change_all(self, changes: Sequence[tuple[str, Change]]) -> list[Task | Exception]:
        """`change` for several tasks in one transaction; what becomes of each, in their order.

        A change that cannot be made or recorded is that one's exception, and the others are
        recorded all the same.

        Raises:
            StorageUnavailable: none of them is recorded.
        """
        return await self._run(lambda: self._store.change_all(changes))

    async def take_leases(
        self, task_ids: Sequence[str], take: Change
    ) -> list[Task | Exception | None]:
        """`change_all` with *take* for each, but without a wait for tasks that others change now.

        What becomes of such a task is None: nothing is known of it, and it may be tried again. So
        processes that share the tasks of one that has ended do not wait for each other.

        Raises:
            StorageUnavailable: none of them is recorded.
        """
        return await self._run(lambda: self._store.take_leases(task_ids, take))

    async def claim(self, task_id: str, change: Change) -> Task:
        """`change`, for the right to send the task's request; refused whenever `admit` would be.

        Raises:
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            StorageUnavailable: the change is not recorded.
            KeyError: there is no such task.
        """
        return await self._run(lambda: self._store.claim(task_id, change))

    async def record_outcome(
        self, task_id: str, observation: Observation, *, lease: Change | None = None
    ) -> Task:
        """Record the outcome of a submission; if that cannot be done, write it to the journal.

        It cannot if the disk refuses, or if the process stops while others hold the ledger. *lease*
        is a change of the task after that in the same transaction, with which this process begins
        to watch it; the journal does without.

        Raises:
            StorageUnavailable: it is not in the ledger. It is in the journal, or the log says
                that this failed as well.
            KeyError: there is no such task.
        """

        def advance_and_lease(task: Task) -> Task:
            advanced = advance(task, observation)
            return advanced if lease is None else lease(advanced)

        try:
            return await self.change(task_id, advance_and_lease)
        except (StorageUnavailable, anyio.get_cancelled_exc_class()):
            # A cancelled scope starts no thread. The shield ends with one write of the disk.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._journal.write, task_id, observation)
            raise

    async def replay_journal(self) -> None:
        """Move the outcomes in the journal to the ledger, those of all tenants.

        An entry is of the task with its id, whoever's that is: the journal is the operator's, and
        an outcome that may have been paid for must not wait until its tenant comes back.

        Raises:
            StorageUnavailable: the disk still refuses; the journal keeps them.
        """
        for entry in await anyio.to_thread.run_sync(self._journal.pending):
            try:
                await self._replay(entry)
            except KeyError:  # the ledger file was replaced
                logger.warning(
                    "the emergency journal has an outcome for task %s, which GeekAI calls %s, and"
                    " the task database has no such task",
                    quote(entry.task_id, limit=64),
                    quote(str(entry.observation.provider_task_id)),
                )
            except StorageUnavailable as exc:
                if isinstance(exc.__cause__, UnreadableRow):
                    continue  # this row alone is damaged: the others must not wait for its repair
                raise
            await anyio.to_thread.run_sync(self._journal.forget, entry)

    async def _replay(self, entry: JournalEntry) -> None:
        tenant = await self._run(lambda: self._store.tenant_of(entry.task_id))
        ledger = self if tenant in {None, self.tenant} else self.of_tenant(str(tenant))
        await ledger.change(entry.task_id, partial(advance, observation=entry.observation))

    async def purge(self, task_ids: Sequence[str], *, may_go: Callable[[Task], bool]) -> list[str]:
        """Delete these tasks with their events, stored requests and entries of the journal.

        Only those of which *may_go* says so, in the same transaction; returns their ids. What they
        held may still be found in the file until `compact` has written it anew.

        Raises:
            StorageUnavailable: none of them is deleted.
        """
        purged = await self._run(lambda: self._store.purge(task_ids, may_go))
        for entry in await anyio.to_thread.run_sync(self._journal.pending):
            if entry.task_id in purged:
                await anyio.to_thread.run_sync(self._journal.forget, entry)
        return purged

    async def compact(self) -> None:
        """Write the file anew, without what was deleted; every other process waits meanwhile.

        Raises:
            StorageUnavailable: another process holds it, or there is no room for a copy.
        """
        await self._run(self._store.compact)

    async def assign_provider_id(
        self, task_id: str, provider_task_id: str, change: Callable[[Task, Task | None], Task]
    ) -> Task:
        """Change a task, given also the other task of its account with *provider_task_id*, if any.

        One transaction, so that no two tasks are ever given the same id. What the pure function
        *change* raises is raised here, and nothing is changed.
        """
        return await self._run(
            lambda: self._store.assign_provider_id(task_id, provider_task_id, change)
        )

    async def supersede(
        self,
        task_id: str,
        change: Callable[[Task], tuple[Task, Task]],
        check: Callable[[Task, ExistingTasks], None],
        *,
        limits: Limits | None,
        body: Mapping[str, Any] | None = None,
    ) -> Task:
        """Change a task and record its successor, both or neither; return the successor.

        *body* is the request as it is to be sent, in case the ledger has it no longer. What the
        pure functions *change* and *check* raise is raised here, and nothing is changed.

        Raises:
            ShortIdTaken: the successor needs another id; nothing is changed.
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
        """
        return await self._run(
            lambda: self._store.supersede(task_id, change, check, limits=limits, body=body)
        )

    async def update_budget(self, account: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        """Replace the request budget that all processes share by what *change* returns.

        *change* is pure; its second result is returned.

        Raises:
            StorageUnavailable: the change is not recorded.
        """
        return await self._run(lambda: self._store.update_budget(account, change))
