"""Whoever listens is told what changes, whichever process changes it; others cost nothing."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup
from mcp import Client
from mcp.client.subscriptions import ListenNotSupportedError, Subscription
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent

from geekai_video_mcp.domain.tasks import new_task
from geekai_video_mcp.ledger import Ledger
from support.clock import run_without_thread
from support.ledgers import record_tasks
from support.world import Era, World, call, now, structured

pytestmark = pytest.mark.both_eras

LIST_CHANGED = ResourcesListChanged()


@pytest.fixture
def era() -> Era:
    """Only the newer era has `subscriptions/listen`."""
    return "auto"


@asynccontextmanager
async def listening(client: Client, *uris: str) -> AsyncGenerator[list[ServerEvent]]:
    """What a listener to the list and to *uris* hears, as it comes."""
    events: list[ServerEvent] = []

    async def hear(subscription: Subscription) -> None:
        async for event in subscription:
            events.append(event)  # noqa: PERF401 - each as it comes

    async with (
        client.listen(resources_list_changed=True, resource_subscriptions=uris) as subscription,
        anyio.create_task_group() as ears,
    ):
        ears.start_soon(hear, subscription)
        yield events
        ears.cancel_scope.cancel()


async def start_task(client: Client, prompt: str = "a fox") -> tuple[str, str]:
    """A new task: its id and its address."""
    task_id = structured(await call(client, "generate_video", prompt=prompt))["task_id"]
    return task_id, f"video://tasks/{task_id}"


async def test_a_change_of_the_task_is_notified_at_once(world: World) -> None:
    async with world.client() as client:
        task_id, uri = await start_task(client)
        async with listening(client, uri) as events:
            await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
            await anyio.sleep(0.1)  # less than the second in which another process would be heard
            last = events[-1:]

    assert ResourceUpdated(uri=uri) in events
    assert last == [LIST_CHANGED], "its file is in the list now"


async def test_every_part_of_a_task_is_notified_when_it_is_created(world: World) -> None:
    async with world.client() as client:
        task_id, uri = await start_task(client)
        parts = [f"{uri}/{part}" for part in ("video", "cover", "frames", "last-frame")]
        async with listening(client, *parts) as events:
            await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
            await anyio.sleep(1)

    updated = {event.uri for event in events if isinstance(event, ResourceUpdated)}
    assert updated == set(parts)


async def test_a_new_task_changes_the_list(world: World) -> None:
    async with world.client() as client, listening(client) as events:
        await anyio.sleep(5)
        before = list(events)
        await start_task(client)
        await anyio.sleep(1)

    assert before == []
    assert LIST_CHANGED in events


async def test_changes_by_another_process_are_notified_within_a_second(world: World) -> None:
    async with world.client() as client:
        async with listening(client) as events:
            task = new_task(request={"prompt": "x"}, account="another", owner="dead", at=now())
            await record_tasks(world.state, task)
            await anyio.sleep(1.1)

        assert events == [LIST_CHANGED]


async def test_only_subscribed_changes_are_notified(world: World) -> None:
    async with world.client() as client:
        _, mine = await start_task(client)
        other_id, _ = await start_task(client, "a hare")
        async with listening(client, mine) as events:
            await call(client, "get_video_task", task_id=other_id, wait_seconds=45)
            await anyio.sleep(60)

    updated = {event.uri for event in events if isinstance(event, ResourceUpdated)}
    assert updated == {mine}


async def test_a_new_subscriber_is_not_notified_of_past_changes(world: World) -> None:
    async with world.client() as client:
        task_id, uri = await start_task(client)
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        async with listening(client, uri) as events:
            await anyio.sleep(60)

    assert events == []


async def test_a_subscriber_is_not_notified_of_what_was_changed_after_the_last_one_had_left(
    world: World,
) -> None:
    async with world.client() as client:
        task_id, uri = await start_task(client)
        async with listening(client, uri) as first:
            await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
            await anyio.sleep(5)
        later_id, later_uri = await start_task(client, "a hare")
        await call(client, "get_video_task", task_id=later_id, wait_seconds=45)
        async with listening(client, later_uri) as events:
            await anyio.sleep(60)

    assert first
    assert events == []


def count_ledger_reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the ledger has been asked what happened."""
    ledger_reads: list[str] = []
    whole = Ledger.events_after

    async def happenings(self: Ledger, cursor: str) -> Any:  # noqa: ANN401 - as it is
        ledger_reads.append(cursor)
        return await whole(self, cursor)

    monkeypatch.setattr(Ledger, "events_after", happenings)
    return lambda: len(ledger_reads)


async def test_the_ledger_is_not_polled_without_subscribers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger_reads = count_ledger_reads(monkeypatch)
    async with world.client() as client:
        await start_task(client)
        await anyio.sleep(60)
        unheard = ledger_reads()
        async with listening(client):
            await anyio.sleep(10)
        events = ledger_reads()
        await anyio.sleep(60)

        assert unheard == 0
        assert 10 <= events <= 15
        assert ledger_reads() <= events + 1


async def test_one_reader_serves_all_listeners_and_the_next_takes_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger_reads = count_ledger_reads(monkeypatch)
    world.service.job_seconds = 600

    async def listen_for(seconds: float, client: Client, events: list[ServerEvent]) -> None:
        async with listening(client) as received:
            await anyio.sleep(seconds)
        events += received

    first: list[ServerEvent] = []
    second: list[ServerEvent] = []
    async with world.client() as client:
        group: TaskGroup
        async with anyio.create_task_group() as group:
            group.start_soon(listen_for, 10.0, client, first)
            await anyio.sleep(0.5)
            group.start_soon(listen_for, 30.0, client, second)
            await anyio.sleep(5)
            await start_task(client, "while both listen")
            assert ledger_reads() <= 12, "one look a second, and one for each change here"
            await anyio.sleep(15)
            await start_task(client, "while the second listens alone")

    assert first == [LIST_CHANGED], "told once, though two listen"
    assert second == [LIST_CHANGED, LIST_CHANGED]


async def test_a_ledger_that_cannot_be_read_for_a_while_silences_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.client() as client, listening(client) as events:
        with monkeypatch.context() as broken:
            broken.setattr("geekai_video_mcp.ledger.schema.SELECT_EVENTS_AFTER", "SELECT gone")
            await start_task(client)
            await anyio.sleep(5)
            assert events == []
        await anyio.sleep(2)

        assert LIST_CHANGED in events


async def test_a_task_taken_in_from_elsewhere_is_new_here(world: World) -> None:
    async with world.client() as client:
        await start_task(client)
        (job,) = world.service.jobs
        stranger = world.service.jobs.pop(job)
        stranger.id = "made-elsewhere-1"
        world.service.jobs["made-elsewhere-1"] = stranger
        async with listening(client) as events:
            await call(client, "get_video_task", task_id="made-elsewhere-1", wait_seconds=0)
            await anyio.sleep(1.1)

    assert LIST_CHANGED in events


async def test_an_older_client_cannot_subscribe_and_gets_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(anyio.to_thread, "run_sync", run_without_thread)
    world = World(tmp_path, era="legacy")
    async with world.client() as client, AsyncExitStack() as stack:
        capabilities = client.server_capabilities
        with pytest.raises(ListenNotSupportedError):
            await stack.enter_async_context(client.listen(resources_list_changed=True))

    assert capabilities is not None
    assert capabilities.resources is not None
    assert not capabilities.resources.subscribe
