"""A body over a real connection is received whole, however it arrives, in large reads."""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio.lowlevel
import httpcore
import httpx
import pytest

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import FileUpdate
from geekai_video_mcp.errors import DownloadFailed
from geekai_video_mcp.media.downloads import ResultDownloader, receiving
from geekai_video_mcp.media.downloads.receiving import READ_BYTES
from support.fake_geekai import VIDEO, box
from support.net import Net, succeeded_task
from support.world import skip_inspection

LARGE = VIDEO + box(b"mdat", bytes(range(256)) * 10_000)
HEAD = f'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: {len(LARGE)}\r\n\r\n'.encode()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Connections:
    """A host that sends these segments, and the rest of the body to who asks for that."""

    folder: Path
    segments: Sequence[bytes] = ()
    ranges: list[int] = field(default_factory=list[int])
    """Where the rests began that were asked for."""
    stays_open: bool = False
    """Whether a connection stays open after the last of its segments."""
    resets: bool = False
    """Whether it is reset after that."""
    origin: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if wanted := re.search(rb"Range: bytes=(\d+)-", request):
            self.ranges.append(int(wanted[1]))
            writer.write(rest_from(self.ranges[-1]))
        else:
            await self.send_segments(writer)
            if self.stays_open:
                await reader.read()  # until the client closes it
            if self.resets:
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async def send_segments(self, writer: asyncio.StreamWriter) -> None:
        for segment in self.segments:
            writer.write(segment)
            await writer.drain()
            for _ in range(20):  # the client reads each before the next is sent
                await anyio.lowlevel.checkpoint()

    async def fetch(self) -> FileUpdate:
        service = f"{self.origin}/api/v1"
        async with ResultDownloader(
            self.folder, service_url=service, inspect_file=skip_inspection
        ) as downloader:
            return await downloader.download(succeeded_task(f"{self.origin}/a.mp4"))


@asynccontextmanager
async def connections(folder: Path) -> AsyncGenerator[Connections]:
    host = Connections(folder / "videos")
    async with await asyncio.start_server(host.serve, "127.0.0.1") as server:
        host.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield host


def rest_from(start: int) -> bytes:
    """The response to a request for the rest of the body."""
    content_range = f"bytes {start}-{len(LARGE) - 1}/{len(LARGE)}"
    head = f'HTTP/1.1 206 Partial Content\r\nContent-Range: {content_range}\r\nETag: "v1"\r\n'
    return f"{head}Content-Length: {len(LARGE) - start}\r\n\r\n".encode() + LARGE[start:]


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize(
    "segments",
    [
        [HEAD + LARGE],
        [HEAD, LARGE],
        [HEAD + LARGE[:1], LARGE[1:]],
        [HEAD[:30], HEAD[30:], *cut(LARGE, 100_000)],
        [*cut(HEAD + LARGE, 50_001)],
        [HEAD + LARGE[:-1], LARGE[-1:]],
        [HEAD + LARGE + b"more than was announced"],
        [HEAD + LARGE[:-1], LARGE[-1:] + b"more than was announced"],
        [CHUNKED, *(b"%x\r\n%s\r\n" % (len(c), c) for c in cut(LARGE, 99_999)), b"0\r\n\r\n"],
        [b"HTTP/1.0 200 OK\r\n\r\n", LARGE],
    ],
    ids=["one", "head", "a byte", "many", "any", "last", "more", "more late", "chunked", "1.0"],
)  # fmt: skip
async def test_a_body_is_whole_however_it_is_cut(tmp_path: Path, segments: list[bytes]) -> None:
    async with connections(tmp_path) as host:
        host.segments = segments
        fact = await host.fetch()

    assert fact.status is FileStatus.STORED
    assert Path(str(fact.path)).read_bytes() == LARGE


@pytest.mark.parametrize(
    ("resets", "why"),
    [(False, "The download ended early"), (True, r"The download was interrupted \(ReadError\)")],
)
async def test_a_connection_that_ends_in_the_body_is_gone_on_with(
    tmp_path: Path, *, resets: bool, why: str
) -> None:
    received = LARGE[:1_500_000]
    async with connections(tmp_path) as host:
        host.segments, host.resets = [HEAD, *cut(received, 10_000)], resets
        with pytest.raises(DownloadFailed, match=why):
            await host.fetch()
        fact = await host.fetch()

    assert Path(str(fact.path)).read_bytes() == LARGE
    [start] = host.ranges
    # A reset discards what has arrived and was not read yet.
    assert 0 < start <= len(received) if resets else start == len(received)


async def test_a_connection_that_delivers_nothing_more_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "FETCH_TIMEOUT", httpx.Timeout(0.1))
    async with connections(tmp_path) as host:
        host.segments, host.stays_open = [HEAD, LARGE[:200_000]], True
        with pytest.raises(DownloadFailed, match=r"interrupted \(ReadTimeout\)"):
            await host.fetch()


class RecordingStream(httpcore.AsyncMockStream):
    """A connection that delivers as much as is asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__([])
        self.content = content
        self.asked = list[int]()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own
        assert timeout is not None
        self.asked.append(max_bytes)
        chunk, self.content = self.content[:max_bytes], self.content[max_bytes:]
        return chunk


async def test_a_large_body_is_read_in_large_reads(net: Net) -> None:
    first, rest = LARGE[:1000], LARGE[1000:]
    stream = RecordingStream(rest + b"another response")

    async def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200,
            headers={"Content-Length": str(len(LARGE))},
            stream=httpx.ByteStream(first),
            extensions={"network_stream": stream},
        )

    net.usual = respond
    fact = await net.fetch(succeeded_task())

    assert Path(str(fact.path)).read_bytes() == LARGE
    *large, last = stream.asked
    assert set(large) == {READ_BYTES}
    assert sum(stream.asked) == len(rest), "nothing beyond the body is read"
    assert last <= READ_BYTES
