"""The statements of one tenant: the one place where `:tenant` is filled in.

Every statement on tasks, events and stored requests has the condition `tenant = :tenant`. No
caller names the tenant, so none can forget it or name another one.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from geekai_video_mcp.ledger.database import Database


class TenantRows:
    """What one tenant sees of an open database."""

    def __init__(self, db: Database, tenant: str) -> None:
        self._db = db
        self.tenant: Final = tenant

    def execute(self, statement: str, params: Mapping[str, Any]) -> sqlite3.Cursor:
        """Run one statement of the current transaction."""
        return self._db.execute(statement, self._bound(params))

    def select(self, statement: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._db.select(statement, self._bound(params))

    def select_one(self, statement: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        return next(iter(self.select(statement, params)), None)

    def select_values(self, statement: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows without the names of their columns, for thousands of them."""
        return self._db.select_values(statement, self._bound(params))

    def _bound(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {**params, "tenant": self.tenant}
