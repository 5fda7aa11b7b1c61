"""What each transaction on the ledger reads and writes, whichever database holds it.

What changes nothing is in `store_reads`, the statements are in `schema`, and how a database runs
them is in `database`. The functions that are passed in are pure, or look at files alone, and must
not wait: other transactions do until they return.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from geekai_video_mcp.domain.admission import Admission, ExistingTasks
from geekai_video_mcp.domain.fingerprint import former_fingerprint, is_sendable
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.statuses import BODY_NEEDED, Status
from geekai_video_mcp.domain.task_ids import ShortIdTaken, new_task_id, short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import InvalidDecision, StorageUnavailable
from geekai_video_mcp.ledger import conversion, schema
from geekai_video_mcp.ledger.database import Params, Row
from geekai_video_mcp.ledger.row_checks import UnreadableRow, unreadable_row_error
from geekai_video_mcp.ledger.store_reads import StoreReads

T = TypeVar("T")


class Store(StoreReads):
    """The ledger for one process and one tenant."""

    async def add(self, task: Task) -> Task:
        async with self._db.transaction():
            while await self._is_short_id_taken(task.id):
                task = replace(task, id=new_task_id())
            if await self._insert_task(task):
                return task
            found = await self._rows.select(schema.SELECT_HOLDER, conversion.to_row(task))
            return conversion.from_row(found[0])

    async def admit(
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
        async with self._db.transaction_before_sending():
            await self._db.lock_account(task.account)
            existing = replace(
                await self._existing_for(task, limits, former),
                durations=tuple(await self._duration_history(task)),
                storage=await self._storage_use(quota_bytes),
            )
            admission = admit(existing, await self._get_budget(task.account))
            if admission.is_new:
                if not fixed_id and await self._is_short_id_taken(task.id):
                    raise ShortIdTaken
                await self._db.require_room()
                await self._insert_task(admission.task, recorded_as=task)
                await self._put_body(task, body)
                if admission.budget is not None:
                    await self._put_budget(admission.budget)
            return admission

    async def add_film(self, film: Task, choose: Callable[[Sequence[Task]], Task]) -> Task:
        async with self._db.transaction():
            await self._db.lock_account(film.account)
            same = self._db.parse_rows(
                await self._rows.select(schema.SELECT_SAME_FILM, conversion.to_row(film)),
                conversion.from_row,
            )
            chosen = await self._db.run_blocking(partial(choose, list(same)))
            if chosen is film:
                if await self._is_short_id_taken(film.id):
                    raise ShortIdTaken
                await self._insert_task(film)
            return chosen

    async def release(
        self,
        task_id: str,
        body: Mapping[str, Any],
        release: Callable[[Task, ExistingTasks], Task],
        *,
        limits: Limits | None,
        at: float,
    ) -> Task:
        async with self._db.transaction_before_sending():
            before = await self._lock_task(task_id)
            await self._db.lock_account(before.account)
            after = release(
                before, await self._existing_for(replace(before, created_at=at), limits)
            )
            if before.status is Status.WAITING and after.status is Status.INTENDED:
                await self._put_body(after, body)
            return await self._update_task(before, after)

    async def _put_body(self, task: Task, body: Mapping[str, Any]) -> None:
        """Store the body that is to be sent, if the task's own request is another one."""
        if body != task.request:
            row = {"task_id": task.id, "content": conversion.to_json(body)}
            await self._rows.execute(schema.PUT_BODY, row)

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        async with self._db.transaction():
            before = await self._lock_task(task_id)
            return await self._update_task(before, change(before))

    async def change_all(
        self, changes: Sequence[tuple[str, Callable[[Task], Task]]]
    ) -> list[Task | Exception]:
        async with self._db.transaction():
            found = await self._rows.select_to_change([task_id for task_id, _ in changes])
            return await self._change_rows(found, changes)

    async def take_leases(
        self, task_ids: Sequence[str], take: Callable[[Task], Task]
    ) -> list[Task | Exception | None]:
        async with self._db.transaction():
            found, locked = await self._rows.select_free_to_change(task_ids)
            free = [task_id for task_id in task_ids if task_id not in locked]
            taken = await self._change_rows(found, [(task_id, take) for task_id in free])
        outcomes = dict(zip(free, taken, strict=True))
        return [outcomes.get(task_id) for task_id in task_ids]

    async def _change_rows(
        self, found: Sequence[Row], changes: Sequence[tuple[str, Callable[[Task], Task]]]
    ) -> list[Task | Exception]:
        """Make these changes of the rows that this transaction has locked; what becomes of each."""
        rows = {str(row["id"]): row for row in found}
        before, after = dict[str, Task](), dict[str, Task]()
        outcomes = list[Task | Exception]()
        for task_id, change in changes:
            try:
                if task_id not in before:
                    before[task_id] = after[task_id] = conversion.from_row(rows[task_id])
                after[task_id] = change(after[task_id])
                outcomes.append(after[task_id])
            except UnreadableRow as exc:
                outcomes.append(unreadable_row_error(exc, "written"))
            except Exception as exc:  # noqa: BLE001 - a bug in one change must not stop others
                outcomes.append(exc)
        failed = await self._update_tasks([(before[each], after[each]) for each in before])
        return [failed.get(each.id, each) if isinstance(each, Task) else each for each in outcomes]

    async def _update_tasks(self, changed: Sequence[tuple[Task, Task]]) -> dict[str, Exception]:
        """Record what has changed, all at once; the tasks of which it cannot be recorded."""
        failed = dict[str, Exception]()
        try:
            async with self._db.savepoint():
                await self._update_all(changed)
        except StorageUnavailable:
            if not self._db.in_transaction:
                raise
            for before, after in changed:
                try:
                    async with self._db.savepoint():
                        await self._update_task(before, after)
                except StorageUnavailable as exc:
                    if not self._db.in_transaction:
                        raise
                    failed[after.id] = exc
        return failed

    async def _update_all(self, changed: Sequence[tuple[Task, Task]]) -> None:
        updates, events, settled = dict[str, list[Params]](), list[Params](), list[Params]()
        for before, after in changed:
            if after == before:
                continue
            row = conversion.changed_columns(before, after)
            updates.setdefault(schema.update(row), []).append({**row, "id": after.id})
            if _is_body_unneeded(before, after):
                settled.append({"id": after.id})
            if conversion.event_fields(before) != conversion.event_fields(after):
                events.append({"at": self._db.clock(), **conversion.event_fields(after)})
        for statement, rows in updates.items():
            await self._rows.execute_many(statement, rows)
        if settled:
            await self._rows.execute_many(schema.DROP_BODY, settled)
        if events:
            await self._rows.execute_many(schema.INSERT_EVENT, events)

    async def claim(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        async with self._db.transaction_before_sending():
            before = await self._lock_task(task_id)
            return await self._update_task(before, change(before))

    async def assign_provider_id(
        self, task_id: str, provider_task_id: str, change: Callable[[Task, Task | None], Task]
    ) -> Task:
        async with self._db.transaction():
            before = await self._lock_task(task_id)
            # Or two tasks could be given the id at once, each while the other has not got it yet.
            await self._db.lock_account(before.account)
            params = {**conversion.to_row(before), "provider_task_id": provider_task_id}
            found = await self._rows.select_one(schema.SELECT_HOLDER, params)
            holder = conversion.from_row(found) if found else None
            return await self._update_task(before, change(before, holder))

    async def supersede(
        self,
        task_id: str,
        change: Callable[[Task], tuple[Task, Task]],
        check: Callable[[Task, ExistingTasks], None],
        *,
        limits: Limits | None,
        body: Mapping[str, Any] | None = None,
    ) -> Task:
        async with self._db.transaction_before_sending():
            before = await self._lock_task(task_id)
            await self._db.lock_account(before.account)
            after, successor = change(before)
            if await self._is_short_id_taken(successor.id):
                raise ShortIdTaken
            moving = {"id": task_id, "task_id": successor.id}
            stored = await self._rows.execute(schema.MOVE_BODY, moving) > 0
            if not stored and not is_sendable(body or successor.request):
                # They are deleted once a request is accepted. Without them it would be another,
                # paid request.
                msg = (
                    "Its images are no longer stored, so it cannot be sent again unchanged; mark it"
                    " as abandoned with --abandon, and request the video again"
                )
                raise InvalidDecision(msg)
            await self._update_task(before, after)
            check(successor, await self._existing_for(successor, limits))
            await self._insert_task(successor)
            if not stored and body is not None:
                await self._put_body(successor, body)
            return successor

    async def purge(self, task_ids: Sequence[str], may_go: Callable[[Task], bool]) -> list[str]:
        purged = list[str]()
        async with self._db.transaction():
            await self._db.prepare_purge()
            for row in await self._rows.select_to_change(task_ids):
                if not may_go(conversion.from_row(row)):
                    continue
                task_id = str(row["id"])
                for statement in (
                    schema.PURGE_EVENTS,
                    schema.BLANK_EVENT,
                    schema.DROP_BODY,
                    schema.PURGE_TASK,
                ):
                    await self._rows.execute(statement, {"id": task_id})
                purged.append(task_id)
        return purged

    async def compact(self) -> None:
        await self._db.compact()

    async def _lock_task(self, task_id: str) -> Task:
        """The task, which no other transaction changes before this one ends."""
        found = await self._rows.select_to_change([task_id])
        if not found:
            raise KeyError(task_id)
        return conversion.from_row(found[0])

    async def _is_short_id_taken(self, task_id: str) -> bool:
        """Whether the id of another task begins like this one; asked before one is recorded."""
        params = {"start": short_id(task_id), "id": task_id}
        return await self._rows.select_one(schema.SELECT_SIMILAR_ID, params) is not None

    async def _insert_task(self, task: Task, *, recorded_as: Task | None = None) -> bool:
        """False if the ledger holds the task already, as one that was made elsewhere.

        *recorded_as* is the task before it was claimed in this same transaction: the events say
        when it was recorded, and when it was claimed.
        """
        if task.tenant != self.tenant:
            msg = f"a task of {task.tenant} cannot be recorded for {self.tenant}"
            raise ValueError(msg)
        inserted = await self._rows.execute(schema.INSERT, conversion.to_row(task)) > 0
        if inserted:
            first = recorded_as or task
            await self._insert_event(first, at=first.created_at)
            if conversion.event_fields(first) != conversion.event_fields(task):
                await self._insert_event(task, at=self._db.clock())
        return inserted

    async def _update_task(self, before: Task, after: Task) -> Task:
        await self._update_all([(before, after)])
        return after

    async def update_budget(self, account: str, change: Callable[[Budget], tuple[Budget, T]]) -> T:
        async with self._db.transaction():
            await self._db.lock_account(account)
            before = await self._get_budget(account)
            after, answer = change(before)
            if after != before:
                await self._put_budget(after)
            return answer

    async def _put_budget(self, budget: Budget) -> None:
        await self._rows.execute(schema.UPSERT_BUDGET, conversion.to_budget_row(budget))

    async def _insert_event(self, task: Task, *, at: float) -> None:
        await self._rows.execute(schema.INSERT_EVENT, {"at": at, **conversion.event_fields(task)})


def _is_body_unneeded(before: Task, after: Task) -> bool:
    """Whether the stored request has to be sent no more since this change."""
    return before.status in BODY_NEEDED and after.status not in BODY_NEEDED
