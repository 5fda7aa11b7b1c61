"""The ledger in one SQLite file. Synchronous on purpose: one transaction per call, on one thread.

The settings are decisions, not defaults. TRUNCATE and not WAL: in most SQLite builds that
Pythons ship (3.7.0 to 3.51.2) WAL has a race between processes that can lose commits
(sqlite.org/wal.html#walresetbug, read 2026-11-22). FULL and not NORMAL: a lost row is a
video someone paid for. BEGIN IMMEDIATE always: a deferred transaction that starts by
reading fails with SQLITE_BUSY at its first write, whatever the time-out. `connection` and
`database` apply them; what each transaction reads and writes is here, and what changes nothing is
in `sqlite_reads`.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from geekai_video_mcp.domain.admission import Admission, ExistingTasks
from geekai_video_mcp.domain.fingerprint import former_fingerprint, is_sendable
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.statuses import BODY_NEEDED, Status
from geekai_video_mcp.domain.task_ids import ShortIdTaken, new_task_id, short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import DATABASE, InvalidDecision, StorageUnavailable
from geekai_video_mcp.ledger import conversion, schema
from geekai_video_mcp.ledger.sqlite_reads import StoreReads

T = TypeVar("T")
MIN_FREE_BYTES: Final = 16 * 1024 * 1024
"""Bytes that must be free before a request may leave: twice the largest request, so that its
response can be recorded as well."""


class Store(StoreReads):
    """The ledger in one file, for one process and one tenant."""

    def of_tenant(self, tenant: str) -> "Store":
        """The same file as another tenant sees it; it is closed with this one."""
        return Store(self._db, tenant=tenant)

    def add(self, task: Task) -> Task:
        with self._db.transaction():
            while self._is_short_id_taken(task.id):
                task = replace(task, id=new_task_id())
            if self._insert_task(task):
                return task
            found = self._rows.select(schema.SELECT_HOLDER, conversion.to_row(task))[0]
            return conversion.from_row(found)

    def admit(
        self,
        task: Task,
        body: Mapping[str, Any],
        admit: Callable[[ExistingTasks, Budget], Admission],
        *,
        limits: Limits | None,
        quota_bytes: int | None = None,
        fixed_id: bool = False,
    ) -> Admission:
        former = former_fingerprint(task.media, task.request, task.variation, body)
        with self._db.transaction_before_sending():
            existing = replace(
                self._existing_for(task, limits, former),
                durations=tuple(self._duration_history(task)),
                storage=self._storage_use(quota_bytes),
            )
            admission = admit(existing, self._get_budget(task.account))
            if admission.is_new:
                if not fixed_id and self._is_short_id_taken(task.id):
                    raise ShortIdTaken
                free = shutil.disk_usage(self._db.path.parent).free
                if free < MIN_FREE_BYTES:
                    # The response to a paid request has to be written as well.
                    raise StorageUnavailable(DATABASE, f"only {free:,} bytes are free on its disk")
                # Both states, so that the events say when it was recorded, and when it was claimed.
                self._insert_task(task)
                self._update_task(task, admission.task)
                self._put_body(task, body)
                if admission.budget is not None:
                    self._put_budget(admission.budget)
            return admission

    def add_film(self, film: Task, choose: Callable[[Sequence[Task]], Task]) -> Task:
        with self._db.transaction():
            same = self._db.parse_rows(
                self._rows.select(schema.SELECT_SAME_FILM, conversion.to_row(film)),
                conversion.from_row,
            )
            chosen = choose(list(same))
            if chosen is film:
                if self._is_short_id_taken(film.id):
                    raise ShortIdTaken
                self._insert_task(film)
            return chosen

    def release(
        self,
        task_id: str,
        body: Mapping[str, Any],
        release: Callable[[Task, ExistingTasks], Task],
        *,
        limits: Limits | None,
        at: float,
    ) -> Task:
        with self._db.transaction_before_sending():
            before = self._get_task(task_id)
            after = release(before, self._existing_for(replace(before, created_at=at), limits))
            if before.status is Status.WAITING and after.status is Status.INTENDED:
                self._put_body(after, body)
            return self._update_task(before, after)

    def _put_body(self, task: Task, body: Mapping[str, Any]) -> None:
        """Store the body that is to be sent, if the task's own request is another one."""
        if body != task.request:
            row = {"task_id": task.id, "content": conversion.to_json(body)}
            self._rows.execute(schema.PUT_BODY, row)

    def change(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        with self._db.transaction():
            before = self._get_task(task_id)
            return self._update_task(before, change(before))

    def change_all(
        self, changes: Sequence[tuple[str, Callable[[Task], Task]]]
    ) -> list[Task | Exception]:
        outcomes = list[Task | Exception]()
        with self._db.transaction():
            for task_id, change in changes:
                try:
                    with self._db.savepoint():
                        before = self._get_task(task_id)
                        outcomes.append(self._update_task(before, change(before)))
                except Exception as exc:
                    if not self._db.in_transaction:
                        raise
                    outcomes.append(exc)
        return outcomes

    def claim(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        with self._db.transaction_before_sending():
            before = self._get_task(task_id)
            return self._update_task(before, change(before))

    def assign_provider_id(
        self, task_id: str, provider_task_id: str, change: Callable[[Task, Task | None], Task]
    ) -> Task:
        with self._db.transaction():
            before = self._get_task(task_id)
            params = {**conversion.to_row(before), "provider_task_id": provider_task_id}
            found = self._rows.select_one(schema.SELECT_HOLDER, params)
            holder = conversion.from_row(found) if found else None
            return self._update_task(before, change(before, holder))

    def supersede(
        self,
        task_id: str,
        change: Callable[[Task], tuple[Task, Task]],
        check: Callable[[Task, ExistingTasks], None],
        *,
        limits: Limits | None,
        body: Mapping[str, Any] | None = None,
    ) -> Task:
        with self._db.transaction_before_sending():
            before = self._get_task(task_id)
            after, successor = change(before)
            if self._is_short_id_taken(successor.id):
                raise ShortIdTaken
            moved = self._rows.execute(schema.MOVE_BODY, {"id": task_id, "task_id": successor.id})
            stored = moved.rowcount > 0
            if not stored and not is_sendable(body or successor.request):
                # They are deleted once a request is accepted. Without them it would be another,
                # paid request.
                msg = (
                    "Its images are no longer stored, so it cannot be sent again unchanged; mark it"
                    " as abandoned with --abandon, and request the video again"
                )
                raise InvalidDecision(msg)
            self._update_task(before, after)
            check(successor, self._existing_for(successor, limits))
            self._insert_task(successor)
            if not stored and body is not None:
                self._put_body(successor, body)
            return successor

    def purge(self, task_ids: Sequence[str], may_go: Callable[[Task], bool]) -> list[str]:
        purged = list[str]()
        with self._db.transaction():
            self._db.execute("PRAGMA secure_delete=ON")
            for task_id in task_ids:
                row = self._rows.select_one(schema.GET, {"id": task_id})
                if row is None or not may_go(conversion.from_row(row)):
                    continue
                for statement in (
                    schema.PURGE_EVENTS,
                    schema.BLANK_EVENT,
                    schema.DROP_BODY,
                    schema.PURGE_TASK,
                ):
                    self._rows.execute(statement, {"id": task_id})
                purged.append(task_id)
        return purged

    def compact(self) -> None:
        self._db.compact()

    def _is_short_id_taken(self, task_id: str) -> bool:
        """Whether the id of another task begins like this one; asked before one is recorded."""
        params = {"start": short_id(task_id), "id": task_id}
        return self._rows.select_one(schema.SELECT_SIMILAR_ID, params) is not None

    def _insert_task(self, task: Task) -> bool:
        """False if the ledger holds the task already, as one that was made elsewhere."""
        if task.tenant != self.tenant:
            msg = f"a task of {task.tenant} cannot be recorded for {self.tenant}"
            raise ValueError(msg)
        inserted = self._rows.execute(schema.INSERT, conversion.to_row(task)).rowcount > 0
        if inserted:
            self._insert_event(task, at=task.created_at)
        return inserted

    def _update_task(self, before: Task, after: Task) -> Task:
        if after != before:
            was, row = conversion.to_row(before), conversion.to_row(after)
            self._rows.execute(schema.update(name for name in row if row[name] != was[name]), row)
            if after.status not in BODY_NEEDED:
                self._rows.execute(schema.DROP_BODY, {"id": after.id})
            if conversion.event_fields(before) != conversion.event_fields(after):
                self._insert_event(after, at=time.time())
        return after

    def update_budget(self, account: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        with self._db.transaction():
            before = self._get_budget(account)
            after, answer = change(before)
            if after != before:
                self._put_budget(after)
            return answer

    def _put_budget(self, budget: Budget) -> None:
        self._rows.execute(schema.UPSERT_BUDGET, conversion.to_budget_row(budget))

    def _insert_event(self, task: Task, *, at: float) -> None:
        self._rows.execute(schema.INSERT_EVENT, {"at": at, **conversion.event_fields(task)})
