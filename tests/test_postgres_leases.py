"""Processes on one PostgreSQL database share tasks without waiting for each other."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import httpx
import pytest

from geekai_video_mcp import engine
from geekai_video_mcp.app import open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.leases import acquire_lease
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task, new_task
from geekai_video_mcp.ledger import Ledger
from support.postgres import needs_postgres

pytestmark = needs_postgres
NOW = 1_790_000_000.0
HELD = "SELECT id FROM geekai_video.task WHERE id = ANY($1::text[]) FOR UPDATE"


@asynccontextmanager
async def opened(database_url: str, folder: Path, count: int = 1) -> AsyncGenerator[list[Ledger]]:
    """The same ledger, as so many processes have it."""
    ledgers = [await Ledger.open_database(database_url, folder) for _ in range(count)]
    yield ledgers
    for ledger in ledgers:
        await ledger.close()


@asynccontextmanager
async def being_changed(database_url: str, *task_ids: str) -> AsyncGenerator[None]:
    """While the block lasts, another transaction has these rows."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(HELD, task_ids)
            yield
    finally:
        await connection.close()


async def add_running(ledger: Ledger, count: int, *, account: str = "s") -> list[Task]:
    """Tasks that nobody watches."""
    added = list[Task]()
    for number in range(count):
        task = new_task(
            request={"model": "m", "prompt": "a fox"}, account=account, owner="a", at=NOW
        )
        running = replace(
            task,
            status=Status.RUNNING,
            attempt=1,
            submitted_at=NOW,
            provider_task_id=f"theirs-{number}",
        )
        added.append(await ledger.add(running))
    return added


def take(holder: str) -> partial[Task]:
    return partial(acquire_lease, holder=holder, at=NOW)


async def test_a_task_that_another_process_is_changing_is_left_to_it(
    database_url: str, tmp_path: Path
) -> None:
    async with opened(database_url, tmp_path) as (ledger,):
        tasks = await add_running(ledger, 3)
        ids = [task.id for task in tasks]
        async with being_changed(database_url, ids[1]):
            with anyio.fail_after(5):
                outcomes = await ledger.take_leases([*ids, "nobody's"], take("me"))
        stored = [await ledger.find(task_id) for task_id in ids]

    assert isinstance(outcomes[3], KeyError)
    assert outcomes[:3] == [stored[0], None, stored[2]]
    assert [task and task.lease_holder for task in stored] == ["me", None, "me"]


async def test_processes_that_take_the_same_tasks_at_once_share_them(
    database_url: str, tmp_path: Path
) -> None:
    """All of them go through the same list in the same order, as after the end of another one."""
    async with opened(database_url, tmp_path, 4) as ledgers:
        ids = [task.id for task in await add_running(ledgers[0], 200)]
        holders = Counter[str]()

        async def take_all(number: int) -> None:
            left, holder = list(ids), f"process {number}"
            while left:
                batch, left = left[:20], left[20:]
                outcomes = await ledgers[number].take_leases(batch, take(holder))
                for task_id, outcome in zip(batch, outcomes, strict=True):
                    if outcome is None:
                        left.append(task_id)
                    else:
                        assert isinstance(outcome, Task)
                        holders[holder] += outcome.lease_holder == holder

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for number in range(4):
                    group.start_soon(take_all, number)

    assert sum(holders.values()) == len(ids), "each task has one holder, and was taken once"


async def test_a_task_that_was_just_being_changed_is_watched_a_moment_later(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SWEEP_INTERVAL", 3600.0)  # a later sweep would find it as well
    settings = Settings.from_env(
        {
            "GEEKAI_API_KEY": "sk-any",
            "GEEKAI_STATE_DIR": str(tmp_path / "state"),
            "GEEKAI_OUTPUT_DIR": str(tmp_path / "videos"),
            "GEEKAI_DATABASE_URL": database_url,
        }
    )
    polled = {"theirs-0": anyio.Event(), "theirs-1": anyio.Event()}

    def answer(request: httpx.Request) -> httpx.Response:
        task_id = request.url.path.rpartition("/")[2]
        polled[task_id].set()
        return httpx.Response(200, json={"task_id": task_id, "task_status": "running"})

    async with opened(database_url, tmp_path) as (ledger,):
        held, other = await add_running(ledger, 2, account=settings.account)
        transport = httpx.MockTransport(answer)
        with anyio.fail_after(30):
            async with AsyncExitStack() as change:
                await change.enter_async_context(being_changed(database_url, held.id))
                async with open_app(settings, transport=lambda: transport):
                    await polled[str(other.provider_task_id)].wait()
                    was_polled = polled[str(held.provider_task_id)].is_set()
                    await change.aclose()
                    await polled[str(held.provider_task_id)].wait()

    assert not was_polled
