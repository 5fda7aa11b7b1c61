"""What is asked of the ledger, and changes nothing; see `store`."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from geekai_video_mcp.domain.admission import DAY, ExistingTasks
from geekai_video_mcp.domain.fingerprint import former_fingerprint
from geekai_video_mcp.domain.leases import Lease
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.polling import HISTORY_LIMIT, Budget, DurationSample
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.storage import StorageUse
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.domain.task_search import SearchedFields
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.ledger import conversion, schema
from geekai_video_mcp.ledger.conversion import TaskCount
from geekai_video_mcp.ledger.database import Database
from geekai_video_mcp.ledger.tenant_rows import TenantRows

SEARCHED_AT_ONCE: Final = 500
"""The most rows that are compared with a query in one call: others of this process wait for it."""


class StoreReads:
    """The ledger as one tenant sees it."""

    def __init__(self, database: Database, *, tenant: str = LOCAL_TENANT) -> None:
        self._db: Final = database
        self._rows: Final = TenantRows(database, tenant)

    @property
    def tenant(self) -> str:
        """Whose tasks are seen and changed."""
        return self._rows.tenant

    async def count_open_tasks(self) -> list[TaskCount]:
        async with self._db.reading():
            found = await self._db.select_values(schema.SELECT_OPEN_STATES, {})
            found += await self._db.select_values(schema.SELECT_UNKNOWN_STATES, {})
        counts = Counter((tenant, conversion.open_state(status)) for tenant, status in found)
        return [TaskCount(*key, tasks) for key, tasks in sorted(counts.items())]

    async def request_body(self, task: Task) -> Mapping[str, Any]:
        async with self._db.reading():
            found = await self._rows.select_one(schema.GET_BODY, {"id": task.id})
            return conversion.from_json(task.id, found["content"]) if found else task.request

    async def existing_for(
        self,
        tasks: Sequence[tuple[Task, Mapping[str, Any]]],
        *,
        limits: Limits | None,
        quota_bytes: int | None = None,
    ) -> list[ExistingTasks]:
        former = [
            former_fingerprint(task.media, task.request, task.variation, body)
            for task, body in tasks
        ]
        async with self._db.snapshot():
            storage = await self._storage_use(quota_bytes)
            return [
                replace(await self._existing_for(task, limits, fingerprint), storage=storage)
                for (task, _), fingerprint in zip(tasks, former, strict=True)
            ]

    async def find(self, task_id: str) -> Task | None:
        async with self._db.reading():
            found = await self._rows.select_one(schema.FIND, {"id": task_id})
            return conversion.from_row(found) if found else None

    async def unfinished(self, account: str) -> list[Task]:
        return await self._read_tasks(schema.SELECT_UNFINISHED, {"service": account})

    async def unsent(self, account: str) -> list[Task]:
        return await self._read_tasks(schema.SELECT_UNSENT, {"service": account})

    async def leases_of_others(self, account: str, *, holder: str, at: float) -> list[Lease]:
        params = {"service": account, "watcher": holder, "at": at}
        async with self._db.reading():
            found = await self._rows.select(schema.SELECT_LEASES_OF_OTHERS, params)
        return list(self._db.parse_rows(found, conversion.to_lease))

    async def retryable_downloads(self, account: str, *, since: float) -> list[Task]:
        return await self._read_tasks(schema.SELECT_LINKED, {"service": account, "since": since})

    async def unfinished_of_other_accounts(self, account: str) -> list[Task]:
        return await self._read_tasks(schema.SELECT_OTHER_ACCOUNTS, {"service": account})

    async def unfinished_tenants(self, *, since: float | None) -> dict[str, list[str]]:
        accounts = dict[str, list[str]]()
        async with self._db.reading():
            for row in await self._db.select(schema.SELECT_UNFINISHED_TENANTS, {"since": since}):
                accounts.setdefault(row["tenant"], []).append(row["service"])
        return accounts

    async def tenants_with_old_files(self, *, before: float) -> list[str]:
        async with self._db.reading():
            found = await self._db.select(schema.SELECT_TENANTS_WITH_OLD_FILES, {"before": before})
        return [row["tenant"] for row in found]

    async def tenant_of(self, task_id: str) -> str | None:
        async with self._db.reading():
            found = await self._db.select_one(schema.SELECT_TENANT, {"id": task_id})
        return found["tenant"] if found else None

    async def _read_tasks(self, statement: str, params: Mapping[str, Any]) -> list[Task]:
        async with self._db.reading():
            found = await self._rows.select(statement, params)
        return list(self._db.parse_rows(found, conversion.from_row))

    async def _existing_for(
        self, task: Task, limits: Limits | None, former_fingerprint: str | None = None
    ) -> ExistingTasks:
        params = {**conversion.to_row(task), "since": task.created_at - DAY}
        params["former_fingerprint"] = former_fingerprint
        has_key = task.idempotency_key is not None
        same_key = await self._rows.select_one(schema.SELECT_SAME_KEY, params) if has_key else None
        same_fingerprint = await self._rows.select(schema.SELECT_SAME_FINGERPRINT, params)
        existing = ExistingTasks(
            limits=limits,
            same_key=conversion.from_row(same_key) if same_key else None,
            same_fingerprint=tuple(conversion.from_row(row) for row in same_fingerprint),
            former_fingerprint=former_fingerprint,
        )
        if limits is not None:
            params["per_day"] = limits.per_day
            (counted,) = await self._rows.select(schema.COUNT_RESERVATIONS, params)
            existing = replace(existing, **counted)
        if limits is not None and limits.cny_per_day is not None:
            prices = await self._rows.select(schema.SELECT_RESERVED_PRICES, params)
            existing = replace(existing, prices=conversion.to_reserved_prices(prices))
        return existing

    async def list_tasks(
        self,
        *,
        limit: int,
        statuses: Collection[Status],
        before: str | None,
        since: float | None,
    ) -> list[Task]:
        statement = schema.select_page(statuses, before=before, since=since)
        return await self._read_tasks(statement, {"limit": limit, "before": before, "since": since})

    async def list_records(
        self, *, limit: int, before: str | None, since: float | None
    ) -> list[TaskRecord]:
        statement = schema.select_page(
            (), before=before, since=since, columns=conversion.RECORD_COLUMNS
        )
        async with self._db.reading():
            params = {"limit": limit, "before": before, "since": since}
            found = await self._rows.select_values(statement, params)
        return list(self._db.parse_rows(found, conversion.to_record))

    async def search_tasks(
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
        async with self._db.reading():
            rows = await self._rows.select_values(statement, params)
            searched = self._db.parse_rows(rows, conversion.to_searched_fields)
            matching = (fields.id for fields in searched if matches(fields))
            ids = list(islice(matching, limit))
            found = [
                row for each in ids for row in await self._rows.select(schema.GET, {"id": each})
            ]
        last = rows[-1][0] if len(rows) == at_once else None
        return list(self._db.parse_rows(found, conversion.from_row)), ids[-1] if len(
            ids
        ) == limit else last

    async def find_by_prefix(self, prefix: str, *, limit: int) -> list[Task]:
        return await self._read_tasks(schema.SELECT_BY_PREFIX, {"start": prefix, "limit": limit})

    async def events(self, task_id: str) -> list[conversion.Event]:
        async with self._db.reading():
            found = await self._rows.select(schema.EVENTS, {"id": task_id})
        return list(self._db.parse_rows(found, conversion.to_event))

    async def event_cursor(self) -> str:
        async with self._db.reading():
            return str((await self._rows.select_values(schema.SELECT_EVENT_CURSOR, {}))[0][0])

    async def events_after(self, cursor: str) -> list[conversion.EventNotice]:
        async with self._db.reading():
            found = await self._rows.select(schema.SELECT_EVENTS_AFTER, {"cursor": cursor})
        return list(self._db.parse_rows(found, conversion.to_event_notice))

    async def storage_use(self, quota_bytes: int | None) -> StorageUse | None:
        async with self._db.reading():
            return await self._storage_use(quota_bytes)

    async def _storage_use(self, quota_bytes: int | None) -> StorageUse | None:
        if quota_bytes is None:
            return None
        (counted,) = await self._rows.select(schema.COUNT_FILES, {})
        return StorageUse(quota_bytes=quota_bytes, **counted)

    async def old_files(self, *, before: float, after: tuple[float, str], limit: int) -> list[Task]:
        params = {"before": before, "after": after[0], "after_id": after[1], "limit": limit}
        return await self._read_tasks(schema.SELECT_OLD_FILES, params)

    async def all_unfinished(self) -> list[Task]:
        return await self._read_tasks(schema.SELECT_ALL_UNFINISHED, {})

    async def _duration_history(self, task: Task) -> list[DurationSample]:
        """The durations of the newest finished tasks with the duration key of this one."""
        params = {"service": task.account, "kind": task.duration_key, "newest": HISTORY_LIMIT}
        found = await self._rows.select(schema.HISTORY, params)
        return [conversion.to_duration_sample(row) for row in found]

    async def _get_budget(self, account: str) -> Budget:
        found = await self._rows.select_one(schema.BUDGET, {"service": account})
        return conversion.to_budget(found) if found else Budget(account=account)
