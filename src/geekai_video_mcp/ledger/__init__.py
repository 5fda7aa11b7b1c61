"""Every task, durable: a row is written before money is spent, and never deleted.

The one way to change a task is `Ledger.change`: it reads the row, passes it to a function such
as those of `lifecycle`, and writes the result, in one transaction on a worker thread. So two
processes that change a task at the same moment cannot overwrite each other, and a cancelled
caller cannot leave half a change behind. SQL stays in `schema`, `sqlite` and `database`; the
network, MCP and the rules of when money may be spent may not enter, and are passed in as functions.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import anyio
import anyio.to_thread

from geekai_video_mcp.domain.admission import Admission, ExistingTasks
from geekai_video_mcp.domain.leases import Lease
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import MIN_DIGITS, id_prefix
from geekai_video_mcp.domain.task_lookup import CANDIDATES_SHOWN, pick_candidate
from geekai_video_mcp.domain.task_search import TaskQuery
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
)
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import database_file, filesystem
from geekai_video_mcp.ledger.database import path_in
from geekai_video_mcp.ledger.journal import Journal
from geekai_video_mcp.ledger.processes import ProcessRegistry
from geekai_video_mcp.ledger.row_checks import UnreadableRow
from geekai_video_mcp.ledger.schema import Event, EventNotice
from geekai_video_mcp.ledger.sqlite import Store
from geekai_video_mcp.quoting import quote

__all__ = ["Admit", "Change", "Event", "EventNotice", "Ledger", "ProcessRegistry"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Change = Callable[[Task], Task]
Admit = Callable[[ExistingTasks, Budget], Admission]
Release = Callable[[Task, ExistingTasks], Task]


class Ledger:
    """The record of every task under one state folder, shared by all its processes."""

    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        # An SQLite connection runs one transaction at a time; callers wait in order of arrival.
        self._limiter = anyio.CapacityLimiter(1)

    @classmethod
    async def open(cls, state_dir: Path) -> Self:
        """Open or create the ledger of *state_dir*.

        Raises:
            StorageUnavailable: the folder or the file cannot be used.
            LedgerTooNew: a newer version of this server has made or upgraded it.
        """

        def open_files() -> Self:
            store = Store(state_dir)
            filesystem.warn_if_remote(state_dir)
            return cls(store, Journal(state_dir))

        return await anyio.to_thread.run_sync(open_files)

    @staticmethod
    def exists(state_dir: Path) -> bool:
        """Whether there is a ledger; `open` would create one.

        Raises:
            StorageUnavailable: the folder cannot be read.
        """
        return database_file.exists(path_in(state_dir))

    async def close(self) -> None:
        """Close the file once the current transaction has ended, for a cancelled caller too."""
        # Most lifespans end by cancellation, and a cancelled scope starts no thread. The shield
        # needs no time limit: a transaction ends by itself, at the latest after `BUSY_TIMEOUT`.
        with anyio.CancelScope(shield=True):
            await self._run_in_worker(self._store.close)

    async def add(self, task: Task) -> Task:
        """Record a task that was made elsewhere; when this returns, it survives a power cut.

        Returns the task on record: this one, under another id if its own begins like that of
        another task, or the one that another call has recorded for the same task of the provider.

        Raises:
            StorageUnavailable: it is not recorded.
        """
        return await self._run_in_worker(lambda: self._store.add(task))

    async def admit(
        self, task: Task, *, body: Mapping[str, Any], admit: Admit, fixed_id: bool = False
    ) -> Admission:
        """Record what the pure function *admit* returns for a new task, in one transaction.

        That is the task as it is from now on, which may be claimed already, and what is left of
        the request budget that all processes share; or an earlier task, and nothing is recorded.
        *body* is the request as it is to be sent. With *fixed_id*, the task's id may begin like
        that of another task.

        Raises:
            ShortIdTaken: it needs another id; it is not recorded.
            StorageUnavailable: it is not recorded.
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            GeekAIVideoError: raised by *admit*; the task is not recorded.
        """
        return await self._run_in_worker(
            lambda: self._store.admit(task, body, admit, fixed_id=fixed_id)
        )

    async def add_film(self, film: Task, choose: Callable[[Sequence[Task]], Task]) -> Task:
        """Record a film if the function *choose* returns it, in one transaction; return its choice.

        *choose* is given the films of the same parts that have not failed, newest first. It runs
        on a worker thread, and may look for their files.

        Raises:
            ShortIdTaken: the film needs another id; it is not recorded.
            StorageUnavailable: it is not recorded.
        """
        return await self._run_in_worker(lambda: self._store.add_film(film, choose))

    async def request_body(self, task: Task) -> Mapping[str, Any]:
        """The request of the task as it is to be sent; its images are stored until it is answered.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        return await self._run_in_worker(lambda: self._store.request_body(task))

    async def existing_for(
        self, task: Task, body: Mapping[str, Any] | None = None
    ) -> ExistingTasks:
        """What `admit` would pass to its function for this task now; nothing is recorded.

        *body* is the request as it would be sent.
        """
        return await self._run_in_worker(lambda: self._store.existing_for(task, body))

    async def release(
        self, task_id: str, *, body: Mapping[str, Any], release: Release, at: float
    ) -> Task:
        """Replace a waiting task by what the pure function *release* returns for it.

        If it is to be sent now, *body* is stored as what is sent. One transaction, refused
        whenever `admit` would be, so that only one process sends it and no cap is exceeded.

        Raises:
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            StorageUnavailable: the change is not recorded.
            KeyError: there is no such task.
        """
        return await self._run_in_worker(lambda: self._store.release(task_id, body, release, at=at))

    async def find(self, task_id: str) -> Task | None:
        """The task with this id, ours or the provider's."""
        return await self._run_in_worker(lambda: self._store.find(task_id))

    async def find_by_any_id(self, text: str, *, minimum: int = MIN_DIGITS) -> Task | None:
        """The task that *text* names: its id, the provider's, or the beginning of its id.

        A whole id comes before a beginning. *minimum* is the number of digits that a beginning
        must have; case does not matter in it.

        Raises:
            TaskNotFound: it is the beginning of several ids, or too short; it names the tasks.
        """
        found, prefix = await self.find(text.strip()), id_prefix(text)
        if found is not None or prefix is None:
            return found
        candidates = await self.find_by_prefix(prefix, limit=CANDIDATES_SHOWN + 1)
        return pick_candidate(prefix, candidates, minimum=minimum) if candidates else None

    async def change(self, task_id: str, change: Change) -> Task:
        """Replace the task by what *change* returns for it; return the new one.

        *change* runs inside the transaction, on a worker thread, and must not wait.

        Raises:
            StorageUnavailable: the change is not recorded.
            KeyError: there is no such task.
        """
        return await self._run_in_worker(lambda: self._store.change(task_id, change))

    async def change_all(self, changes: Sequence[tuple[str, Change]]) -> list[Task | Exception]:
        """`change` for several tasks in one transaction; what becomes of each, in their order.

        A change that cannot be made or recorded is that one's exception, and the others are
        recorded all the same.

        Raises:
            StorageUnavailable: none of them is recorded.
        """
        return await self._run_in_worker(lambda: self._store.change_all(changes))

    async def claim(self, task_id: str, change: Change) -> Task:
        """`change`, for the right to send the task's request; refused whenever `admit` would be.

        Raises:
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
            StorageUnavailable: the change is not recorded.
            KeyError: there is no such task.
        """
        return await self._run_in_worker(lambda: self._store.claim(task_id, change))

    async def record_outcome(
        self, task_id: str, observation: Observation, *, lease: Change | None = None
    ) -> Task:
        """Record the outcome of a submission; if the disk refuses, write it to the journal.

        *lease* is a change of the task after that in the same transaction, with which this process
        begins to watch it; the journal does without.

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
        except StorageUnavailable:
            await self._run_in_worker(lambda: self._journal.write(task_id, observation))
            raise

    async def replay_journal(self) -> None:
        """Move the outcomes in the journal to the ledger.

        Raises:
            StorageUnavailable: the disk still refuses; the journal keeps them.
        """
        for entry in await self._run_in_worker(self._journal.pending):
            try:
                await self.change(entry.task_id, partial(advance, observation=entry.observation))
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
            await self._run_in_worker(partial(self._journal.forget, entry))

    async def assign_provider_id(
        self, task_id: str, provider_task_id: str, change: Callable[[Task, Task | None], Task]
    ) -> Task:
        """Change a task, given also the other task of its account with *provider_task_id*, if any.

        One transaction, so that no two tasks are ever given the same id. What the pure function
        *change* raises is raised here, and nothing is changed.
        """
        return await self._run_in_worker(
            lambda: self._store.assign_provider_id(task_id, provider_task_id, change)
        )

    async def supersede(
        self,
        task_id: str,
        change: Callable[[Task], tuple[Task, Task]],
        check: Callable[[Task, ExistingTasks], None],
        *,
        body: Mapping[str, Any] | None = None,
    ) -> Task:
        """Change a task and record its successor, both or neither; return the successor.

        *body* is the request as it is to be sent, in case the ledger has it no longer. What the
        pure functions *change* and *check* raise is raised here, and nothing is changed.

        Raises:
            ShortIdTaken: the successor needs another id; nothing is changed.
            LedgerTooNew: a newer version of this server has upgraded the ledger meanwhile.
        """
        return await self._run_in_worker(
            lambda: self._store.supersede(task_id, change, check, body=body)
        )

    async def list_tasks(
        self,
        *,
        limit: int,
        statuses: Collection[Status] = (),
        before: str | None = None,
        query: str | None = None,
        since: float | None = None,
    ) -> list[Task]:
        """A page of tasks, newest first: of *statuses*, or of all if none is named.

        *before* is the id of the last task of the page before, and *since* the time, in Unix
        seconds, before which no task of the page was created. *query* is described by
        `task_search.TaskQuery`.
        """
        wanted = TaskQuery.parse(query) if query is not None else None
        if wanted is None:
            return await self._run_in_worker(
                lambda: self._store.list_tasks(
                    limit=limit, statuses=statuses, before=before, since=since
                )
            )
        tasks, last = list[Task](), before
        while len(tasks) < limit:
            search = partial(
                self._store.search_tasks,
                limit=limit - len(tasks),
                statuses=statuses,
                before=last,
                since=since,
                matches=wanted.matches,
            )
            found, last = await self._run_in_worker(search)
            tasks += found
            if last is None:
                break
        return tasks

    async def find_by_prefix(self, prefix: str, *, limit: int) -> list[Task]:
        """The tasks whose id begins with *prefix*."""
        return await self._run_in_worker(lambda: self._store.find_by_prefix(prefix, limit=limit))

    async def events(self, task_id: str) -> list[Event]:
        """The events of the task with this id of ours, oldest first."""
        return await self._run_in_worker(lambda: self._store.events(task_id))

    async def last_event_id(self) -> int:
        """The id of the newest event of any task; 0 if there is none."""
        return await self._run_in_worker(self._store.last_event_id)

    async def events_after(self, *, after: int) -> list[EventNotice]:
        """The events of all tasks, by any process, with an id greater than *after*, in order."""
        return await self._run_in_worker(lambda: self._store.events_after(after))

    async def unfinished_of_other_accounts(self, account: str) -> list[Task]:
        """The unfinished tasks of all other services and keys."""
        return await self._run_in_worker(lambda: self._store.unfinished_of_other_accounts(account))

    async def unfinished(self, account: str) -> list[Task]:
        """The tasks of this service and key that a server still has to work on."""
        return await self._run_in_worker(lambda: self._store.unfinished(account))

    async def unsent(self, account: str) -> list[Task]:
        """The tasks of this service and key whose request has not been answered."""
        return await self._run_in_worker(lambda: self._store.unsent(account))

    async def leases_of_others(self, account: str, *, holder: str, at: float) -> list[Lease]:
        """The leases of all tasks to be polled or downloaded, except those of *holder*.

        Among them are the tasks that nobody holds, and those whose lease by *holder* has expired.
        """
        return await self._run_in_worker(
            lambda: self._store.leases_of_others(account, holder=holder, at=at)
        )

    async def retryable_downloads(self, account: str, *, since: float) -> list[Task]:
        """The tasks finished after *since* whose link was given away and may still be fetched."""
        return await self._run_in_worker(
            lambda: self._store.retryable_downloads(account, since=since)
        )

    async def update_budget(self, account: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        """Replace the request budget that all processes share by what *change* returns.

        *change* is pure; its second result is returned.

        Raises:
            StorageUnavailable: the change is not recorded.
        """
        return await self._run_in_worker(lambda: self._store.update_budget(account, change))

    async def _run_in_worker(self, transaction: Callable[[], T]) -> T:
        # Never abandoned on cancel: a transaction ends before its caller does.
        return await anyio.to_thread.run_sync(transaction, limiter=self._limiter)
