"""A ledger that a test opens itself, as another process would."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.ledger import Ledger


@asynccontextmanager
async def open_ledger(state_dir: Path) -> AsyncGenerator[Ledger]:
    ledger = await Ledger.open(state_dir)
    try:
        yield ledger
    finally:
        await ledger.close()


async def record_tasks(state_dir: Path, *tasks: Task) -> list[Task]:
    """Leave tasks in the ledger, each to its tenant, as a server that is gone would have.

    Returns them as they are on record: under another id if theirs was taken.
    """
    async with open_ledger(state_dir) as ledger:
        return [await ledger.of_tenant(task.tenant).add(task) for task in tasks]
