"""A PostgreSQL database that was restored from a copy, and what `deploy/restored.sql` does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from geekai_video_mcp.domain.backups import mark_unsent_as_unknown
from geekai_video_mcp.domain.statuses import UNSENT, Status
from geekai_video_mcp.domain.tasks import new_task
from geekai_video_mcp.ledger import Ledger
from support.postgres import needs_postgres

pytestmark = needs_postgres
SCRIPT = Path(__file__).parents[1] / "deploy" / "restored.sql"
NOW = 1_790_000_000.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("status", Status)
async def test_a_restored_task_is_what_it_would_be_in_a_copy_of_sqlite(
    database_url: str, tmp_path: Path, status: Status
) -> None:
    """What may have been sent is `unknown`, for a person to decide; the rest is as it was."""
    asked = new_task(request={"model": "m", "prompt": "a fox"}, account="s", owner="a", at=NOW)
    task = replace(asked, status=status, attempt=2)
    ledger = await Ledger.open_database(database_url, tmp_path)
    await ledger.add(task)
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    await connection.execute(SCRIPT.read_text("utf-8"))
    await connection.close()
    restored = await ledger.find(task.id)
    await ledger.close()

    assert restored is not None
    restored_at = restored.submitted_at or NOW
    assert restored == mark_unsent_as_unknown(task, at=restored_at)
    assert (restored.status is not task.status) is (status in UNSENT)


async def test_a_change_that_another_cluster_recorded_is_not_reported_again(
    database_url: str, tmp_path: Path
) -> None:
    """Transactions are numbered by cluster: an event may have a number that is still to come."""
    asked = new_task(request={"model": "m", "prompt": "a fox"}, account="s", owner="a", at=NOW)
    ledger = await Ledger.open_database(database_url, tmp_path)
    await ledger.add(asked)
    await ledger.close()
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE geekai_video.event SET xid = (pg_current_xact_id()::text::bigint + 50)::text::xid8"
    )

    restored = await Ledger.open_database(database_url, tmp_path)
    cursor = await restored.event_cursor()
    for _ in range(60):
        await connection.execute("SELECT pg_current_xact_id()")
    reported = await restored.events_after(cursor)
    await restored.close()
    await connection.close()

    assert reported == []
