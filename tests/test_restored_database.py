"""A PostgreSQL database that was restored from a copy, and what `deploy/restored.sql` does."""

from pathlib import Path

import pytest

from geekai_video_mcp.domain.backups import mark_unsent_as_unknown
from geekai_video_mcp.domain.statuses import UNSENT, Status
from geekai_video_mcp.ledger import Ledger
from support.postgres import connected, needs_postgres, run_sql
from support.recorded import NOW, make_task

pytestmark = needs_postgres
SCRIPT = Path(__file__).parents[1] / "deploy" / "restored.sql"


@pytest.mark.parametrize("status", Status)
async def test_a_restored_task_is_what_it_would_be_in_a_copy_of_sqlite(
    database_url: str, tmp_path: Path, status: Status
) -> None:
    """What may have been sent is `unknown`, for a person to decide; the rest is as it was."""
    task = make_task(status=status, attempt=2)
    ledger = await Ledger.open_database(database_url, tmp_path)
    await ledger.add(task)
    async with connected(database_url) as connection:
        await connection.execute(SCRIPT.read_text("utf-8"))
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
    ledger = await Ledger.open_database(database_url, tmp_path)
    await ledger.add(make_task())
    await ledger.close()
    ahead = "(pg_current_xact_id()::text::bigint + 50)::text::xid8"
    await run_sql(database_url, f"UPDATE event SET xid = {ahead}")  # noqa: S608 - our own words

    restored = await Ledger.open_database(database_url, tmp_path)
    cursor = await restored.event_cursor()
    await run_sql(database_url, *["SELECT pg_current_xact_id()"] * 60)
    reported = await restored.events_after(cursor)
    await restored.close()

    assert reported == []
