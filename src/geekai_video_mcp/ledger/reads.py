"""What is asked of the ledger: nothing here changes it.

A read of a single task is done at once where nothing can make it wait, and every other one as the
database runs its transactions.
"""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar

import anyio

from geekai_video_mcp.domain.admission import ExistingTasks
from geekai_video_mcp.domain.leases import Lease
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.storage import StorageUse
from geekai_video_mcp.domain.task_ids import MIN_DIGITS, id_prefix
from geekai_video_mcp.domain.task_lookup import CANDIDATES_SHOWN, pick_candidate
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.domain.task_search import TaskQuery
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.ledger.conversion import Event, EventNotice, TaskCount
from geekai_video_mcp.ledger.database import Database
from geekai_video_mcp.ledger.store import Store

T = TypeVar("T")


class NotAtOnce(Exception):
    """The tasks cannot be read without waiting, or not at all."""


class TaskReads(Protocol):
    """Reads of single tasks: by the store, or at once where the database can do that."""

    async def find(self, task_id: str) -> Task | None: ...
    async def find_by_prefix(self, prefix: str, *, limit: int) -> list[Task]: ...


class TaskReader(TaskReads, Protocol):
    """Reads single tasks without waiting; whatever it cannot read, the store does.

    Its coroutines raise `NotAtOnce` and wait for nothing.
    """

    def of_tenant(self, tenant: str) -> "TaskReader":
        """The same reader, for the tasks of another tenant; it is closed with this one."""
        ...

    def close(self) -> None: ...


class LedgerReads:
    """The record of every task of one tenant under one state folder, to be read."""

    def __init__(self, store: Store, database: Database, *, reader: TaskReader | None) -> None:
        self._store = store
        self._database = database
        self._reader = reader
        """Without one, every read is a transaction's."""

    @property
    def tenant(self) -> str:
        """Whose tasks are seen and changed: for everything here there are no others."""
        return self._store.tenant

    async def request_body(self, task: Task) -> Mapping[str, Any]:
        """The request of the task as it is to be sent; its images are stored until it is answered.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        return await self._run(lambda: self._store.request_body(task))

    async def existing_for(
        self,
        tasks: Sequence[tuple[Task, Mapping[str, Any]]],
        *,
        limits: Limits | None,
        quota_bytes: int | None = None,
    ) -> list[ExistingTasks]:
        """What `admit` would pass to its function for each of these tasks, all of it at one moment.

        With each task goes its request as it would be sent. Nothing is recorded, and no other
        process is kept from recording.
        """
        return await self._run(
            lambda: self._store.existing_for(tasks, limits=limits, quota_bytes=quota_bytes)
        )

    async def find(self, task_id: str, *, max_seconds: float | None = None) -> Task | None:
        """The task with this id, ours or the provider's.

        Raises:
            TimeoutError: the ledger was not free for *max_seconds*.
        """
        return await self._read(lambda tasks: tasks.find(task_id), max_seconds)

    async def find_by_any_id(
        self, text: str, *, minimum: int = MIN_DIGITS, max_seconds: float | None = None
    ) -> Task | None:
        """The task that *text* names: its id, the provider's, or the beginning of its id.

        A whole id comes before a beginning. *minimum* is the number of digits that a beginning
        must have; case does not matter in it.

        Raises:
            TaskNotFound: it is the beginning of several ids, or too short; it names the tasks.
            TimeoutError: the ledger was not free for *max_seconds*.
        """

        async def find(tasks: TaskReads) -> Task | None:
            found = await tasks.find(text.strip())
            if found is not None or (prefix := id_prefix(text)) is None:
                return found
            candidates = await tasks.find_by_prefix(prefix, limit=CANDIDATES_SHOWN + 1)
            return pick_candidate(prefix, candidates, minimum=minimum) if candidates else None

        return await self._read(find, max_seconds)

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
            return await self._run(
                lambda: self._store.list_tasks(
                    limit=limit, statuses=statuses, before=before, since=since
                )
            )
        tasks, last, at_once = list[Task](), before, limit
        while len(tasks) < limit:
            at_once *= 2  # many tasks have a common word, and few a rare one
            search = partial(
                self._store.search_tasks,
                limit=limit - len(tasks),
                at_once=at_once,
                statuses=statuses,
                before=last,
                since=since,
                matches=wanted.matches,
            )
            found, last = await self._run(search)
            tasks += found
            if last is None:
                break
        return tasks

    async def list_records(
        self, *, limit: int, before: str | None = None, since: float | None = None
    ) -> list[TaskRecord]:
        """A page of the records of all tasks, newest first; see `list_tasks`."""
        return await self._run(
            lambda: self._store.list_records(limit=limit, before=before, since=since)
        )

    async def find_by_prefix(self, prefix: str, *, limit: int) -> list[Task]:
        """The tasks whose id begins with *prefix*."""
        return await self._run(lambda: self._store.find_by_prefix(prefix, limit=limit))

    async def events(self, task_id: str) -> list[Event]:
        """The events of the task with this id of ours, oldest first."""
        return await self._run(lambda: self._store.events(task_id))

    async def event_cursor(self) -> str:
        """The cursor behind all events of now."""
        return await self._run(self._store.event_cursor)

    async def events_after(self, cursor: str) -> list[EventNotice]:
        """The events of all tasks, by any process, that a read at *cursor* has not shown.

        Each has the cursor for who goes on behind it, and may be shown again, but never missed.
        """
        return await self._run(lambda: self._store.events_after(cursor))

    async def unfinished_of_other_accounts(self, account: str) -> list[Task]:
        """The unfinished tasks of all other services and keys."""
        return await self._run(lambda: self._store.unfinished_of_other_accounts(account))

    def check_writable(self, *, max_seconds: float) -> None:
        """Write something that changes nothing, over a connection of its own; blocks.

        Raises:
            StorageUnavailable: that is not possible, or others have it for as long.
        """
        self._database.check_writable(max_seconds=max_seconds)

    async def count_open_tasks(self) -> list[TaskCount]:
        """How many tasks a server still has to work on, and how many are of unknown outcome.

        By tenant and status; the operator's own read, for whoever monitors the server.
        """
        return await self._run(self._store.count_open_tasks)

    async def tenants_with_unfinished_work(
        self, *, since: float | None = None
    ) -> Mapping[str, Sequence[str]]:
        """Whose tasks a server still has to work on, and of which services and keys.

        With *since*, those as well whose `retryable_downloads` are not empty. The operator's own
        read, for the start of a server: the one that looks beyond the tenant.
        """
        return await self._run(lambda: self._store.unfinished_tenants(since=since))

    async def tenants_with_old_files(self, *, before: float) -> Sequence[str]:
        """Who has a stored file of a task that ended before *before*; the operator's own read."""
        return await self._run(lambda: self._store.tenants_with_old_files(before=before))

    async def unfinished(self, account: str) -> list[Task]:
        """The tasks of this service and key that a server still has to work on."""
        return await self._run(lambda: self._store.unfinished(account))

    async def unsent(self, account: str) -> list[Task]:
        """The tasks of this service and key whose request has not been answered."""
        return await self._run(lambda: self._store.unsent(account))

    async def leases_of_others(self, account: str, *, holder: str, at: float) -> list[Lease]:
        """The leases of all tasks to be polled or downloaded, except those of *holder*.

        Among them are the tasks that nobody holds, and those whose lease by *holder* has expired.
        """
        return await self._run(lambda: self._store.leases_of_others(account, holder=holder, at=at))

    async def retryable_downloads(self, account: str, *, since: float) -> list[Task]:
        """The tasks finished after *since* whose link was given away and may still be fetched."""
        return await self._run(lambda: self._store.retryable_downloads(account, since=since))

    async def storage_use(self, quota_bytes: int | None) -> StorageUse | None:
        """What the tenant's files take of a quota; None without one."""
        return await self._run(lambda: self._store.storage_use(quota_bytes))

    async def old_files(self, *, before: float, after: tuple[float, str], limit: int) -> list[Task]:
        """The tasks with a stored file that ended before *before*, in the order of end and id.

        What is only linked has not been fetched. *after* is the end and the id of the last one
        that was read.
        """
        return await self._run(
            lambda: self._store.old_files(before=before, after=after, limit=limit)
        )

    async def all_unfinished(self) -> list[Task]:
        """The tenant's tasks of every service and key that a server still has to work on."""
        return await self._run(self._store.all_unfinished)

    async def _read(
        self,
        read: Callable[[TaskReads], Coroutine[Any, Any, T]],
        max_seconds: float | None,
    ) -> T:
        """What *read* returns: at once if that is possible."""
        if self._reader is not None:
            try:
                return await read(self._reader)
            except NotAtOnce:
                pass
        with nullcontext() if max_seconds is None else anyio.fail_after(max_seconds):
            return await self._run(lambda: read(self._store))

    async def _run(self, transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self._database.run(transaction)
