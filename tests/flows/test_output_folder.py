"""Promise 4 for the output folder: what is wrong with it is said before a video is paid."""

import errno
import os
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.media import output_folder
from geekai_video_mcp.media.output_folder import RESERVED_BYTES, RESULT_BYTES, check_output_folder
from support.disks import mounted_tmpfs
from support.fake_geekai import api_error
from support.world import World, call, structured, text

posix = pytest.mark.skipif(sys.platform == "win32", reason="links are POSIX's")


def _loop(path: Path) -> None:
    path.symlink_to(path.with_name("loop"))
    path.with_name("loop").symlink_to(path)


IN_THE_WAY: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "a file": (Path.touch, "a file is in its place"),
    "a link to a file": (lambda path: path.symlink_to(__file__), "a file is in its place"),
    "a link to nothing": (lambda path: path.symlink_to("elsewhere"), "a file is in its place"),
    "a loop of links": (_loop, "a file is in its place"),
}


@posix
@pytest.mark.parametrize("name", IN_THE_WAY)
async def test_a_folder_that_cannot_be_is_said_at_start_and_before_paying(
    world: World, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    put, reason = IN_THE_WAY[name]
    put(world.output)
    async with world.client() as client:
        listed = await call(client, "list_video_tasks")
        dry = await call(client, "generate_video", prompt="a fox", dry_run=True)
        refused = await call(client, "generate_video", prompt="a fox")
        at_start = caplog.text
        world.output.unlink()
        started = await call(client, "generate_video", prompt="a fox")

    expected = (
        f'The output folder "{world.output}" (GEEKAI_OUTPUT_DIR) could not be written: {reason}.'
    )
    assert at_start.count(expected) == 1
    assert "charged" not in at_start
    assert not listed.is_error
    assert not dry.is_error
    assert refused.is_error
    assert text(refused) == (
        f"{expected} Nothing was charged. The operator repairs the folder, or sets"
        " GEEKAI_OUTPUT_DIR to another folder and restarts this server."
    )
    assert structured(started)["task_status"] == "pending"
    assert world.service.charges == ["a fox"]


async def test_a_part_of_the_path_that_is_a_file_is_named(tmp_path: Path, world: World) -> None:
    (tmp_path / "film").touch()
    world.other_disk = tmp_path / "film" / "deep"
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert "a part of its path is a file and not a folder" in text(refused)
    assert world.service.charges == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "this user has no permission"),
        (errno.EROFS, "its file system is read-only"),
        (errno.ENOSPC, "its disk is full"),
        (getattr(errno, "EDQUOT", errno.ENOSPC), "quota is used up|disk is full"),
        (errno.EIO, "input/output error"),
    ],
)
def test_what_the_system_refuses_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(StorageUnavailable, match=words):
        check_output_folder(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_file_that_is_tried_leaves_nothing_and_is_cleaned_as_a_part_if_it_does(
    tmp_path: Path,
) -> None:
    from geekai_video_mcp.media.downloads.partial import (  # noqa: PLC0415
        ABANDONED_AFTER,
        remove_abandoned,
    )

    check_output_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []

    created: list[Path] = []

    class Killed(BaseException):
        """The process ends."""

    def die(path: Path, *_: object, **__: object) -> None:
        created.append(path)
        raise Killed

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(Path, "unlink", die)
        check_output_folder(tmp_path)
    assert set(tmp_path.glob(".*")) == {created[0]}
    assert created[0].stat().st_mode & 0o077 == 0 or sys.platform == "win32"
    long_ago = created[0].stat().st_mtime - ABANDONED_AFTER - 60
    os.utime(created[0], (long_ago, long_ago))
    remove_abandoned(tmp_path)
    assert not created[0].exists()


async def test_too_little_room_for_one_result_is_refused_with_how_much_there_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.client() as client:
        earlier = structured(await call(client, "generate_video", prompt="a hare"))
        for free in (RESERVED_BYTES + RESULT_BYTES - 1, 0):
            with monkeypatch.context() as full:
                full.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
                refused = await call(client, "generate_video", prompt="a fox")
                again = structured(await call(client, "generate_video", prompt="a hare"))
                look = await call(client, "get_video_task", task_id=earlier["task_id"])
            assert refused.is_error
            assert f"its disk has {free / 1e6:.0f} MB free, and a result needs 336 MB" in text(
                refused
            )
            assert "Nothing was charged. Free disk space" in text(refused)
            assert again["task_id"] == earlier["task_id"], "a duplicate costs nothing"
            assert not look.is_error
        with monkeypatch.context() as enough:
            free = RESERVED_BYTES + RESULT_BYTES
            enough.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
            started = await call(client, "generate_video", prompt="a fox")

    assert not started.is_error
    assert world.service.charges == ["a hare", "a fox"]


@posix
async def test_a_folder_that_fails_before_a_further_attempt_stops_it(world: World) -> None:
    """The service asked to wait; what is sent after the wait is paid as well."""

    async def ask_to_wait(_: object) -> httpx.Response:
        shutil.rmtree(world.output)
        world.output.touch()
        return api_error(429, "rate_limit", "slow down")

    world.service.before_charge = ask_to_wait
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")
        await anyio.sleep(120)
        task_id = structured(started)["task_id"]
        look = await call(client, "get_video_task", task_id=task_id)

    assert structured(look)["task_status"] == "failed"
    assert "GEEKAI_OUTPUT_DIR" in text(look)
    assert "Nothing was charged." in text(look)
    assert world.service.charges == []


@posix
async def test_a_request_of_a_dead_server_is_not_sent_into_a_folder_that_fails(
    world: World,
) -> None:
    from flows.test_crash_recovery import leave_task  # noqa: PLC0415

    task: Task = await leave_task(world, sending=False)
    world.output.touch()
    async with world.client() as client:
        await anyio.sleep(60)
        look = await call(client, "get_video_task", task_id=task.id)

    assert structured(look)["task_status"] == "failed"
    assert "GEEKAI_OUTPUT_DIR" in text(look)
    assert world.service.charges == []


@pytest.fixture(params=["size=24m", "size=1g,ro"])
def odd_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[tuple[Path, str]]:
    with mounted_tmpfs(tmp_path / "disk", request.param) as disk:
        yield disk, request.param


async def test_a_small_disk_and_a_read_only_one_are_told_apart(
    world: World, odd_disk: tuple[Path, str]
) -> None:
    world.other_disk, option = odd_disk
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    reason = "its file system is read-only" if "ro" in option else "its disk has 25 MB free"
    assert reason in text(refused)
    assert "Nothing was charged." in text(refused)
    assert world.service.charges == []


def test_one_constant_says_what_downloads_leave_free() -> None:
    from geekai_video_mcp.media.downloads import transfer  # noqa: PLC0415

    assert transfer.RESERVED_BYTES is output_folder.RESERVED_BYTES
