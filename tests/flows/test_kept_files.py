"""Quota and retention: what a tenant's files may take of the disk, and how long they are kept."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from geekai_video_mcp.config.hosting import HostingSettings
from geekai_video_mcp.errors import MAYBE_CHARGED, NOT_CHARGED
from support.fake_geekai import VIDEO, file_reply
from support.world import World, call, structured, text

DAY = 86_400.0
MEGABYTE = VIDEO + bytes(1_000_000 - len(VIDEO))
COMMENT = b"geekai-video-mcp picture 1 {}"
PICTURE = b"\xff\xd8\xff\xfe" + (len(COMMENT) + 2).to_bytes(2, "big") + COMMENT + b"pixels"


@pytest.fixture
def world(world: World) -> World:
    world.tenant = "alice"
    return world


async def finish(client: Client, prompt: str, **arguments: Any) -> str:  # noqa: ANN401 - JSON
    """The id of a task whose file is stored."""
    made = await call(client, "generate_video", prompt=prompt, **arguments)
    task_id = str(structured(made)["task_id"])
    await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
    return task_id


async def file_of(world: World, task_id: str) -> Path:
    return Path(str((await world.find_task(task_id)).file_path))


async def answer_with_megabyte(_: httpx.Request) -> httpx.Response:
    return file_reply(MEGABYTE)


# Quota


async def test_a_request_beyond_the_quota_is_refused_before_it_is_paid(world: World) -> None:
    world.service.on_file = answer_with_megabyte
    world.hosting = HostingSettings(quota_mb=2)
    async with world.client() as client:
        first = await finish(client, "a fox")
        second = await finish(client, "an owl")
        refused = await call(client, "generate_video", prompt="a bear")
        dry = await call(client, "generate_video", prompt="a bear", dry_run=True)
        same = await call(client, "generate_video", prompt="an owl")
        film = await call(client, "join_videos", parts=[first, second])

    assert refused.is_error
    assert NOT_CHARGED in text(refused)
    assert "2 files use 2.0 MB of the 2.0 MB" in text(refused)
    assert "geekai-video-mcp tasks --tenant alice purge" in text(refused)
    assert "2.0 MB" in str(structured(dry)["dry_run"]["refused"])
    assert structured(same)["task_id"] == second  # an earlier request's task costs nothing
    assert film.is_error
    assert "2.0 MB" in text(film)
    assert NOT_CHARGED not in text(film)
    assert MAYBE_CHARGED not in text(film)
    assert len(world.service.charges) == 2


async def test_what_is_being_made_has_its_place_in_the_quota(world: World) -> None:
    world.service.on_file = answer_with_megabyte
    world.hosting = HostingSettings(quota_mb=3)
    async with world.client() as client:
        await finish(client, "a fox")
        await call(client, "generate_video", prompt="an owl")
        assert not (await call(client, "generate_video", prompt="a bear")).is_error
        refused = await call(client, "generate_video", prompt="a hen")

    assert refused.is_error
    assert "1 file uses 1.0 MB of the 3.0 MB" in text(refused)
    assert "2 unfinished tasks need about 2.0 MB more" in text(refused)


async def test_what_is_paid_for_is_stored_whatever_the_quota_is(world: World) -> None:
    world.service.on_file = answer_with_megabyte
    world.hosting = HostingSettings(quota_mb=1)
    async with world.client() as client:
        sent = [
            structured(await call(client, "generate_video", prompt=prompt))["task_id"]
            for prompt in ("a fox", "an owl")
        ]
        for task_id in sent:
            await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
    for task_id in sent:
        assert (await file_of(world, task_id)).read_bytes() == MEGABYTE


async def test_the_quota_of_one_tenant_is_not_used_up_by_another(world: World) -> None:
    world.service.on_file = answer_with_megabyte
    world.hosting = HostingSettings(quota_mb=1)
    async with world.client() as client:
        await finish(client, "a fox")
        assert (await call(client, "generate_video", prompt="an owl")).is_error
    world.tenant = "bob"
    async with world.client() as client:
        assert not (await call(client, "generate_video", prompt="an owl")).is_error


# Retention


async def after_days(world: World, days: float) -> None:
    """A server has run so many days later, for long enough to sweep."""
    world.clock_is_ahead = days * DAY
    async with world.client() as client:
        await call(client, "list_video_tasks")
        await anyio.sleep(1)


async def test_a_file_is_deleted_after_its_days_and_its_record_says_so(world: World) -> None:
    world.hosting = HostingSettings(keep_days=10)
    async with world.client() as client:
        task_id = await finish(client, "a fox")
    path = await file_of(world, task_id)
    path.with_suffix(".frames.jpg").write_bytes(PICTURE)
    (path.parent / f"side-by-side-{task_id[:8]}-0a0a0a0a.cover.jpg").write_bytes(PICTURE)
    others = {
        path.with_suffix(".cover.jpg"): b"of another program",
        path.with_name(f"{path.stem}.txt"): b"notes",
        path.with_name("side-by-side-0b0b0b0b-0a0a0a0a.cover.jpg"): PICTURE,
    }
    for other, content in others.items():
        other.write_bytes(content)
    await after_days(world, 9.9)
    assert path.exists()
    await after_days(world, 10.1)
    async with world.client() as client:
        result = await call(client, "get_video_task", task_id=task_id)
        seen = await call(client, "view_video", task_id=task_id)
        listed = structured(await call(client, "list_video_tasks"))["tasks"][0]
        next_shot = await call(client, "generate_video", prompt="on", image=f"task:{task_id}")
        film = await call(client, "join_videos", parts=[task_id, task_id])

    assert {each: each.read_bytes() for each in path.parent.iterdir()} == others
    assert not result.is_error
    assert "was deleted after 10 days" in text(result)
    assert "generate_video" in structured(result)["next_step"]
    assert "was deleted after 10 days" in structured(result)["file_problem"]
    assert "file" not in structured(result)
    assert structured(result)["task_status"] == "succeed"
    assert seen.is_error
    assert "was deleted after 10 days" in text(seen)
    assert "was deleted after 10 days" in listed["error"]
    for refused in (next_shot, film):
        assert refused.is_error
        assert "was deleted after 10 days" in text(refused)


@pytest.mark.parametrize("change", ["other bytes", "link", "folder"])
async def test_what_is_not_the_recorded_file_is_left_where_it_is(world: World, change: str) -> None:
    world.hosting = HostingSettings(keep_days=1)
    async with world.client() as client:
        task_id = await finish(client, "a fox")
    path, outside = await file_of(world, task_id), world.folder / "outside.mp4"
    path.rename(outside)
    if change == "other bytes":
        path.write_bytes(VIDEO[:-1] + b"!")
    elif change == "link":
        path.symlink_to(outside)
    else:
        path.mkdir()
    await after_days(world, 3)
    assert path.exists()
    assert outside.read_bytes() == VIDEO
    assert (await world.find_task(task_id)).file_status == "stored"


async def test_no_file_is_deleted_that_an_unfinished_task_needs(world: World) -> None:
    world.hosting = HostingSettings(keep_days=1)
    async with world.client() as client:
        shots = [await finish(client, "a fox"), await finish(client, "an owl")]
        world.join.seconds = 600
        film = await call(client, "join_videos", parts=shots)
        assert not film.is_error
    paths = [await file_of(world, shot) for shot in shots]
    await after_days(world, 3)
    assert all(path.exists() for path in paths)
    world.join.seconds = 0
    await after_days(world, 3)
    await after_days(world, 3)
    assert not any(path.exists() for path in paths)


async def test_two_servers_may_sweep_at_once(world: World) -> None:
    world.hosting = HostingSettings(keep_days=1)
    async with world.client() as client:
        task_id = await finish(client, "a fox")
    path = await file_of(world, task_id)
    world.clock_is_ahead = 2 * DAY
    async with world.client() as client, world.client() as other:
        await anyio.sleep(1)
        assert not path.exists()
        assert "after 1 day," in text(await call(other, "get_video_task", task_id=task_id))
        assert "after 1 day," in text(await call(client, "get_video_task", task_id=task_id))


async def test_a_tenants_files_alone_are_deleted_by_its_rule(world: World) -> None:
    async with world.client() as client:
        path = await file_of(world, await finish(client, "a fox"))
    world.tenant, world.hosting = "bob", HostingSettings(keep_days=1)
    await after_days(world, 3)
    assert path.exists()


async def test_a_disk_that_is_not_mounted_is_not_taken_for_deleted_files(world: World) -> None:
    world.hosting = HostingSettings(keep_days=1)
    async with world.client() as client:
        task_id = await finish(client, "a fox")
    path = await file_of(world, task_id)
    away = world.folder / "away"
    world.output.rename(away)
    world.output.mkdir()
    await after_days(world, 3)
    world.output.rmdir()
    away.rename(world.output)
    assert (await world.find_task(task_id)).file_path == str(path)


async def test_a_person_can_fetch_a_deleted_file_again_while_its_link_works(world: World) -> None:
    world.hosting = HostingSettings(keep_days=1)
    async with world.client() as client:
        task_id = await finish(client, "a fox")
    await after_days(world, 2)
    async with world.client() as client:
        result = await call(client, "get_video_task", task_id=task_id)
    assert "https://" in text(result)
    assert "give them the link" in text(result)
    async with world.app(sweep=False) as app:
        task = await app.engine.fetch_again(task_id)
    assert Path(str(task.file_path)).read_bytes() == VIDEO
