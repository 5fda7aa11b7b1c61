"""A download that broke off is gone on with, and never mixes two files.

Each `net.download` is a process of its own as far as the code can tell: nothing but the
output folder is handed from one to the next.
"""

import errno
import fcntl
import hashlib
import itertools
import json
import os
import random
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.errors import DownloadFailed
from geekai_video_mcp.media.downloads import block_writer, partial
from support.clock import virtual_time
from support.fake_geekai import VIDEO, box, file_reply
from support.net import LINK, Net, redirect, succeeded_task
from support.result_host import BrokenBody, ResultHost

TASK = succeeded_task()
SMALL = box(b"ftyp", b"mp42") + box(b"moov", bytes(30)) + box(b"mdat", bytes(range(100)))
OTHER = VIDEO[:2000] + bytes(100) + VIDEO[2100:-100] + bytes(100)
"""Another representation of the same length; the two differ on either side of each cut."""
MP4 = "fox-snow-01234567.mp4"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one is written while the next arrives, as it is of a large file."""
    monkeypatch.setattr(block_writer, "BLOCK_BYTES", 1000)


async def interrupt_download(net: Net, host: ResultHost, at: int, *, url: str = LINK) -> None:
    """A download of which *at* bytes are here."""
    net.usual = host.answer
    host.cuts = [at]
    with pytest.raises(DownloadFailed, match="was interrupted"):
        await net.fetch(succeeded_task(url))


async def download_whole(net: Net, *, url: str = LINK) -> bytes:
    """What a fetch publishes; that nothing else is left."""
    fact = await net.fetch(succeeded_task(url))
    assert fact.status is FileStatus.STORED
    assert net.files() == [MP4]
    assert (net.folder / MP4).stat().st_mode & 0o777 == 0o600
    return (net.folder / MP4).read_bytes()


@pytest.mark.parametrize("at", range(1, len(SMALL)))
async def test_a_download_cut_at_any_byte_loses_none_and_asks_for_none_again(
    net: Net, at: int
) -> None:
    host = ResultHost(SMALL)
    await interrupt_download(net, host, at)

    assert await download_whole(net) == SMALL
    # Before the eighth byte nothing says that it is a video.
    assert host.ranges == [None, f"bytes={at}-" if at >= 8 else None]
    assert host.sent == len(SMALL) + (at if at < 8 else 0)


@pytest.mark.parametrize("seed", range(50))
async def test_a_download_cut_again_and_again_is_whole_in_the_end(net: Net, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a test's dice
    host = ResultHost(cuts=[dice.randrange(8, 1400) for _ in range(dice.randrange(1, 12))])
    net.usual = host.answer

    for _ in range(len(host.cuts)):
        with pytest.raises(DownloadFailed, match="was interrupted"):
            await net.fetch(TASK)

    assert await download_whole(net) == VIDEO
    assert host.sent == len(VIDEO)


@pytest.mark.parametrize("etag", [None, 'W/"v1"', '""', "v1", '"v1', '"a b"', f'"{"x" * 201}"'])
async def test_what_no_strong_etag_vouches_for_is_fetched_from_the_start(
    net: Net, etag: str | None
) -> None:
    host = ResultHost(etag=etag)
    await interrupt_download(net, host, 5000)

    assert net.files() == []
    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, None]


async def test_another_file_at_the_link_is_fetched_from_the_start(net: Net) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000)
    host.content, host.etag = OTHER, '"v2"'

    assert await download_whole(net) == OTHER
    assert host.ranges == [None, "bytes=5000-"]


async def test_a_host_that_knows_no_ranges_is_asked_once(net: Net) -> None:
    host = ResultHost(resumes=False)
    await interrupt_download(net, host, 5000)

    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, "bytes=5000-"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 4999-{len(VIDEO) - 1}/{len(VIDEO)}"},
        {"Content-Range": f"bytes 5001-{len(VIDEO) - 1}/{len(VIDEO)}"},
        {"Content-Range": f"bytes 0-{len(VIDEO) - 1}/{len(VIDEO)}"},
        {"Content-Range": f"bytes 5000-{len(VIDEO) - 2}/{len(VIDEO) - 1}"},
        {"Content-Range": f"bytes 5000-{len(VIDEO) - 1}/*"},
        {"Content-Range": f"bytes */{len(VIDEO)}"},
        {"Content-Range": "nonsense"},
        {"Content-Range": ""},
        {"Content-Type": "multipart/byteranges; boundary=x", "Content-Range": ""},
        {"ETag": '"v2"'},
        {"ETag": 'W/"v1"'},
        {"ETag": ""},
    ],
    ids=str,
)
async def test_a_rest_of_anything_else_is_not_joined(net: Net, headers: dict[str, str]) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000)

    async def lies(request: httpx.Request) -> httpx.Response:
        answer = await host.answer(request)
        if answer.status_code == 206:
            answer.headers.update(headers)
            answer.stream = BrokenBody(OTHER[5000:], whole=True)
        return answer

    net.usual = lies
    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, "bytes=5000-", None]


async def test_a_range_that_cannot_be_had_is_no_dead_end(net: Net) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000)
    host.content = VIDEO[:5000]

    assert await download_whole(net) == VIDEO[:5000]
    assert host.ranges == [None, "bytes=5000-", None]


async def test_a_host_that_is_busy_for_a_moment_loses_nothing_of_what_is_here(net: Net) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000)
    net.usual = None
    net.answers["static.geekai.co"] = httpx.Response(503)
    with pytest.raises(DownloadFailed, match="HTTP 503"):
        await net.fetch(TASK)
    net.usual = host.answer

    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, "bytes=5000-"]


async def test_a_part_that_ends_one_byte_into_a_block_is_gone_on_with(net: Net) -> None:
    """What is here is read again in blocks."""
    at = partial.CHECKPOINT_BYTES + 1
    host = ResultHost(box(b"ftyp", b"mp42") + box(b"moov", bytes(90)) + box(b"mdat", bytes(at)))
    await interrupt_download(net, host, at)

    assert await download_whole(net) == host.content
    assert host.ranges == [None, f"bytes={at}-"]


async def test_the_same_etag_elsewhere_vouches_for_nothing(net: Net) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000)
    host.content = OTHER

    assert await download_whole(net, url=LINK.replace("a.mp4", "b.mp4")) == OTHER


async def test_the_same_etag_behind_another_redirect_vouches_for_nothing(net: Net) -> None:
    hosts = {"one.test": ResultHost(cuts=[5000]), "two.test": ResultHost(OTHER)}
    to = "one.test"

    async def redirects(request: httpx.Request) -> httpx.Response:
        host = hosts.get(request.headers["Host"])
        return await host.answer(request) if host else redirect(f"https://{to}/a.mp4")

    net.usual = redirects
    with pytest.raises(DownloadFailed, match="was interrupted"):
        await net.fetch(TASK)
    to = "two.test"

    assert await download_whole(net) == OTHER


async def test_a_fresh_signature_of_the_same_link_goes_on(net: Net) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000, url=f"{LINK}?signature=old")

    assert await download_whole(net, url=f"{LINK}?signature=new") == VIDEO
    assert host.ranges == [None, "bytes=5000-"]


@virtual_time()
async def test_a_cancelled_download_is_gone_on_with(net: Net) -> None:
    """From the last byte received, which is in the middle of a block."""
    host = ResultHost()

    async def stalls(request: httpx.Request) -> httpx.Response:
        answer = await host.answer(request)
        if len(host.ranges) == 1:
            answer.stream = Stalled(VIDEO[:5300])
        return answer

    net.usual = stalls
    with anyio.move_on_after(10) as cancelled:
        await net.fetch(TASK)

    assert cancelled.cancelled_caught
    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, "bytes=5300-"]


class Stalled(BrokenBody):
    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield self.content
        await anyio.sleep_forever()


# What a crash or a power cut left


def part_of(net: Net) -> Path:
    return net.folder / f".{TASK.id}.part"


def note_of(net: Net) -> Path:
    return net.folder / f".{TASK.id}.part.json"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1234] ^= 1
    path.write_bytes(content)


DAMAGE: list[Callable[[Net], object]] = [
    lambda net: flip(part_of(net)),
    lambda net: part_of(net).write_bytes(bytes(5000)),
    lambda net: part_of(net).write_bytes(VIDEO[:4999]),
    lambda net: part_of(net).write_bytes(b""),
    lambda net: part_of(net).unlink(),
    lambda net: note_of(net).unlink(),
    lambda net: note_of(net).write_bytes(note_of(net).read_bytes()[:-20]),
    lambda net: note_of(net).write_bytes(bytes(200)),
    lambda net: note_of(net).write_bytes(b""),
    lambda net: note_of(net).write_bytes(b"[]"),
    lambda net: note_of(net).write_bytes(b"[" * 4096),
    lambda net: note_of(net).write_bytes(b'{"source": {"who": 1}, "size": 5000}'),
]


@pytest.mark.parametrize("damage", DAMAGE, ids=itertools.count())
async def test_what_its_note_does_not_prove_is_fetched_again(
    net: Net, damage: Callable[[Net], object]
) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000)
    damage(net)

    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, None]


async def test_bytes_that_came_after_the_note_are_fetched_again(net: Net) -> None:
    host = ResultHost()
    await interrupt_download(net, host, 5000)
    with part_of(net).open("ab") as part:
        part.write(b"unproven" * 5000)

    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, "bytes=5000-"]


async def test_a_part_that_is_whole_needs_no_link_any_more(net: Net) -> None:
    """As a process leaves it that is killed just before it gives the video its name."""
    net.usual = ResultHost().answer
    await interrupt_download(net, ResultHost(), 5000)
    note = json.loads(note_of(net).read_text("utf-8"))
    note |= {"size": len(VIDEO), "sha256": hashlib.sha256(VIDEO).hexdigest()}
    part_of(net).write_bytes(VIDEO)
    note_of(net).write_text(json.dumps(note), "utf-8")
    net.usual = None
    net.answers["static.geekai.co"] = httpx.Response(404)

    assert await download_whole(net) == VIDEO


async def test_a_video_whose_sync_failed_is_fetched_again(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second sync of the same bytes succeeds, and proves nothing."""
    host = ResultHost()
    net.usual = host.answer

    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fails)
        with pytest.raises(DownloadFailed, match="input/output"):
            await net.fetch(TASK)

    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, None]


# One writer


async def test_two_that_fetch_one_video_never_write_the_same_part(net: Net) -> None:
    arrived, go_on = anyio.Event(), anyio.Event()

    async def slowly(_: httpx.Request) -> httpx.Response:
        arrived.set()
        await go_on.wait()
        return file_reply(VIDEO)

    net.usual = slowly
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(net.fetch, TASK)
        await arrived.wait()
        with pytest.raises(DownloadFailed, match="Another process is downloading the video"):
            await net.fetch(TASK)
        go_on.set()

    assert net.files() == [MP4]
    assert (net.folder / MP4).read_bytes() == VIDEO
    assert len(net.requests) == 1


async def test_a_disk_without_locks_holds_videos_all_the_same(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    host = ResultHost()
    await interrupt_download(net, host, 5000)

    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, None]


# A disk that fills up meanwhile


async def test_a_disk_that_fills_up_meanwhile_loses_nothing(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ResultHost()
    net.usual = host.answer
    write, left = partial.Part.write, [5]

    def fills_up(part: partial.Part, chunk: memoryview) -> None:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write(part, chunk)

    monkeypatch.setattr(partial.Part, "write", fills_up)
    for _ in range(2):
        with pytest.raises(DownloadFailed, match="its disk is full"):
            await net.fetch(TASK)
    left[0] = 1000

    assert await download_whole(net) == VIDEO
    assert host.ranges == [None, "bytes=5000-", "bytes=5000-"]


# A host that lies


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_a_host_says_a_video_is_one_of_its_files_or_none(
    net: Net, seed: int
) -> None:
    """Two files, two ETags; lengths, ranges, cuts and statuses as the dice fall."""
    dice = random.Random(seed)  # noqa: S311 - a test's dice
    files = {'"v1"': VIDEO, '"v2"': OTHER}

    async def anything(request: httpx.Request) -> httpx.Response:
        etag = dice.choice(list(files))
        host = ResultHost(files[etag], etag, resumes=dice.random() < 0.8)
        host.cuts = [dice.choice([dice.randrange(len(VIDEO)), len(VIDEO)])]
        answer = await host.answer(request)
        if dice.random() < 0.3:
            start = dice.randrange(len(VIDEO))
            answer.headers["Content-Range"] = f"bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}"
        if dice.random() < 0.2:
            answer.headers["Content-Length"] = str(dice.randrange(2 * len(VIDEO)))
        if dice.random() < 0.2:
            answer.status_code = dice.choice([200, 206, 404, 416, 503])
            if answer.status_code == 200 and "Content-Range" in answer.headers:
                answer.status_code = 206  # the rest under the name of the whole is past telling
        return answer

    net.usual = anything
    for _ in range(8):
        try:
            fact = await net.fetch(TASK)
        except DownloadFailed:
            assert MP4 not in net.files()
            continue
        if fact.status is FileStatus.STORED:
            assert Path(str(fact.path)).read_bytes() in files.values()
            break
