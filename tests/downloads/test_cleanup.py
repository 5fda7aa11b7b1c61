"""What killed downloads leave in the user's folder is taken away, and nothing else is."""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import FileUpdate
from geekai_video_mcp.media.downloads.partial import ABANDONED_AFTER
from support.fake_geekai import VIDEO
from support.net import WEBM, Net, succeeded_task
from support.result_host import ResultHost

OTHER = "fedcba9876543210" * 2
"""A task that nobody downloads any more."""
MP4 = "fox-snow-01234567.mp4"


def leave_file(net: Net, name: str, *, age: float = ABANDONED_AFTER + 60) -> Path:
    """A file that nobody has touched for *age* seconds."""
    net.folder.mkdir(exist_ok=True)
    path = net.folder / name
    path.write_bytes(b"left")
    touched = time.time() - age
    os.utime(path, (touched, touched))
    return path


@contextmanager
def lock_file(path: Path) -> Generator[None]:
    """As another live process has it, that is downloading."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(
    "name", [f".{OTHER}.part", f".{OTHER}.part.json", f".{OTHER}-01234567.part"]
)
@pytest.mark.parametrize(
    "age", [ABANDONED_AFTER + 60, -ABANDONED_AFTER - 60], ids=["old", "clock set back"]
)
async def test_a_part_that_nobody_goes_on_with_is_taken_away(
    net: Net, name: str, age: float
) -> None:
    leave_file(net, name, age=age)
    await net.fetch(succeeded_task())

    assert net.files() == [MP4]


async def test_a_part_that_someone_may_go_on_with_is_left(net: Net) -> None:
    path = leave_file(net, f".{OTHER}.part", age=ABANDONED_AFTER - 60)
    await net.fetch(succeeded_task())

    assert path.exists()


async def test_a_part_that_a_live_process_writes_is_left_however_old(net: Net) -> None:
    path = leave_file(net, f".{OTHER}.part")
    with lock_file(path):
        await net.fetch(succeeded_task())

    assert path.exists()


async def test_an_old_part_goes_on_a_disk_without_locks_as_well(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    leave_file(net, f".{OTHER}.part")
    await net.fetch(succeeded_task())

    assert net.files() == [MP4]


async def test_a_folder_and_a_pipe_of_such_names_hold_no_download_up(net: Net) -> None:
    long_ago = time.time() - ABANDONED_AFTER - 60
    folder, pipe = net.folder / f".{OTHER}.part", net.folder / f".{OTHER}-01234567.part"
    folder.mkdir(parents=True)
    os.mkfifo(pipe)
    for path in (folder, pipe):
        os.utime(path, (long_ago, long_ago))

    assert (await net.fetch(succeeded_task())).status is FileStatus.STORED
    assert (folder.exists(), pipe.exists()) == (True, False)


@pytest.mark.parametrize(
    "name", ["film.part", ".film.part", f"{OTHER}.part", f".{OTHER}.part.txt", f".{OTHER}"]
)
async def test_what_is_not_ours_is_left(net: Net, name: str) -> None:
    path = leave_file(net, name)
    await net.fetch(succeeded_task())

    assert path.read_bytes() == b"left"


async def test_a_name_that_was_reserved_and_never_filled_is_used(net: Net) -> None:
    """As on a disk without links, when a process dies between the two."""
    leave_file(net, MP4).write_bytes(b"")
    fact = await net.fetch(succeeded_task())

    assert net.files() == [MP4]
    assert (net.folder / MP4).read_bytes() == VIDEO
    assert fact.sha256 == hashlib.sha256(VIDEO).hexdigest()


async def test_a_video_that_was_published_and_never_recorded_is_not_published_twice(
    net: Net,
) -> None:
    first, second = await net.fetch(succeeded_task()), await net.fetch(succeeded_task())

    assert net.files() == [MP4]
    assert first == second


@pytest.mark.parametrize(("ending", "content"), [(".mp4", VIDEO), (".webm", WEBM)])
async def test_a_video_that_stands_under_its_name_is_taken_when_its_link_is_dead(
    net: Net, ending: str, content: bytes
) -> None:
    path = leave_file(net, f"fox-snow-01234567{ending}")
    path.write_bytes(content)
    net.answers["static.geekai.co"] = httpx.Response(404)

    assert await net.fetch(succeeded_task()) == FileUpdate(
        status=FileStatus.STORED,
        path=str(path),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


async def test_what_merely_has_the_name_is_not_the_video(net: Net) -> None:
    leave_file(net, MP4)
    net.answers["static.geekai.co"] = httpx.Response(404)

    assert (await net.fetch(succeeded_task())).status == "lost"


async def test_an_old_part_of_ones_own_is_gone_on_with_or_taken_away(net: Net) -> None:
    path = leave_file(net, f".{succeeded_task().id}.part")
    host = ResultHost()
    net.usual = host.answer
    await net.fetch(succeeded_task())

    assert host.ranges == [None]
    assert not path.exists()


async def test_a_pipe_in_the_place_of_a_part_or_its_note_holds_nothing_up(net: Net) -> None:
    """Whoever reads a pipe that nobody writes waits for ever, and no deadline ends a thread."""
    net.folder.mkdir()
    for name in (f".{succeeded_task().id}.part", f".{succeeded_task().id}.part.json"):
        os.mkfifo(net.folder / name)
    net.usual = ResultHost().answer
    with anyio.fail_after(20):
        fact = await net.fetch(succeeded_task())

    assert fact.status == "stored"
    assert [path.name for path in net.folder.iterdir()] == [MP4]
