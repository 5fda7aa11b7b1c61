"""The statements of one tenant: the one place where `:tenant` is filled in.

Every statement on tasks, events and stored requests has the condition `tenant = :tenant`. No
caller names the tenant, so none can forget it or name another one.
"""

from collections.abc import Sequence
from typing import Any, Final

from geekai_video_mcp.ledger.database import Database, Params, Row


class TenantRows:
    """What one tenant sees of an open database."""

    def __init__(self, db: Database, tenant: str) -> None:
        self._db = db
        self.tenant: Final = tenant

    async def execute(self, statement: str, params: Params) -> int:
        """Run one statement of the current transaction; returns how many rows it has changed."""
        return await self._db.execute(statement, self._bound(params))

    async def select(self, statement: str, params: Params) -> list[Row]:
        return await self._db.select(statement, self._bound(params))

    async def select_one(self, statement: str, params: Params) -> Row | None:
        return next(iter(await self.select(statement, params)), None)

    async def select_to_change(self, task_ids: Sequence[str]) -> list[Row]:
        """The rows of these tasks, which nobody else changes before the transaction ends."""
        return await self._db.select_to_change(task_ids, tenant=self.tenant)

    async def select_free_to_change(self, task_ids: Sequence[str]) -> tuple[list[Row], set[str]]:
        """The same of those that nobody else is changing now, and the ids of the others."""
        return await self._db.select_free_to_change(task_ids, tenant=self.tenant)

    async def execute_many(self, statement: str, params: Sequence[Params]) -> None:
        """Run one statement of the current transaction with each of *params*."""
        await self._db.execute_many(statement, list(map(self._bound, params)))

    async def select_values(self, statement: str, params: Params) -> list[tuple[Any, ...]]:
        """The rows without the names of their columns, for thousands of them."""
        return await self._db.select_values(statement, self._bound(params))

    def _bound(self, params: Params) -> dict[str, Any]:
        return {**params, "tenant": self.tenant}
