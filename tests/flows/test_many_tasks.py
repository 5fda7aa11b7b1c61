"""Many tasks in flight cost little: nothing runs for each, and those due together share their work.

What is counted here are transactions that write: the header of the ledger's file counts them.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.leases import POLL_LEASE_SECONDS
from geekai_video_mcp.domain.polling import polls_at_once
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task, new_task
from geekai_video_mcp.engine.watcher import DOWNLOADS_AT_ONCE
from support.ledgers import record_tasks
from support.world import World, now

REQUEST = {"model": "m", "prompt": "a fox"}


async def leave_running_tasks(world: World, count: int, *, due_in: float) -> list[str]:
    """Tasks that a server has left, all to be polled at the same time; their ids."""
    tasks = list[Task]()
    for number in range(count):
        task = new_task(request=REQUEST, account=world.account, owner="gone", at=now())
        running = replace(
            task,
            status=Status.RUNNING,
            attempt=1,
            submitted_at=now(),
            provider_task_id=f"theirs-{number}",
            last_polled_at=now(),
            next_poll_at=now() + due_in,
        )
        tasks.append(running)
    return [task.id for task in await record_tasks(world.state, *tasks)]


def write_count(world: World) -> int:
    return int.from_bytes((world.state / "ledger.sqlite3").read_bytes()[24:28], "big")


async def still_running(request: httpx.Request) -> httpx.Response:
    answer = {"task_id": request.url.path.rpartition("/")[2], "task_status": "running"}
    return httpx.Response(200, json=answer)


async def finished(request: httpx.Request) -> httpx.Response:
    task_id = request.url.path.rpartition("/")[2]
    result = [{"id": task_id, "url": f"https://geekai.test/files/{task_id}.mp4"}]
    answer = {"task_id": task_id, "task_status": "succeed", "video_result": result}
    return httpx.Response(200, json=answer)


async def all_tasks(world: World, ids: Sequence[str]) -> list[Task]:
    return [await world.find_task(task_id) for task_id in ids]


async def test_nothing_runs_for_a_task_between_two_polls(world: World) -> None:
    await leave_running_tasks(world, 300, due_in=100)
    async with world.app(sweep=False):
        idle = len(anyio.get_running_tasks())
    async with world.app():
        await anyio.sleep(10)
        watching = len(anyio.get_running_tasks())

    assert watching <= idle + 3


async def test_polls_that_are_due_together_share_their_transactions(world: World) -> None:
    world.requests_per_second = 100
    world.service.on_poll = still_running
    ids = await leave_running_tasks(world, 40, due_in=20)
    async with world.app():
        before = write_count(world)
        await anyio.sleep(15)
        leased = write_count(world) - before
        await anyio.sleep(8)
        polled = write_count(world) - before - leased

    assert [task.poll_count for task in await all_tasks(world, ids)] == [1] * 40
    assert leased <= 1
    assert polled <= 4, "one for the tokens, and up to three for what came within a round"


async def test_a_poll_is_two_transactions_and_none_renews_a_lease_by_the_clock(
    world: World,
) -> None:
    world.service.on_poll = still_running
    (task_id,) = await leave_running_tasks(world, 1, due_in=1)
    async with world.app():
        await anyio.sleep(0.5)
        before = write_count(world)
        await anyio.sleep(600)
        writes, task = write_count(world) - before, await world.find_task(task_id)

    assert task.poll_count > 20
    assert writes == 2 * task.poll_count
    assert task.lease_expires_at is not None
    assert task.next_poll_at is not None
    assert task.lease_expires_at > task.next_poll_at + 60


async def test_a_clock_that_goes_back_by_a_second_renews_no_lease(world: World) -> None:
    """The database's clock is read every second, and never to the same fraction."""
    world.requests_per_second = 5
    world.service.on_poll = still_running
    far = await leave_running_tasks(world, 100, due_in=100)
    await leave_running_tasks(world, 60, due_in=1)
    async with world.app():
        await anyio.sleep(5)
        before = [task.lease_expires_at for task in await all_tasks(world, far)]
        world.clock_is_ahead = -1
        await anyio.sleep(5)
        after = [task.lease_expires_at for task in await all_tasks(world, far)]

    assert after == before


async def test_more_tasks_than_may_be_polled_are_kept_from_other_servers(world: World) -> None:
    world.requests_per_second = 1
    world.service.on_poll = still_running
    ids = await leave_running_tasks(world, 500, due_in=0)
    async with world.app():
        await anyio.sleep(11)
        holders = {task.lease_holder for task in await all_tasks(world, ids)}
        async with world.app():
            for _ in range(6):
                await anyio.sleep(50)
                tasks = await all_tasks(world, ids)
                assert {task.lease_holder for task in tasks} == holders
                assert all((task.lease_expires_at or 0) > now() for task in tasks)
        tasks = await all_tasks(world, ids)

    assert len(holders) == 1
    assert max(task.poll_count for task in tasks) == 1, "each has its turn"
    assert sum(task.poll_count for task in tasks) == pytest.approx(311, abs=10)


async def test_a_new_task_is_not_kept_waiting_by_those_that_are_late(world: World) -> None:
    world.requests_per_second = 1
    world.service.on_poll = still_running
    await leave_running_tasks(world, 300, due_in=-60)
    async with world.app():
        await anyio.sleep(30)
        (newcomer,) = await leave_running_tasks(world, 1, due_in=1000)
        await anyio.sleep(11)
        leased = (await world.find_task(newcomer)).lease_holder

    assert leased is not None


async def test_a_bounded_number_of_polls_waits_for_answers(world: World) -> None:
    waiting = most = 0

    async def slowly(request: httpx.Request) -> httpx.Response:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await anyio.sleep(5)
        waiting -= 1
        return await still_running(request)

    world.requests_per_second = 100
    world.service.on_poll = slowly
    ids = await leave_running_tasks(world, 200, due_in=0)
    async with world.app():
        await anyio.sleep(40)
        polls = [task.poll_count for task in await all_tasks(world, ids)]

    assert most == polls_at_once(100) == 100
    assert min(polls) >= 1


async def test_a_bounded_number_of_results_is_downloaded_at_once_and_each_once(
    world: World,
) -> None:
    waiting = most = 0

    async def slowly(_: httpx.Request) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        try:
            await anyio.sleep(20)
        finally:
            waiting -= 1

    world.requests_per_second = 1000
    world.service.on_poll, world.service.on_file = finished, slowly
    ids = await leave_running_tasks(world, DOWNLOADS_AT_ONCE * 2 + 5, due_in=0)
    async with world.app(), world.app():
        await anyio.sleep(600)
        tasks = await all_tasks(world, ids)

    assert most <= 2 * DOWNLOADS_AT_ONCE, "of two servers"
    assert {task.file_status.value for task in tasks} == {"stored"}
    assert len(world.files()) == len(ids)


async def test_tasks_go_on_when_a_computer_wakes_from_its_sleep(world: World) -> None:
    """Its clock goes on meanwhile, and what a program waits for does not."""
    world.service.on_poll = still_running
    (task_id,) = await leave_running_tasks(world, 1, due_in=100)
    async with world.app():
        await anyio.sleep(5)
        world.clock_is_ahead = 3600
        await anyio.sleep(31)
        task = await world.find_task(task_id)

    assert task.poll_count >= 1
    assert (task.lease_expires_at or 0) > now() + 3600 + POLL_LEASE_SECONDS / 2


async def test_a_row_that_cannot_be_read_keeps_no_other_from_being_recorded(world: World) -> None:
    world.requests_per_second = 100
    world.service.on_poll = still_running
    broken, *others = await leave_running_tasks(world, 20, due_in=20)
    async with world.app():
        await anyio.sleep(15)
        with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as disk:
            disk.execute("UPDATE task SET request = 'fox' WHERE id = ?", [broken])
            disk.commit()
        await anyio.sleep(8)
        tasks = await all_tasks(world, others)

    assert [task.poll_count for task in tasks] == [1] * 19
