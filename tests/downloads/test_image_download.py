"""A picture is published as a video is: whole, known by its own bytes, replacing nothing."""

import base64
import shutil
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.errors import DownloadFailed
from support.fake_geekai import STILL, VIDEO, box, file_reply
from support.net import LINK, Net, download_refusal, succeeded_task

JPEG = b"\xff\xd8\xff\xe0" + bytes(300) + b"\xff\xd9"
WEBP = b"RIFF" + (4 + 300).to_bytes(4, "little") + b"WEBP" + bytes(300)
KINDS = [(STILL, ".png"), (JPEG, ".jpg"), (WEBP, ".webp")]


def pictured(url: str = LINK) -> Task:
    return replace(succeeded_task(url), media=Media.IMAGE)


def inline(content: bytes) -> Task:
    return pictured(f"data:;base64,{base64.b64encode(content).decode()}")


def unmeasured(content: bytes) -> httpx.Response:
    """An answer that says nothing of its length, and so ends as a broken connection does."""

    async def body() -> AsyncGenerator[bytes]:
        yield content

    response = httpx.Response(200, content=body())
    del response.headers["Transfer-Encoding"]
    return response


@pytest.mark.parametrize(("content", "ending"), KINDS)
async def test_a_picture_is_called_what_its_bytes_say(
    net: Net, content: bytes, ending: str
) -> None:
    net.answers["static.geekai.co"] = file_reply(content)

    fact = await net.fetch(pictured())

    assert net.files() == [f"fox-snow-01234567{ending}"]
    assert Path(str(fact.path)).read_bytes() == content


@pytest.mark.parametrize(("content", "ending"), KINDS)
async def test_a_picture_in_the_answer_itself_is_published_without_a_request(
    net: Net, content: bytes, ending: str
) -> None:
    fact = await net.fetch(inline(content))

    assert Path(str(fact.path)).suffix == ending
    assert Path(str(fact.path)).read_bytes() == content
    assert net.requests == []


async def test_what_is_no_picture_is_not_saved_as_one(net: Net) -> None:
    content = b"<html>no picture</html>"
    net.answers["static.geekai.co"] = file_reply(content)

    assert await download_refusal(net, pictured()) == "The result's link gives a web page"
    assert await download_refusal(net, inline(content)) == "The result's link gives a web page"


@pytest.mark.parametrize(
    ("content", "ending", "name"),
    [
        (VIDEO, ".mp4", "an MP4 video"),
        (b"GIF89a" + bytes(300), ".gif", "a GIF picture"),
        (box(b"ftyp", b"avif" + bytes(300)), ".avif", "an AVIF picture"),
        (box(b"ftyp", b"heic" + bytes(300)), ".heic", "a HEIC picture"),
        (b"BM" + bytes(300), ".bmp", "a BMP picture"),
        (b"II*\0" + bytes(300), ".tiff", "a TIFF picture"),
    ],
)
async def test_media_of_another_kind_than_a_picture_is_kept_under_its_own_ending_and_said(
    net: Net, content: bytes, ending: str, name: str
) -> None:
    net.answers["static.geekai.co"] = file_reply(content)

    fact = await net.fetch(pictured())

    assert (fact.status, Path(str(fact.path)).suffix) == (FileStatus.STORED, ending)
    assert Path(str(fact.path)).read_bytes() == content
    assert fact.error == f"The link gave {name}, which is kept as it is."


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (STILL, ".png"),
        (b"GIF87a" + bytes(300), ".gif"),
        (b"RIFF\0\0\0\0AVI " + bytes(300), ".avi"),
        (b"FLV\x01" + bytes(300), ".flv"),
        (b"OggS" + bytes(300), ".ogg"),
        (b"\0\0\x01\xba" + bytes(300), ".mpg"),
        ((b"G" + bytes(187)) * 3, ".ts"),
        (b"ID3" + bytes(300), ".mp3"),
    ],
)
async def test_media_that_is_no_usual_video_is_kept_under_its_own_ending_and_said(
    net: Net, content: bytes, ending: str
) -> None:
    net.answers["static.geekai.co"] = file_reply(content)

    fact = await net.fetch(succeeded_task())

    assert (fact.status, Path(str(fact.path)).suffix) == (FileStatus.STORED, ending)
    assert "which is kept as it is" in str(fact.error)


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (box(b"ftyp", b"qt  " + bytes(300)), ".mov"),
        (box(b"moov", bytes(300)), ".mov"),
        (b"\x1a\x45\xdf\xa3" + bytes(20) + b"matroska" + bytes(300), ".mkv"),
    ],
)
async def test_a_video_in_another_container_is_a_video(
    net: Net, content: bytes, ending: str
) -> None:
    net.answers["static.geekai.co"] = file_reply(content)

    fact = await net.fetch(succeeded_task())

    assert (Path(str(fact.path)).suffix, fact.error) == (ending, None)


@pytest.mark.parametrize(("content", "_"), KINDS)
async def test_a_picture_of_no_announced_length_is_whole_or_not_saved(
    net: Net, content: bytes, _: str
) -> None:
    net.answers["static.geekai.co"] = unmeasured(content[:-3])
    assert "ended early" in await download_refusal(net, pictured())

    net.answers["static.geekai.co"] = unmeasured(content)
    assert (await net.fetch(pictured())).status is FileStatus.STORED


@pytest.mark.parametrize(
    ("mark", "replacement"),
    [("=", ""), ("/", "_"), ("+", "-"), ("+", "%2B"), ("/", "\n/"), ("/", "\r\n /")],
)
async def test_a_picture_in_any_spelling_of_base64_is_saved(
    net: Net, mark: str, replacement: str
) -> None:
    content = STILL[:-12] + b"\xfb\xff\xfe" + STILL[-12:] + b"\0\0"
    text = base64.b64encode(content).decode()
    assert {"+", "/", "="} <= set(text)

    fact = await net.fetch(pictured(f"data:;base64,{text.replace(mark, replacement)}"))

    assert fact.status is FileStatus.STORED
    assert Path(str(fact.path)).read_bytes() == content


@pytest.mark.parametrize("text", ["?", "AAAA=A", "Ü"])
async def test_an_answer_that_is_no_base64_holds_no_picture(net: Net, text: str) -> None:
    fact = await net.fetch(pictured(f"data:;base64,{text}"))

    assert fact.status is FileStatus.LOST
    assert fact.error == "The data in the response could not be decoded."
    assert net.files() == []


async def test_an_inline_picture_leaves_room_on_the_disk(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(_: Path) -> SimpleNamespace:
        return SimpleNamespace(free=1000)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(DownloadFailed) as error:
        await net.fetch(inline(STILL))

    assert error.value.code == "disk_full"
    assert net.files() == []


async def test_a_picture_that_stands_under_its_name_is_taken_when_its_link_is_dead(
    net: Net,
) -> None:
    net.folder.mkdir()
    (net.folder / "fox-snow-01234567.png").write_bytes(STILL)
    (net.folder / "fox-snow-01234567.mp4").write_bytes(VIDEO)
    net.answers["static.geekai.co"] = httpx.Response(404)

    fact = await net.fetch(pictured())

    assert (fact.status, Path(str(fact.path)).suffix) == (FileStatus.STORED, ".png")
