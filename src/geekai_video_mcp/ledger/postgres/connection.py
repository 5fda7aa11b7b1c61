"""Connections to PostgreSQL: how each is set up, and what is refused before any is used.

A database that may lose what it has confirmed is refused, because a lost row is a video that
someone paid for, and so is a pooler that gives a session's connection to others, because then a
session lock says nothing about who holds it.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from geekai_video_mcp.errors import LedgerTooNew
from geekai_video_mcp.ledger.postgres import VARIABLE
from geekai_video_mcp.ledger.postgres.errors import FAILURES, refuse_at_start, refuse_setting
from geekai_video_mcp.ledger.postgres.migrations import MIGRATIONS

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

OLDEST: Final = 140_000
"""PostgreSQL 14, as `server_version_num` writes it: the oldest that has what the statements use and
is still maintained."""
SCHEMA: Final = "geekai_video"
"""The schema that has the tables, so that the database may have others."""
CONNECT_TIMEOUT: Final = 10.0
"""Seconds until a server that does not answer counts as out of reach."""
STATEMENT_TIMEOUT: Final = 30.0
"""Seconds that a statement may take, and that a transaction waits for a lock of another one."""
IDLE_TIMEOUT: Final = 10.0
"""Seconds between two statements of a transaction, none of which waits for anything else, after
which its process counts as cut off: others wait for its locks."""
COMMAND_TIMEOUT: Final = STATEMENT_TIMEOUT + 5.0
"""Seconds after which a connection without an answer is given up."""
_MIGRATION_LOCK: Final = 0x6765656B6169
"""The advisory lock of whoever creates or upgrades the tables."""


async def set_up(connection: "asyncpg.Connection[Any] | PoolConnectionProxy[Any]") -> None:
    """Give a new connection our settings."""
    settings = {
        "search_path": SCHEMA,
        "statement_timeout": f"{STATEMENT_TIMEOUT * 1000:.0f}ms",
        "lock_timeout": f"{STATEMENT_TIMEOUT:.0f}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT:.0f}s",
        "default_transaction_isolation": "read committed",
        "TimeZone": "UTC",
        # Compiling takes longer than any statement of ours.
        "jit": "off",
        # The session of a machine that has no network any more ends, and its locks with it.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "25s",
    }
    await connection.execute(";".join(f"SET {name} = '{each}'" for name, each in settings.items()))


async def connect(url: str) -> "asyncpg.Connection[Any]":
    """One connection of its own, with our settings.

    Raises what asyncpg raises.
    """
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        # A partition is noticed by its ends: the server frees the locks of a client that is gone.
        server_settings={"application_name": "geekai-video-mcp"},
    )
    try:
        await set_up(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def prepare_database(url: str) -> None:
    """Check the database, and create or upgrade its tables; safe for any number at once.

    Raises:
        ConfigError: it cannot be reached or used; it names the variable.
        LedgerTooNew: a newer version of this server has created or upgraded the tables.
    """
    async with checked_connection(url) as connection:
        await _migrate(connection)


@asynccontextmanager
async def checked_connection(url: str) -> "AsyncGenerator[asyncpg.Connection[Any]]":
    """One connection to a database that may have the ledger; nothing is created in it.

    Raises:
        ConfigError: it cannot be reached or used, or fails meanwhile; it names the variable.
    """
    try:
        connection = await connect(url)
        try:
            await _require_sessions(connection, url)
            await _require_durability(connection)
            yield connection
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT)
    except FAILURES as exc:
        raise refuse_at_start(exc) from None
    except (ValueError, asyncpg.ClientConfigurationError) as exc:
        raise refuse_at_start(exc) from None


async def _require_sessions(first: "asyncpg.Connection[Any]", url: str) -> None:
    """Refuse a pooler that gives a session's server process to other clients in between."""
    try:
        second = await connect(url)
        try:
            kept = await _keeps_process(first, second)
        finally:
            await second.close(timeout=CONNECT_TIMEOUT)
    except _NOT_PREPARED_HERE:
        kept = False
    if not kept:
        msg = (
            "leads through a pooler in transaction mode (PgBouncer), which keeps no session lock;"
            " give the server's own address, or a pool in session mode"
        )
        raise refuse_setting(msg)


_NOT_PREPARED_HERE: Final = (
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.InvalidSQLStatementNameError,
)
"""What a session meets in a server process that had another client meanwhile."""
_POOLER_ROUNDS: Final = 5
"""Attempts to see a pooler share: other clients may have the process in question just then."""


async def _keeps_process(
    first: "asyncpg.Connection[Any]", second: "asyncpg.Connection[Any]"
) -> bool:
    """Whether *first* has a server process of its own, as far as *second* can take it."""
    select = "SELECT pg_backend_pid()"
    own = await first.fetchval(select)
    # A pooler invents the number by which the client would cancel a statement.
    rounds = 1 if own == first.get_server_pid() else _POOLER_ROUNDS
    for _ in range(rounds):
        async with second.transaction():  # which keeps the process that it gets
            if await second.fetchval(select) == own or await first.fetchval(select) != own:
                return False
    return True


async def _require_durability(connection: "asyncpg.Connection[Any]") -> None:
    if int(await connection.fetchval("SHOW server_version_num")) < OLDEST:
        raise refuse_setting("is PostgreSQL before version 14; upgrade it")
    if await connection.fetchval(
        "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
    ):
        raise refuse_setting("is a read-only replica; give the address of the primary")
    for name in ("synchronous_commit", "fsync", "full_page_writes"):
        if await connection.fetchval("SELECT current_setting($1)", name) == "off":
            msg = (
                f"has {name} = off, so that it may lose a request that was paid for; switch it on"
                " for this database and user"
            )
            raise refuse_setting(msg)


async def _migrate(connection: "asyncpg.Connection[Any]") -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", SCHEMA):
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)"
        )
        version = await read_schema_version(connection)
        if version > len(MIGRATIONS):
            raise LedgerTooNew("created", place=VARIABLE)
        for script in MIGRATIONS[version:]:
            for statement in script:
                await connection.execute(statement)
        if version < len(MIGRATIONS):
            await connection.execute("DELETE FROM schema_version")
            await connection.execute("INSERT INTO schema_version VALUES ($1)", len(MIGRATIONS))
        # After a restore into another cluster the transactions' numbers begin anew: an event from
        # there would look as if it were of the future, and be a new one at each read.
        await connection.execute(
            "UPDATE event SET xid = '3' WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"
        )


async def read_schema_version(
    connection: "asyncpg.Connection[Any] | PoolConnectionProxy[Any]",
) -> int:
    """The version of the tables; 0 before there are any."""
    return int(await connection.fetchval("SELECT max(version) FROM schema_version") or 0)


async def read_version_and_xid(connection: "PoolConnectionProxy[Any]") -> tuple[int, str]:
    """The version of the tables, and the number of this transaction, in one round trip."""
    row = await connection.fetchrow(
        "SELECT max(version), pg_current_xact_id()::text FROM schema_version"
    )
    return (int(row[0] or 0), str(row[1])) if row else (0, "")
