"""What a status call reads of the ledger, and what callers that wait read meanwhile."""

from collections import Counter
from functools import partial

import anyio
import httpx
import pytest

from geekai_video_mcp.ledger import schema
from support.counts import Counts
from support.world import World, call, structured


async def keep_running(request: httpx.Request) -> httpx.Response:
    job = request.url.path.rsplit("/", 1)[-1]
    return httpx.Response(200, json={"task_id": job, "task_status": "running"})


@pytest.mark.parametrize(("digits", "statements"), [(32, 1), (8, 2)])
async def test_a_status_call_is_one_statement_and_no_thread_or_two_for_a_short_id(
    counts: Counts, world: World, digits: int, statements: int
) -> None:
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        counts.clear()
        found = await call(
            client, "get_video_task", task_id=task_id[:digits], wait_seconds=0, view="none"
        )
        assert (counts.statements.total(), counts.thread_hops) == (statements, 0)

    assert structured(found)["task_status"] == "succeed"


async def test_callers_that_wait_read_their_task_at_its_changes_and_share_one_reader(
    counts: Counts, world: World
) -> None:
    """Another server watches the task: this one has nothing but the ledger to learn from."""
    world.service.on_poll = keep_running

    async def wait_with(callers: int) -> Counter[str]:
        async with world.client() as client:
            counts.clear()
            async with anyio.create_task_group() as group:
                for _ in range(callers):
                    waiting = partial(call, task_id=task_id, wait_seconds=45)
                    group.start_soon(waiting, client, "get_video_task")
            return Counter(counts.statements)

    async with world.client() as watching:
        task_id = structured(await call(watching, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(60)
        few, many = await wait_with(2), await wait_with(20)

    assert few[schema.SELECT_EVENTS_AFTER] == pytest.approx(45, abs=2)
    assert many[schema.SELECT_EVENTS_AFTER] == few[schema.SELECT_EVENTS_AFTER]
    # To find it, before the wait, perhaps when the reader has begun, and at the end.
    assert few[schema.FIND] <= 2 * 4
    assert many[schema.FIND] <= 20 * 4


async def test_a_waiting_caller_learns_within_a_second_what_another_server_has_recorded(
    world: World,
) -> None:
    async with world.client() as watching, world.client() as client:
        task_id = structured(await call(watching, "generate_video", prompt="a fox"))["task_id"]
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
        answered_at = world.clock()

    recorded_at = (await world.find_task(task_id)).ended_at
    assert done["task_status"] == "succeed"
    assert recorded_at is not None
    assert answered_at - recorded_at <= 1.5
