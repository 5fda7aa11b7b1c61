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

from geekai_video_mcp.domain.lifecycle import new_task
from geekai_video_mcp.ledger import Ledger
from support.clock import in_place
from support.world import Era, World, call, now, structured

LIST_CHANGED = ResourcesListChanged()


@pytest.fixture
def era() -> Era:
    """Only the newer era has `subscriptions/listen`."""
    return "auto"


@asynccontextmanager
async def hearing(client: Client, *uris: str) -> AsyncGenerator[list[ServerEvent]]:
    """What a listener to the list and to *uris* hears, as it comes."""
    heard: list[ServerEvent] = []

    async def hear(subscription: Subscription) -> None:
        async for event in subscription:
            heard.append(event)  # noqa: PERF401 - each as it comes

    async with (
        client.listen(resources_list_changed=True, resource_subscriptions=uris) as subscription,
        anyio.create_task_group() as ears,
    ):
        ears.start_soon(hear, subscription)
        yield heard
        ears.cancel_scope.cancel()


async def start(client: Client, prompt: str = "a fox") -> tuple[str, str]:
    """A new task: its id and its address."""
    task_id = structured(await call(client, "generate_video", prompt=prompt))["task_id"]
    return task_id, f"video://tasks/{task_id}"


async def test_a_change_of_the_task_is_told_at_once(world: World) -> None:
    async with world.client() as client:
        task_id, uri = await start(client)
        async with hearing(client, uri) as heard:
            await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
            await anyio.sleep(0.1)  # less than the second in which another process would be heard
            last = heard[-1:]

    assert ResourceUpdated(uri=uri) in heard
    assert last == [LIST_CHANGED], "its file is in the list now"


async def test_every_part_of_a_task_is_told_of_when_it_comes_into_being(world: World) -> None:
    async with world.client() as client:
        task_id, uri = await start(client)
        parts = [f"{uri}/{part}" for part in ("video", "cover", "frames", "last-frame")]
        async with hearing(client, *parts) as heard:
            await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
            await anyio.sleep(1)

    updated = {event.uri for event in heard if isinstance(event, ResourceUpdated)}
    assert updated == set(parts)


async def test_a_new_task_changes_the_list(world: World) -> None:
    async with world.client() as client, hearing(client) as heard:
        await anyio.sleep(5)
        before = list(heard)
        await start(client)
        await anyio.sleep(1)

    assert before == []
    assert LIST_CHANGED in heard


async def test_what_another_process_does_is_told_within_a_second(world: World) -> None:
    async with world.client() as client:
        async with hearing(client) as heard:
            ledger = await Ledger.open(world.state)
            await ledger.add(
                new_task(request={"prompt": "x"}, account="another", owner="dead", at=now())
            )
            await ledger.close()
            await anyio.sleep(1.1)

        assert heard == [LIST_CHANGED]


async def test_only_what_was_asked_for_is_told(world: World) -> None:
    async with world.client() as client:
        _, mine = await start(client)
        other_id, _ = await start(client, "a hare")
        async with hearing(client, mine) as heard:
            await call(client, "get_video_task", task_id=other_id, wait_seconds=45)
            await anyio.sleep(60)

    updated = {event.uri for event in heard if isinstance(event, ResourceUpdated)}
    assert updated == {mine}


async def test_the_past_is_not_told_to_who_begins_to_listen(world: World) -> None:
    async with world.client() as client:
        task_id, uri = await start(client)
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        async with hearing(client, uri) as heard:
            await anyio.sleep(60)

    assert heard == []


def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the ledger has been asked what happened."""
    asked: list[int] = []
    whole = Ledger.events_after

    async def happenings(self: Ledger, *, after: int) -> Any:  # noqa: ANN401 - as it is
        asked.append(after)
        return await whole(self, after=after)

    monkeypatch.setattr(Ledger, "events_after", happenings)
    return lambda: len(asked)


async def test_nobody_looks_for_news_while_nobody_listens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counting(monkeypatch)
    async with world.client() as client:
        await start(client)
        await anyio.sleep(60)
        unheard = asked()
        async with hearing(client):
            await anyio.sleep(10)
        heard = asked()
        await anyio.sleep(60)

        assert unheard == 0
        assert 10 <= heard <= 15
        assert asked() <= heard + 1


async def test_one_reader_serves_all_listeners_and_the_next_takes_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counting(monkeypatch)
    world.service.job_seconds = 600

    async def listen_for(seconds: float, client: Client, heard: list[ServerEvent]) -> None:
        async with hearing(client) as said:
            await anyio.sleep(seconds)
        heard += said

    first: list[ServerEvent] = []
    second: list[ServerEvent] = []
    async with world.client() as client:
        group: TaskGroup
        async with anyio.create_task_group() as group:
            group.start_soon(listen_for, 10.0, client, first)
            await anyio.sleep(0.5)
            group.start_soon(listen_for, 30.0, client, second)
            await anyio.sleep(5)
            await start(client, "while both listen")
            assert asked() <= 12, "one look a second, and one for each change here"
            await anyio.sleep(15)
            await start(client, "while the second listens alone")

    assert first == [LIST_CHANGED], "told once, though two listen"
    assert second == [LIST_CHANGED, LIST_CHANGED]


async def test_a_ledger_that_cannot_be_read_for_a_while_silences_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.client() as client, hearing(client) as heard:
        with monkeypatch.context() as broken:
            broken.setattr("geekai_video_mcp.ledger.schema.SELECT_EVENTS_AFTER", "SELECT gone")
            await start(client)
            await anyio.sleep(5)
            assert heard == []
        await anyio.sleep(2)

        assert LIST_CHANGED in heard


async def test_a_task_taken_in_from_elsewhere_is_new_here(world: World) -> None:
    async with world.client() as client:
        await start(client)
        (job,) = world.service.jobs
        stranger = world.service.jobs.pop(job)
        stranger.id = "made-elsewhere"
        world.service.jobs["made-elsewhere"] = stranger
        async with hearing(client) as heard:
            await call(client, "get_video_task", task_id="made-elsewhere", wait_seconds=0)
            await anyio.sleep(1.1)

    assert LIST_CHANGED in heard


async def test_an_older_client_has_nothing_to_listen_to_and_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(anyio.to_thread, "run_sync", in_place)
    world = World(tmp_path, era="legacy")
    async with world.client() as client, AsyncExitStack() as stack:
        capabilities = client.server_capabilities
        with pytest.raises(ListenNotSupportedError):
            await stack.enter_async_context(client.listen(resources_list_changed=True))

    assert capabilities is not None
    assert capabilities.resources is not None
    assert not capabilities.resources.subscribe
