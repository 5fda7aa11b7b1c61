"""The ledger in one SQLite file. Synchronous on purpose: one transaction per call, on one thread.

The settings are decisions, not defaults. TRUNCATE and not WAL: in most SQLite builds that
Pythons ship (3.7.0 to 3.51.2) WAL has a race between processes that can lose commits
(sqlite.org/wal.html#walresetbug, read 2026-11-22). FULL and not NORMAL: a lost row is a
video someone paid for. BEGIN IMMEDIATE for every change: a deferred transaction that starts
by reading fails with SQLITE_BUSY at its first write, whatever the time-out. `connection` and
`database` apply them; what each transaction reads and writes is here.
"""

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from geekai_video_mcp.domain.admission import DAY, Admission, ExistingTasks
from geekai_video_mcp.domain.fingerprint import former_fingerprint, is_sendable
from geekai_video_mcp.domain.leases import Lease
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.polling import HISTORY_LIMIT, Budget, DurationSample
from geekai_video_mcp.domain.statuses import BODY_NEEDED, Status
from geekai_video_mcp.domain.task_ids import ShortIdTaken, new_task_id, short_id
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.domain.task_search import SearchedFields
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import DATABASE, InvalidDecision, StorageUnavailable
from geekai_video_mcp.ledger import conversion, schema
from geekai_video_mcp.ledger.database import Database
from geekai_video_mcp.ledger.reader import TaskReader

T = TypeVar("T")
SEARCHED_AT_ONCE: Final = 500
"""The most rows that are compared with a query in one call: others of this process wait for it."""

MIN_FREE_BYTES: Final = 16 * 1024 * 1024
"""Bytes that must be free before a request may leave: twice the largest request, so that its
response can be recorded as well."""


class Store:
    """The ledger in one file, for one process."""

    def __init__(self, state_dir: Path) -> None:
        self._db: Final = Database(state_dir)

    def close(self) -> None:
        self._db.close()

    def open_reader(self) -> TaskReader:
        """A reader of the same file, to be closed before this."""
        return self._db.open_reader()

    def add(self, task: Task) -> Task:
        with self._db.transaction():
            while self._is_short_id_taken(task.id):
                task = replace(task, id=new_task_id())
            if self._insert_task(task):
                return task
            found = self._db.select_one(schema.SELECT_HOLDER, conversion.to_row(task))
            return conversion.from_row(dict(found))

    def admit(
        self,
        task: Task,
        body: Mapping[str, Any],
        admit: Callable[[ExistingTasks, Budget], Admission],
        *,
        limits: Limits | None,
        fixed_id: bool = False,
    ) -> Admission:
        former = former_fingerprint(task.media, task.request, task.variation, body)
        with self._db.transaction_before_sending():
            existing = replace(
                self._existing_for(task, limits, former),
                durations=tuple(self._duration_history(task)),
            )
            admission = admit(existing, self._get_budget(task.account))
            if admission.is_new:
                if not fixed_id and self._is_short_id_taken(task.id):
                    raise ShortIdTaken
                free = shutil.disk_usage(self._db.path.parent).free
                if free < MIN_FREE_BYTES:
                    # The response to a paid request has to be written as well.
                    raise StorageUnavailable(DATABASE, f"only {free:,} bytes are free on its disk")
                self._insert_task(admission.task, recorded_as=task)
                self._put_body(task, body)
                if admission.budget is not None:
                    self._put_budget(admission.budget)
            return admission

    def add_film(self, film: Task, choose: Callable[[Sequence[Task]], Task]) -> Task:
        with self._db.transaction():
            same = self._db.parse_rows(
                self._db.select(schema.SELECT_SAME_FILM, conversion.to_row(film)),
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
            self._db.execute(schema.PUT_BODY, row)

    def request_body(self, task: Task) -> Mapping[str, Any]:
        with self._db.reading():
            found = self._db.select_one(schema.GET_BODY, {"id": task.id})
            return conversion.from_json(task.id, found["content"]) if found else task.request

    def existing_for(
        self, tasks: Sequence[tuple[Task, Mapping[str, Any]]], *, limits: Limits | None
    ) -> list[ExistingTasks]:
        former = [
            former_fingerprint(task.media, task.request, task.variation, body)
            for task, body in tasks
        ]
        with self._db.snapshot():
            return [
                self._existing_for(task, limits, fingerprint)
                for (task, _), fingerprint in zip(tasks, former, strict=True)
            ]

    def find(self, task_id: str) -> Task | None:
        with self._db.reading():
            found = self._db.select_one(schema.FIND, {"id": task_id})
            return conversion.from_row(dict(found)) if found else None

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
            found = self._db.select_one(schema.SELECT_HOLDER, params)
            holder = conversion.from_row(dict(found)) if found else None
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
            moved = self._db.execute(schema.MOVE_BODY, {"id": task_id, "task_id": successor.id})
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

    def unfinished(self, account: str) -> list[Task]:
        return self._read_tasks(schema.SELECT_UNFINISHED, {"service": account})

    def unsent(self, account: str) -> list[Task]:
        return self._read_tasks(schema.SELECT_UNSENT, {"service": account})

    def leases_of_others(self, account: str, *, holder: str, at: float) -> list[Lease]:
        params = {"service": account, "watcher": holder, "at": at}
        with self._db.reading():
            found = self._db.select(schema.SELECT_LEASES_OF_OTHERS, params)
        return list(self._db.parse_rows(found, conversion.to_lease))

    def retryable_downloads(self, account: str, *, since: float) -> list[Task]:
        return self._read_tasks(schema.SELECT_LINKED, {"service": account, "since": since})

    def unfinished_of_other_accounts(self, account: str) -> list[Task]:
        return self._read_tasks(schema.SELECT_OTHER_ACCOUNTS, {"service": account})

    def _read_tasks(self, statement: str, params: Mapping[str, Any]) -> list[Task]:
        with self._db.reading():
            found = self._db.select(statement, params)
        return list(self._db.parse_rows(found, conversion.from_row))

    def _is_short_id_taken(self, task_id: str) -> bool:
        """Whether the id of another task begins like this one; asked before one is recorded."""
        params = {"start": short_id(task_id), "id": task_id}
        return self._db.select_one(schema.SELECT_SIMILAR_ID, params) is not None

    def _insert_task(self, task: Task, *, recorded_as: Task | None = None) -> bool:
        """False if the ledger holds the task already, as one that was made elsewhere.

        *recorded_as* is the task before it was claimed in this same transaction: the events say
        when it was recorded, and when it was claimed.
        """
        inserted = self._db.execute(schema.INSERT, conversion.to_row(task)).rowcount > 0
        if inserted:
            first = recorded_as or task
            self._insert_event(first, at=first.created_at)
            if conversion.event_fields(first) != conversion.event_fields(task):
                self._insert_event(task, at=time.time())
        return inserted

    def _existing_for(
        self, task: Task, limits: Limits | None, former_fingerprint: str | None = None
    ) -> ExistingTasks:
        params = {**conversion.to_row(task), "since": task.created_at - DAY}
        params["former_fingerprint"] = former_fingerprint
        has_key = task.idempotency_key is not None
        same_key = self._db.select_one(schema.SELECT_SAME_KEY, params) if has_key else None
        same_fingerprint = self._db.select(schema.SELECT_SAME_FINGERPRINT, params)
        existing = ExistingTasks(
            limits=limits,
            same_key=conversion.from_row(dict(same_key)) if same_key else None,
            same_fingerprint=tuple(conversion.from_row(dict(row)) for row in same_fingerprint),
            former_fingerprint=former_fingerprint,
        )
        if limits is not None:
            params["per_day"] = limits.per_day
            existing = replace(existing, **self._db.select_one(schema.COUNT_RESERVATIONS, params))
        if limits is not None and limits.cny_per_day is not None:
            prices = self._db.select(schema.SELECT_RESERVED_PRICES, params)
            existing = replace(existing, prices=conversion.to_reserved_prices(prices))
        return existing

    def list_tasks(
        self,
        *,
        limit: int,
        statuses: Collection[Status],
        before: str | None,
        since: float | None,
    ) -> list[Task]:
        statement = schema.select_page(statuses, before=before, since=since)
        return self._read_tasks(statement, {"limit": limit, "before": before, "since": since})

    def list_records(
        self, *, limit: int, before: str | None, since: float | None
    ) -> list[TaskRecord]:
        statement = schema.select_page(
            (), before=before, since=since, columns=conversion.RECORD_COLUMNS
        )
        with self._db.reading():
            params = {"limit": limit, "before": before, "since": since}
            found = self._db.select_values(statement, params)
        return list(self._db.parse_rows(found, conversion.to_record))

    def search_tasks(
        self,
        *,
        limit: int,
        at_once: int,
        statuses: Collection[Status],
        before: str | None,
        since: float | None,
        matches: Callable[[SearchedFields], bool],
    ) -> tuple[list[Task], str | None]:
        """The first *limit* among the next tasks that match, and where to go on.

        *at_once* tasks are compared, but no more than `SEARCHED_AT_ONCE`.

        That is the id of the last task that was compared; None if there are no more.
        """
        at_once = min(at_once, SEARCHED_AT_ONCE)
        params = {"limit": at_once, "before": before, "since": since}
        statement = schema.select_page(
            statuses, before=before, since=since, columns=conversion.SEARCHED_COLUMNS
        )
        with self._db.reading():
            rows = self._db.select_values(statement, params)
            searched = self._db.parse_rows(rows, conversion.to_searched_fields)
            matching = (fields.id for fields in searched if matches(fields))
            ids = list(islice(matching, limit))
            found = [self._db.select_one(schema.GET, {"id": task_id}) for task_id in ids]
        last = rows[-1][0] if len(rows) == at_once else None
        return list(self._db.parse_rows(found, conversion.from_row)), ids[-1] if len(
            ids
        ) == limit else last

    def find_by_prefix(self, prefix: str, *, limit: int) -> list[Task]:
        return self._read_tasks(schema.SELECT_BY_PREFIX, {"start": prefix, "limit": limit})

    def events(self, task_id: str) -> list[conversion.Event]:
        with self._db.reading():
            found = self._db.select(schema.EVENTS, {"id": task_id})
        return list(self._db.parse_rows(found, conversion.to_event))

    def last_event_id(self) -> int:
        with self._db.reading():
            return int(self._db.select_one(schema.SELECT_LAST_EVENT_ID)["number"])

    def events_after(self, after: int) -> list[conversion.EventNotice]:
        with self._db.reading():
            found = self._db.select(schema.SELECT_EVENTS_AFTER, {"after": after})
        return list(self._db.parse_rows(found, conversion.to_event_notice))

    def _get_task(self, task_id: str) -> Task:
        found = self._db.select_one(schema.GET, {"id": task_id})
        if found is None:
            raise KeyError(task_id)
        return conversion.from_row(dict(found))

    def _update_task(self, before: Task, after: Task) -> Task:
        if after != before:
            was, row = conversion.to_row(before), conversion.to_row(after)
            self._db.execute(schema.update(name for name in row if row[name] != was[name]), row)
            if after.status not in BODY_NEEDED:
                self._db.execute(schema.DROP_BODY, {"id": after.id})
            if conversion.event_fields(before) != conversion.event_fields(after):
                self._insert_event(after, at=time.time())
        return after

    def _duration_history(self, task: Task) -> list[DurationSample]:
        """The durations of the newest finished tasks with the duration key of this one."""
        params = {"service": task.account, "kind": task.duration_key, "newest": HISTORY_LIMIT}
        found = self._db.select(schema.HISTORY, params)
        return [conversion.to_duration_sample(dict(row)) for row in found]

    def update_budget(self, account: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        with self._db.transaction():
            before = self._get_budget(account)
            after, answer = change(before)
            if after != before:
                self._put_budget(after)
            return answer

    def _get_budget(self, account: str) -> Budget:
        found = self._db.select_one(schema.BUDGET, {"service": account})
        return conversion.to_budget(dict(found)) if found else Budget(account=account)

    def _put_budget(self, budget: Budget) -> None:
        self._db.execute(schema.UPSERT_BUDGET, conversion.to_budget_row(budget))

    def _insert_event(self, task: Task, *, at: float) -> None:
        self._db.execute(schema.INSERT_EVENT, {"at": at, **conversion.event_fields(task)})
