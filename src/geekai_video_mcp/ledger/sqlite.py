"""The ledger in one SQLite file. Synchronous on purpose: one transaction per call, on one thread.

The settings are decisions, not defaults. TRUNCATE and not WAL: in most SQLite builds that
Pythons ship (3.7.0 to 3.51.2) WAL has a race between processes that can lose commits
(sqlite.org/wal.html#walresetbug, read 2026-11-22). FULL and not NORMAL: a lost row is a
video someone paid for. BEGIN IMMEDIATE always: a deferred transaction that starts by
reading fails with SQLITE_BUSY at its first write, whatever the time-out.
"""

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from geekai_video_mcp.domain.admission import DAY, ExistingTasks
from geekai_video_mcp.domain.fingerprint import has_stripped_media
from geekai_video_mcp.domain.lifecycle import Task
from geekai_video_mcp.domain.polling import HISTORY_LIMIT, Budget, DurationSample
from geekai_video_mcp.domain.statuses import BODY_NEEDED, Status
from geekai_video_mcp.domain.task_ids import ShortIdTaken, new_task_id, short_id
from geekai_video_mcp.domain.task_search import SearchedFields
from geekai_video_mcp.errors import (
    DATABASE,
    InvalidDecision,
    LedgerTooNew,
    StorageUnavailable,
    nothing_charged,
    quote,
)
from geekai_video_mcp.ledger import connection, database_file, schema
from geekai_video_mcp.ledger.database_file import Access, OpenedFile
from geekai_video_mcp.ledger.migrations import MIGRATIONS

logger = logging.getLogger(__name__)

T = TypeVar("T")
BUSY_TIMEOUT: Final = 30.0
"""Seconds to wait for another process's transaction; 32 at once needed 2.8 at most."""

SEARCHED_AT_ONCE: Final = 500
"""Rows that are compared with a query in one call: other calls of this process wait for it."""

MIN_FREE_BYTES: Final = 16 * 1024 * 1024
"""Bytes that must be free before a request may leave: twice the largest request, so that its
response can be recorded as well."""


def path_in(state_dir: Path) -> Path:
    """The path of the ledger of this state folder, whether or not it exists."""
    return state_dir / "ledger.sqlite3"


class Store:
    """One connection to one ledger file, for one process."""

    def __init__(self, state_dir: Path) -> None:
        self._upgraded = False
        """Whether a newer version has upgraded the file since it was opened."""
        self._unreadable_rows: set[str] = set()
        """The messages about unreadable rows that were logged: sweeps read them again and again."""
        self._moved: str | None = None
        database_file.create_folder(state_dir)
        self._path: Final = path_in(state_dir.resolve())
        with self._translate_errors("opened"):
            database_file.create_if_missing(self._path, connection.create_database)
            database_file.check_file(self._path)
            self._db = connection.connect(self._path, timeout=BUSY_TIMEOUT)
            try:
                self._file = OpenedFile(self._path)
                self._check_and_migrate()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        self._db.close()

    def add(self, task: Task) -> Task:
        with self._transaction():
            while self._is_short_id_taken(task.id):
                task = replace(task, id=new_task_id())
            if self._insert_task(task):
                return task
            found = self._select_one(schema.SELECT_HOLDER, schema.to_row(task))
            return schema.from_row(dict(found))

    def admit(
        self,
        task: Task,
        body: Mapping[str, Any],
        admit: Callable[[ExistingTasks], Task],
        *,
        fixed_id: bool = False,
    ) -> Task:
        with self._transaction_before_sending():
            admitted = admit(self._existing_for(task))
            if admitted is task:
                if not fixed_id and self._is_short_id_taken(task.id):
                    raise ShortIdTaken
                free = shutil.disk_usage(self._path.parent).free
                if free < MIN_FREE_BYTES:
                    # The response to a paid request has to be written as well.
                    raise StorageUnavailable(DATABASE, f"only {free:,} bytes are free on its disk")
                self._insert_task(task)
                if body != task.request:
                    row = {"task_id": task.id, "content": schema.to_json(body)}
                    self._db.execute(schema.PUT_BODY, row)
            return admitted

    def request_body(self, task: Task) -> Mapping[str, Any]:
        with self._reading():
            found = self._select_one(schema.GET_BODY, {"id": task.id})
            return schema.from_json(task.id, found["content"]) if found else task.request

    def existing_for(self, task: Task) -> ExistingTasks:
        with self._transaction(access="read"):  # as in `admit`: all of it from one moment
            return self._existing_for(task)

    def find(self, task_id: str) -> Task | None:
        with self._reading():
            found = self._select_one(schema.FIND, {"id": task_id})
            return schema.from_row(dict(found)) if found else None

    def change(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        with self._transaction():
            before = self._get_task(task_id)
            return self._update_task(before, change(before))

    def claim(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        with self._transaction_before_sending():
            before = self._get_task(task_id)
            return self._update_task(before, change(before))

    def assign_provider_id(
        self, task_id: str, provider_task_id: str, change: Callable[[Task, Task | None], Task]
    ) -> Task:
        with self._transaction():
            before = self._get_task(task_id)
            params = {**schema.to_row(before), "provider_task_id": provider_task_id}
            found = self._select_one(schema.SELECT_HOLDER, params)
            holder = schema.from_row(dict(found)) if found else None
            return self._update_task(before, change(before, holder))

    def supersede(
        self,
        task_id: str,
        change: Callable[[Task], tuple[Task, Task]],
        check: Callable[[ExistingTasks], None],
    ) -> Task:
        with self._transaction_before_sending():
            before = self._get_task(task_id)
            after, successor = change(before)
            if self._is_short_id_taken(successor.id):
                raise ShortIdTaken
            moved = self._db.execute(schema.MOVE_BODY, {"id": task_id, "task_id": successor.id})
            if not moved.rowcount and has_stripped_media(successor.request):
                # They are deleted once a request is accepted. Without them it would be another,
                # paid request.
                msg = (
                    "Its images are no longer stored, so it cannot be sent again unchanged; mark it"
                    " as abandoned with --abandon, and request the video again"
                )
                raise InvalidDecision(msg)
            self._update_task(before, after)
            check(self._existing_for(successor))
            self._insert_task(successor)
            return successor

    def unfinished(self, account: str) -> list[Task]:
        return self._read_tasks(schema.SELECT_UNFINISHED, {"service": account})

    def retryable_downloads(self, account: str, *, since: float) -> list[Task]:
        return self._read_tasks(schema.SELECT_LINKED, {"service": account, "since": since})

    def unfinished_of_other_accounts(self, account: str) -> list[Task]:
        return self._read_tasks(schema.SELECT_OTHER_ACCOUNTS, {"service": account})

    def _read_tasks(self, statement: str, params: Mapping[str, Any]) -> list[Task]:
        with self._reading():
            found = self._select(statement, params)
        return list(self._parse_rows(found))

    def _is_short_id_taken(self, task_id: str) -> bool:
        """Whether the id of another task begins like this one; asked before one is recorded."""
        params = {"start": short_id(task_id), "id": task_id}
        return self._select_one(schema.SELECT_SIMILAR_ID, params) is not None

    def _insert_task(self, task: Task) -> bool:
        """False if the ledger holds the task already, as one that was made elsewhere."""
        inserted = self._db.execute(schema.INSERT, schema.to_row(task)).rowcount > 0
        if inserted:
            self._insert_event(task, at=task.created_at)
        return inserted

    def _existing_for(self, task: Task) -> ExistingTasks:
        params = {**schema.to_row(task), "since": task.created_at - DAY}
        same_key = self._select_one(schema.SELECT_SAME_KEY, params)
        same_fingerprint = self._select(schema.SELECT_SAME_FINGERPRINT, params)
        return ExistingTasks(
            same_key=schema.from_row(dict(same_key)) if same_key else None,
            same_fingerprint=tuple(schema.from_row(dict(row)) for row in same_fingerprint),
            **dict(self._select_one(schema.COUNT_RESERVATIONS, params)),
        )

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

    def search_tasks(
        self,
        *,
        limit: int,
        statuses: Collection[Status],
        before: str | None,
        since: float | None,
        matches: Callable[[SearchedFields], bool],
    ) -> tuple[list[Task], str | None]:
        """The first *limit* among the next `SEARCHED_AT_ONCE` tasks that match, and where to go on.

        That is the id of the last task that was compared; None if there are no more.
        """
        params = {"limit": SEARCHED_AT_ONCE, "before": before, "since": since}
        statement = schema.select_page(
            statuses, before=before, since=since, columns=schema.SEARCHED_COLUMNS
        )
        with self._reading():
            rows = self._select(statement, params)
            searched = self._parse_rows(rows, schema.to_searched_fields)
            matching = (fields.id for fields in searched if matches(fields))
            ids = list(islice(matching, limit))
            found = [self._select_one(schema.GET, {"id": task_id}) for task_id in ids]
        last = rows[-1]["id"] if len(rows) == SEARCHED_AT_ONCE else None
        return list(self._parse_rows(found)), ids[-1] if len(ids) == limit else last

    def find_by_prefix(self, prefix: str, *, limit: int) -> list[Task]:
        return self._read_tasks(schema.SELECT_BY_PREFIX, {"start": prefix, "limit": limit})

    def events(self, task_id: str) -> list[schema.Event]:
        with self._reading():
            found = self._select(schema.EVENTS, {"id": task_id})
        return list(self._parse_rows(found, schema.to_event))

    def last_event_id(self) -> int:
        with self._reading():
            return int(self._select_one(schema.SELECT_LAST_EVENT_ID)["number"])

    def events_after(self, after: int) -> list[schema.EventNotice]:
        with self._reading():
            found = self._select(schema.SELECT_EVENTS_AFTER, {"after": after})
        return list(self._parse_rows(found, schema.to_event_notice))

    def _get_task(self, task_id: str) -> Task:
        found = self._select_one(schema.GET, {"id": task_id})
        if found is None:
            raise KeyError(task_id)
        return schema.from_row(dict(found))

    def _update_task(self, before: Task, after: Task) -> Task:
        if after != before:
            self._db.execute(schema.UPDATE, schema.to_row(after))
            if after.status not in BODY_NEEDED:
                self._db.execute(schema.DROP_BODY, {"id": after.id})
            if schema.event_fields(before) != schema.event_fields(after):
                self._insert_event(after, at=time.time())
        return after

    def duration_history(self, account: str, duration_key: str) -> list[DurationSample]:
        params = {"service": account, "kind": duration_key, "newest": HISTORY_LIMIT}
        with self._reading():
            found = self._select(schema.HISTORY, params)
        return [schema.to_duration_sample(dict(row)) for row in found]

    def update_budget(self, account: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        with self._transaction():
            found = self._select_one(schema.BUDGET, {"service": account})
            before = schema.to_budget(dict(found)) if found else Budget(account=account)
            after, answer = change(before)
            if after != before:
                self._db.execute(schema.UPSERT_BUDGET, schema.to_budget_row(after))
            return answer

    def _insert_event(self, task: Task, *, at: float) -> None:
        self._db.execute(schema.INSERT_EVENT, {"at": at, **schema.event_fields(task)})

    def _check_and_migrate(self) -> None:
        with self._transaction(access="opened"):
            if not connection.is_ours(self._db):
                reason = "it is a database of another program, or has lost its tables"
                raise database_file.unusable_error(self._path, reason)
            version = connection.schema_version(self._db)
            if version > len(MIGRATIONS):
                raise LedgerTooNew("created")
            connection.migrate(self._db, from_version=version)
            if not connection.is_complete(self._db):
                raise database_file.unusable_error(self._path, "it has lost a table or a column")

    def _warn_of_upgrade(self) -> None:
        if not self._upgraded:
            self._upgraded = True
            logger.warning(
                "a newer version of this server upgraded the task database: this one finishes its"
                " tasks and sends no new request. Upgrade it and start it again."
            )

    @contextmanager
    def _transaction_before_sending(self) -> Generator[None]:
        """A transaction that must succeed before a paid request may leave.

        It is refused once a newer version of this server has upgraded the database while this one
        was running: its rules for money may be stricter, and this program would break them.
        """
        with nothing_charged(), self._transaction():
            if connection.schema_version(self._db) > len(MIGRATIONS):
                raise LedgerTooNew("upgraded")
            yield

    @contextmanager
    def _transaction(self, access: Access = "written") -> Generator[None]:
        """One transaction, rolled back as a whole if it fails.

        It also works in a database that was upgraded meanwhile: migrations only add columns, each
        with a default, and `schema.UPDATE` names the columns it knows. So the outcome of a request
        that was being sent is recorded at once, where every server finds it. If this program
        cannot read the row, the outcome goes to the journal, for the newer server.
        """
        with self._translate_errors(access):
            if access != "opened":
                self._require_in_place(access)
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if access != "opened" and connection.schema_version(self._db) > len(MIGRATIONS):
                    self._warn_of_upgrade()
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself. A COMMIT that a reader blocks leaves
                # it open, and every later one would fail.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Generator[None]:
        """One statement that reads, outside a transaction."""
        with self._translate_errors("read"):
            self._require_in_place("read")
            yield

    def _require_in_place(self, access: Access) -> None:
        """Refuse every use of a file whose name is gone: its rows would be lost with it.

        Raises:
            StorageUnavailable: it says what happened; the log says it once, and when it is back.
        """
        moved = self._file.describe_change()
        if moved is None:
            if self._moved is not None:
                logger.warning("the task database is back: %s", quote(str(self._path)))
            self._moved = None
            return
        error = self._file.change_error(moved, access)
        if moved != self._moved:
            self._moved = moved
            logger.error(
                "%s Until then no request is sent, and outcomes are recorded nowhere: the"
                " emergency journal is in the same folder.",
                error.message,
            )
        raise error

    def _select(self, statement: str, params: Mapping[str, Any] | None = None) -> list[sqlite3.Row]:
        try:
            return self._db.execute(statement, params or {}).fetchall()
        except sqlite3.OperationalError as exc:
            if not connection.decode_any_text(self._db, exc):
                raise
            return self._db.execute(statement, params or {}).fetchall()

    def _select_one(self, statement: str, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - as fetchone
        return next(iter(self._select(statement, params)), None)

    def _parse_rows(
        self, found: list[sqlite3.Row], parse: Callable[[Mapping[str, Any]], T] = schema.from_row
    ) -> Generator[T]:
        """These rows, without those that cannot be read, each of which is logged once."""
        for row in found:
            try:
                yield parse(dict(row))
            except sqlite3.DataError as exc:
                if str(exc) not in self._unreadable_rows:
                    self._unreadable_rows.add(str(exc))
                    logger.error("%s", exc)  # noqa: TRY400 - a traceback could print the row

    @contextmanager
    def _translate_errors(self, access: Access) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED:
                moved = self._file.describe_change() or "it was moved"
                raise self._file.change_error(moved, access) from exc
            raise connection.describe_error(exc, self._path, access) from exc
        except OSError as exc:
            raise database_file.folder_error(self._path.parent, exc, access=access) from exc
