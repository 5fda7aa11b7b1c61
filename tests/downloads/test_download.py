"""Onto disk: whole or not at all, replacing nothing."""

import errno
import hashlib
import io
import itertools
import os
import shutil
import stat
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import FileUpdate
from geekai_video_mcp.errors import DownloadFailed
from geekai_video_mcp.file_locks import try_lock
from geekai_video_mcp.media import downloads
from geekai_video_mcp.media.downloads import transfer
from geekai_video_mcp.media.downloads.formats import SIGNATURE_BYTES, is_complete
from geekai_video_mcp.media.downloads.links import ANSWER_DEADLINE
from support.clock import virtual_time
from support.fake_geekai import VIDEO, box, file_reply
from support.net import LINK, PUBLIC, WEBM, Net, download_refusal, succeeded_task

WHOLE = (
    box(b"ftyp", b"mp42") + box(b"moov", bytes(60)) + box(b"free", b"") + box(b"mdat", bytes(90))
)


async def test_a_video_is_published_whole_under_a_name_of_its_own(net: Net) -> None:
    fact = await net.fetch(succeeded_task())

    assert net.files() == ["fox-snow-01234567.mp4"]
    path = net.folder / net.files()[0]
    assert path.read_bytes() == VIDEO
    assert fact == FileUpdate(
        status=FileStatus.STORED,
        path=str(path),
        size_bytes=len(VIDEO),
        sha256=hashlib.sha256(VIDEO).hexdigest(),
    )


@pytest.mark.parametrize(
    "mine", [b"mine", b"m", bytes(len(VIDEO))], ids=["other", "a byte", "as long as the video"]
)
async def test_a_video_replaces_nothing_that_has_its_name(net: Net, mine: bytes) -> None:
    net.folder.mkdir()
    (net.folder / "fox-snow-01234567.mp4").write_bytes(mine)

    fact = await net.fetch(succeeded_task())

    assert net.files() == [f"fox-snow-01234567{n}.mp4" for n in ("-2", "")]
    assert (net.folder / "fox-snow-01234567.mp4").read_bytes() == mine
    assert Path(str(fact.path)).read_bytes() == VIDEO
    assert Path(str(fact.path)).name == "fox-snow-01234567-2.mp4"


async def test_a_dangling_link_of_the_name_is_not_followed(net: Net, tmp_path: Path) -> None:
    net.folder.mkdir()
    (net.folder / "fox-snow-01234567.mp4").symlink_to(tmp_path / "elsewhere")

    assert str((await net.fetch(succeeded_task())).path).endswith("-2.mp4")
    assert not (tmp_path / "elsewhere").exists()


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")  # exFAT


async def test_a_disk_without_links_is_published_to_as_well(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    for content in (VIDEO, WHOLE):
        net.answers["static.geekai.co"] = file_reply(content)
        await net.fetch(succeeded_task())

    assert net.files() == [f"fox-snow-01234567{n}.mp4" for n in ("-2", "")]
    assert [(net.folder / name).read_bytes() for name in net.files()] == [WHOLE, VIDEO]


@pytest.mark.parametrize("taken_away", [False, True])
async def test_a_disk_without_links_that_takes_no_video_says_why_and_keeps_no_empty_name(
    net: Net, monkeypatch: pytest.MonkeyPatch, *, taken_away: bool
) -> None:
    """Somebody may have removed the reserved name meanwhile; that is not what went wrong."""
    observed: list[tuple[int, bool]] = []

    def fails(part: Path, name: Path) -> None:
        with part.open("rb") as another:
            observed.append((name.stat().st_mode & 0o777, try_lock(another.fileno())))
        if taken_away:
            name.unlink()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(DownloadFailed, match="input/output error"):
        await net.fetch(succeeded_task())

    assert observed == [(0o600, False)], "private, and the part is still locked"
    assert not [name for name in net.files() if not name.startswith(".")]


async def test_bytes_are_synced_before_the_name_and_the_name_before_the_answer(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def synced(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "bytes")
        fsync(descriptor)

    def linked(part: Path, path: Path) -> None:
        steps.append("name")
        link(part, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    await net.fetch(succeeded_task())

    assert steps == ["bytes", "name", "folder"]


async def test_webm_is_called_webm(net: Net) -> None:
    net.answers["static.geekai.co"] = file_reply(WEBM)

    assert str((await net.fetch(succeeded_task())).path).endswith(".webm")


@pytest.mark.parametrize("chunk", [1, 3, 7, 4096])
async def test_a_video_may_come_in_pieces_of_any_size(net: Net, chunk: int) -> None:
    net.answers["static.geekai.co"] = file_reply(VIDEO[:900], chunk=chunk)

    assert (await net.fetch(succeeded_task())).size_bytes == 900


CUT = "The download ended early"
GIVES = "The result's link gives {}"
NO_MEDIA = GIVES.format("a file of no known media format")
HLS = "an HLS playlist, which only lists the pieces of a video"
HOST = "The result's host returned HTTP {}"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (file_reply(VIDEO[:5000], announced=len(VIDEO)), CUT),
        (file_reply(VIDEO, announced=5000), "The result is longer than its announced length"),
        (file_reply(b"", announced=0), CUT),
        (file_reply(b"\x00\x00\x00\x18fty"), NO_MEDIA),
        (file_reply(b"<!doctype html><title>Sign in</title>"), GIVES.format("a web page")),
        (file_reply(b"\x1f\x8b" + VIDEO), GIVES.format("a gzip file")),
        (file_reply(b"PK\x03\x04" + VIDEO), GIVES.format("a zip archive")),
        (file_reply(b"#EXTM3U\n#EXT-X-VERSION:3\n"), GIVES.format(HLS)),
        (file_reply(b"\xef\xbb\xbf  <HTML>"), GIVES.format("a web page")),
        (file_reply(b'{"error": "no such file"}'), GIVES.format("JSON")),
        (httpx.Response(206, content=VIDEO), HOST.format(206)),
        (httpx.Response(204), HOST.format(204)),
        (httpx.Response(304), HOST.format(304)),
        (httpx.Response(401), HOST.format(401)),
        (httpx.Response(429), HOST.format(429)),
        (httpx.Response(503, text="busy"), HOST.format(503)),
    ],
    ids=itertools.count(),
)
async def test_what_is_no_whole_video_is_not_published(
    net: Net, answer: httpx.Response, why: str
) -> None:
    net.answers["static.geekai.co"] = answer

    assert await download_refusal(net, succeeded_task()) == why


async def test_a_video_larger_than_any_is_not_kept(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "SIZE_LIMIT", 10_000)

    reason = await download_refusal(net, succeeded_task())

    assert reason == "The result is larger than 10,000 bytes"


@pytest.mark.parametrize("status_code", [403, 404, 410])
async def test_a_dead_link_is_a_lost_file_and_not_a_matter_of_patience(
    net: Net, status_code: int
) -> None:
    net.answers["static.geekai.co"] = httpx.Response(status_code)

    fact = await net.fetch(succeeded_task())

    assert (fact.status, fact.error) == (
        FileStatus.LOST,
        f"The link returned HTTP {status_code}.",
    )


async def test_a_result_without_a_link_is_lost(net: Net) -> None:
    for task in (succeeded_task(None), replace(succeeded_task(), result=None)):
        fact = await net.fetch(task)

        assert (fact.status, fact.error) == (FileStatus.LOST, "The service returned no link.")


async def test_a_line_that_breaks_leaves_nothing(net: Net) -> None:
    async def breaks() -> AsyncGenerator[bytes]:
        yield VIDEO[:5000]
        msg = f"{LINK}?signature=secret"
        raise httpx.ReadError(msg)

    net.answers["static.geekai.co"] = httpx.Response(200, content=breaks())

    assert (
        await download_refusal(net, succeeded_task()) == "The download was interrupted (ReadError)"
    )


@dataclass
class Drip(httpx.AsyncByteStream):
    """A video without end, *size* bytes of it every 20 seconds."""

    size: int

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield VIDEO[:100]
        while True:
            await anyio.sleep(20)
            yield bytes(self.size)


@virtual_time()
async def test_a_download_that_never_ends_is_ended(net: Net) -> None:
    net.answers["static.geekai.co"] = httpx.Response(200, stream=Drip(200_000))

    assert await download_refusal(net, succeeded_task()) == "The download took too long"
    assert anyio.current_time() == pytest.approx(downloads.DOWNLOAD_DEADLINE)


@virtual_time()
async def test_a_download_that_only_pretends_to_go_on_is_ended(net: Net) -> None:
    net.answers["static.geekai.co"] = httpx.Response(200, stream=Drip(1))

    assert await download_refusal(net, succeeded_task()) == "The download was too slow"
    assert anyio.current_time() == pytest.approx(transfer.STALL_WINDOW)


@virtual_time()
async def test_a_host_that_never_ends_the_head_of_its_answer_is_left(net: Net) -> None:
    """Byte by byte, it never meets the read timeout of a connection."""

    async def never(_: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    net.usual = never
    with anyio.fail_after(ANSWER_DEADLINE + 1):
        assert await download_refusal(net, succeeded_task()) == "The download took too long"


@virtual_time()
async def test_a_cancelled_download_that_nothing_vouches_for_leaves_nothing(net: Net) -> None:
    net.answers["static.geekai.co"] = httpx.Response(200, stream=Drip(200_000))

    with anyio.move_on_after(100) as cancelled:
        await net.fetch(succeeded_task())

    assert cancelled.cancelled_caught
    assert net.files() == []


async def test_a_folder_that_is_a_file_is_the_operators_to_mend(net: Net) -> None:
    net.folder.touch()

    with pytest.raises(DownloadFailed, match=r"output folder .* could not be written") as error:
        await net.fetch(succeeded_task())
    assert str(net.folder) in error.value.message
    assert "charged" not in error.value.message
    assert error.value.code == "output_folder"


async def test_a_full_disk_leaves_nothing_and_says_so(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(DownloadFailed, match="its disk is full"):
        await net.fetch(succeeded_task())
    assert net.files() == []


async def test_a_download_for_which_there_is_no_room_is_not_begun(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to the last byte: the ledger is on a disk, too."""
    free = transfer.RESERVED_BYTES + len(VIDEO) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    with pytest.raises(DownloadFailed) as error:
        await net.fetch(succeeded_task())
    assert error.value.message == (
        f'The output folder "{net.folder}" (GEEKAI_OUTPUT_DIR) has 268 MB free, and 268 MB are'
        " needed."
    )
    assert net.files() == []

    free += 1
    assert (await net.fetch(succeeded_task())).status is FileStatus.STORED


async def test_a_part_is_private_and_no_link_leads_a_download_elsewhere(
    net: Net, tmp_path: Path
) -> None:
    observed: list[tuple[str, int]] = []

    async def look(_: httpx.Request) -> httpx.Response:
        observed.extend((part.name, part.lstat().st_mode) for part in net.folder.glob(".*"))
        return file_reply(VIDEO)

    net.usual = look
    net.folder.mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (net.folder / f".{succeeded_task().id}.part").symlink_to(tmp_path / "precious")
    await net.fetch(succeeded_task())

    assert observed == [(f".{succeeded_task().id}.part", stat.S_IFREG | 0o600)]
    assert (tmp_path / "precious").read_bytes() == b"precious"


async def test_another_name_of_the_part_is_not_written_through(net: Net, tmp_path: Path) -> None:
    """So a process leaves it that dies between the name and the end of the part."""
    net.folder.mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (net.folder / f".{succeeded_task().id}.part").hardlink_to(tmp_path / "precious")
    await net.fetch(succeeded_task())

    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert net.files() == ["fox-snow-01234567.mp4"]


# Bodies that end where the connection does


def closing(content: bytes) -> httpx.Response:
    """A body without a length, as HTTP/1.0 and some gateways send it."""
    response = file_reply(content)
    del response.headers["Content-Length"]
    return response


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        box(b"ftyp", b"mp42") + box(b"moov", bytes(90)) + b"\0\0\0\0mdat" + bytes(500),
        box(b"ftyp", b"mp42") + b"\0\0\0\1mdat" + (516).to_bytes(8, "big") + bytes(500)
        + box(b"moov", bytes(90)),
        WEBM,
    ],
    ids=["moov first", "mdat to the end", "long mdat", "webm"],
)  # fmt: skip
async def test_a_whole_video_of_unannounced_length_is_kept(net: Net, content: bytes) -> None:
    net.answers["static.geekai.co"] = closing(content)

    assert (await net.fetch(succeeded_task())).size_bytes == len(content)


@pytest.mark.parametrize("at", range(len(WHOLE)))
async def test_a_video_of_unannounced_length_that_was_cut_anywhere_is_refused(
    net: Net, at: int
) -> None:
    net.answers["static.geekai.co"] = closing(WHOLE[:at])

    assert await download_refusal(net, succeeded_task()) in {CUT, NO_MEDIA}


async def test_a_video_of_unannounced_length_that_claims_more_than_any_disk_is_refused(
    net: Net,
) -> None:
    length = (1 << 56) + 516  # the eighth byte counts as well
    longer = b"\0\0\0\1mdat" + length.to_bytes(8, "big") + bytes(500)
    net.answers["static.geekai.co"] = closing(
        box(b"ftyp", b"mp42") + box(b"moov", bytes(90)) + longer
    )

    assert await download_refusal(net, succeeded_task()) == CUT


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        return content


@pytest.mark.parametrize(
    ("content", "boxes"),
    [(box(b"ftyp", b"mp42") + box(b"moov", bytes(500)) + box(b"mdat", bytes(9000)), 3), (WEBM, 0)],
    ids=["mp4", "webm"],
)
def test_whether_a_video_is_whole_is_known_without_reading_it(content: bytes, boxes: int) -> None:
    """Of gigabytes, the headers."""
    file = Counted(content)

    assert is_complete(file)
    assert file.taken <= SIGNATURE_BYTES + 16 * boxes


async def test_a_body_whose_end_http_itself_marks_needs_no_container(net: Net) -> None:
    net.answers["static.geekai.co"] = closing(VIDEO[:900])
    net.answers["static.geekai.co"].headers["Transfer-Encoding"] = "chunked"

    assert (await net.fetch(succeeded_task())).size_bytes == 900


async def test_a_result_is_got_from_its_host_and_from_the_service_itself(net: Net) -> None:
    for host in (LINK.split("/")[2], PUBLIC):
        await net.fetch(succeeded_task(f"https://{host}/a.mp4"))

    assert [request.method for request in net.requests] == ["GET", "GET"]


async def test_an_output_folder_is_made_with_all_that_lead_to_it(net: Net, tmp_path: Path) -> None:
    net.folder = tmp_path / "my" / "videos"

    assert (await net.fetch(succeeded_task())).status is FileStatus.STORED
