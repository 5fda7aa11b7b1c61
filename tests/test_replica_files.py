"""Files of tasks on several machines: where each finds them, and when each deletes what it has."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr

from geekai_video_mcp.config.hosting import HostingSettings
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.engine.local_files import RETRY_SECONDS
from geekai_video_mcp.errors import FileElsewhere
from support.clock import run_without_thread
from support.fake_geekai import VIDEO, always_answer, answer_with_estimate, box, file_reply
from support.postgres import VARIABLE, create_database, drop_database, needs_postgres
from support.recorded import STORED_FILE, make_task
from support.virtual_loop import VirtualTimeLoop
from support.world import World, call, structured

pytestmark = needs_postgres
DAY = 86_400.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The clock jumps once everything waits for it, so that a sweep has ended by then."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that jumps while a thread works would jump over it."""
    monkeypatch.setattr(anyio.to_thread, "run_sync", run_without_thread)


@pytest.fixture
async def machines(tmp_path: Path) -> AsyncGenerator[tuple[World, World]]:
    """Two machines with nothing in common but the database and the service."""
    url = SecretStr(await create_database(os.environ[VARIABLE]))
    hosting = HostingSettings(database_url=url, keep_days=10)
    first = World(tmp_path / "first", hosting=hosting)
    first.service.job_seconds = 0
    first.service.on_create = answer_with_estimate(first.service, seconds=0)
    yield first, World(tmp_path / "second", hosting=hosting, service=first.service)
    await drop_database(url.get_secret_value())


async def make_video(world: World) -> str:
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a fox"))
        done = await call(client, "get_video_task", task_id=made["task_id"], wait_seconds=30)
    assert structured(done)["task_status"] == "succeed"
    return str(made["task_id"])


async def read_task(world: World, task_id: str) -> Task:
    async with world.app(sweep=False) as app:
        return await app.engine.get_local(task_id)


async def locate(world: World, task_id: str) -> Path:
    async with world.app(sweep=False) as app:
        task = await app.engine.get_local(task_id)
        return Path((await app.engine.locate_file(task, wait_seconds=20)).file_path or "")


async def sweep(world: World, *, days: float) -> None:
    """A server has run so many days later, for long enough to delete what it has to."""
    world.clock_is_ahead = days * DAY
    async with world.app():
        await anyio.sleep(60)
    world.clock_is_ahead = 0.0


def count_downloads(world: World) -> int:
    return sum(each.url.path.startswith("/files/") for each in world.service.requests)


async def test_a_file_is_found_in_a_shared_folder_that_has_another_path(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    task_id = await make_video(first)
    second.other_disk = second.folder / "mounted"
    second.folder.mkdir(exist_ok=True)
    second.other_disk.symlink_to(first.folder)

    found = await locate(second, task_id)

    assert found.is_relative_to(second.output)
    assert found.read_bytes() == VIDEO
    assert count_downloads(first) == 1


async def test_callers_who_need_the_same_file_cause_one_download(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    task_id = await make_video(first)
    found = list[str | None]()
    async with second.app(sweep=False) as app:
        task = await app.engine.get_local(task_id)

        async def find() -> None:
            found.append((await app.engine.locate_file(task, wait_seconds=20)).file_path)

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(find)

    assert len(set(found)) == 1
    assert count_downloads(first) == 2
    assert await read_task(first, task_id) == task


async def test_a_film_is_where_it_was_joined_and_nothing_is_asked_for_it(
    machines: tuple[World, World],
) -> None:
    _, second = machines
    film = make_task(media=Media.FILM, **STORED_FILE)
    async with second.app(sweep=False) as app:
        with pytest.raises(FileElsewhere, match="on the server alone that joined it"):
            await app.engine.locate_file(film, wait_seconds=20)
    assert second.service.requests == []


async def test_what_a_link_gives_now_is_no_copy_of_another_file(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    task_id = await make_video(first)

    async def give_another(_: httpx.Request) -> httpx.Response:
        return file_reply(VIDEO + box(b"free", b"another"))

    first.service.on_file = give_another
    async with second.app(sweep=False) as app:
        task = await app.engine.get_local(task_id)
        with pytest.raises(FileElsewhere, match="what its link gives now is another file"):
            await app.engine.locate_file(task, wait_seconds=20)

    assert not [path for path in second.output.rglob("*") if path.is_file()]


async def test_a_link_that_has_expired_is_renewed_for_a_copy(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    first.service.signed = True
    task_id = await make_video(first)
    stored = await read_task(first, task_id)

    async def recorded_one_has_expired(request: httpx.Request) -> httpx.Response | None:
        expired = stored.result is not None and str(request.url) == stored.result.url
        return httpx.Response(403, text="expired") if expired else None

    first.service.on_file = recorded_one_has_expired

    assert (await locate(second, task_id)).read_bytes() == VIDEO
    assert await read_task(first, task_id) == stored


async def test_what_could_not_be_fetched_is_tried_again_by_a_later_call(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    task_id = await make_video(first)
    first.service.on_file = always_answer(httpx.Response(404))
    tried = list[int]()
    async with second.app(sweep=False) as app:
        task = await app.engine.get_local(task_id)
        for pause in (0.0, 1.0, RETRY_SECONDS):
            await anyio.sleep(pause)
            with pytest.raises(FileElsewhere):
                await app.engine.locate_file(task, wait_seconds=20)
            tried.append(count_downloads(first))

    assert tried[0] == tried[1] < tried[2]


async def test_a_copy_is_deleted_with_the_file_that_it_is_of(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    task_id = await make_video(first)
    copy = await locate(second, task_id)
    original = Path((await read_task(first, task_id)).file_path or "")

    await sweep(second, days=9)
    assert copy.exists()
    await sweep(second, days=10.5)
    kept = await read_task(first, task_id)
    assert (copy.exists(), original.exists(), kept.file_status) == (False, True, "stored")
    await sweep(first, days=10.5)
    deleted = await read_task(first, task_id)
    assert (original.exists(), deleted.file_status) == (False, FileStatus.DELETED)
    assert "was deleted after 10 days" in (deleted.file_error or "")


async def test_a_copy_of_a_file_that_is_deleted_already_goes_as_well(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    task_id = await make_video(first)
    copy = await locate(second, task_id)
    await sweep(first, days=10.5)
    await sweep(second, days=0)

    assert not copy.exists()


async def test_a_file_that_is_kept_no_longer_is_not_fetched_anew(
    machines: tuple[World, World],
) -> None:
    first, second = machines
    task_id = await make_video(first)
    second.clock_is_ahead = 10.5 * DAY

    async with second.app(sweep=False) as app:
        task = await app.engine.get_local(task_id)
        with pytest.raises(FileElsewhere, match="GEEKAI_KEEP_DAYS"):
            await app.engine.locate_file(task, wait_seconds=20)
    assert count_downloads(first) == 1
