"""A look at a ledger in PostgreSQL that creates no table and changes nothing."""

from typing import TYPE_CHECKING, Any

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.errors import LedgerTooNew
from geekai_video_mcp.ledger.postgres import VARIABLE
from geekai_video_mcp.ledger.postgres.connection import (
    SCHEMA,
    checked_connection,
    read_schema_version,
)
from geekai_video_mcp.ledger.postgres.migrations import MIGRATIONS
from geekai_video_mcp.ledger.report import LedgerReport, UnknownTask

if TYPE_CHECKING:
    import asyncpg


async def has_tables(url: str) -> bool:
    """Whether a server has created the ledger's tables in this database.

    Raises:
        ConfigError: the database cannot be reached or used; it names the variable.
    """
    async with checked_connection(url) as connection:
        return await _has_tables(connection)


async def check_database(url: str) -> LedgerReport | None:
    """What the ledger in this database holds; None before there is any.

    Raises:
        ConfigError: the database cannot be reached or used; it names the variable.
        LedgerTooNew: it belongs to a newer version of this server.
    """
    async with (
        checked_connection(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        if not await _has_tables(connection):
            return None
        version = await read_schema_version(connection)
        if version > len(MIGRATIONS):
            raise LedgerTooNew("created", place=VARIABLE)
        tasks = await connection.fetch("SELECT tenant, count(*) FROM task GROUP BY 1 ORDER BY 1")
        unknown = await connection.fetch(
            "SELECT id, tenant FROM task WHERE status = $1 ORDER BY created_at",
            Status.UNKNOWN.value,
        )
        return LedgerReport(
            server=f"PostgreSQL {await _read_server_version(connection)}",
            schema_version=version,
            newest_schema=len(MIGRATIONS),
            tasks={row["tenant"]: row["count"] for row in tasks},
            unknown=tuple(UnknownTask(row["id"], row["tenant"]) for row in unknown),
            checked=True,
        )


async def _has_tables(connection: "asyncpg.Connection[Any]") -> bool:
    found = await connection.fetchval("SELECT to_regclass($1)::text", f"{SCHEMA}.schema_version")
    return found is not None


async def _read_server_version(connection: "asyncpg.Connection[Any]") -> str:
    number = int(await connection.fetchval("SHOW server_version_num"))
    return f"{number // 10_000}.{number % 10_000}"
