"""A large result is written while it is received, in few steps and in bounded memory."""

import os
import threading
import tracemalloc
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import httpx
import pytest

from geekai_video_mcp.media.downloads.block_writer import BLOCK_BYTES, MIN_WRITE_BYTES
from geekai_video_mcp.media.downloads.partial import Part
from geekai_video_mcp.media.inspection import FileFacts
from support.fake_geekai import box
from support.net import Net, succeeded_task

CHUNK = bytes(range(256)) * 256
"""As much as is received at a time."""
LARGE = box(b"ftyp", b"mp42") + box(b"moov", bytes(90)) + box(b"mdat", CHUNK * 160)


@dataclass
class ObservedBody(httpx.AsyncByteStream):
    """The large result, and how far its writing is behind."""

    writes: list[int] = field(default_factory=list[int])
    """The bytes of each write so far."""
    received: int = 0
    most_unwritten: int = 0
    """The most bytes at a time that were received and not yet written."""
    next_block_received: threading.Event = field(default_factory=threading.Event)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        for start in range(0, len(LARGE), len(CHUNK)):
            chunk = LARGE[start : start + len(CHUNK)]
            self.received += len(chunk)
            self.most_unwritten = max(self.most_unwritten, self.received - sum(self.writes))
            if self.received >= len(CHUNK) + MIN_WRITE_BYTES + BLOCK_BYTES:
                self.next_block_received.set()
            yield chunk

    async def respond(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": str(len(LARGE))}, stream=self)


@pytest.fixture
def body(net: Net, monkeypatch: pytest.MonkeyPatch) -> ObservedBody:
    """What the result's host sends."""
    body, write = ObservedBody(), Part.write

    def observed_write(part: Part, chunk: bytes | memoryview) -> None:
        if len(body.writes) == 1:
            # Not before another block is here: who receives only between two writes waits in vain.
            assert body.next_block_received.wait(10)
        write(part, chunk)
        body.writes.append(len(chunk))

    monkeypatch.setattr(Part, "write", observed_write)
    net.usual = body.respond
    return body


async def test_the_next_block_is_received_while_one_is_written(
    net: Net, body: ObservedBody
) -> None:
    fact = await net.fetch(succeeded_task())

    assert Path(str(fact.path)).read_bytes() == LARGE
    first, early, whole, *_, _ = body.writes
    assert first == len(CHUNK), "what is no media is refused before more is received"
    assert early == MIN_WRITE_BYTES, "a block does not have to be full while there is time"
    assert whole == BLOCK_BYTES
    assert min(body.writes[1:-1]) >= MIN_WRITE_BYTES


async def test_a_disk_that_is_slower_than_the_network_is_waited_for_with_two_blocks_in_memory(
    net: Net, body: ObservedBody
) -> None:
    await net.fetch(succeeded_task())

    assert BLOCK_BYTES < body.most_unwritten <= 2 * BLOCK_BYTES + len(CHUNK)


async def test_a_fault_of_the_program_in_a_write_ends_the_download(
    net: Net, body: ObservedBody, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Part, __: bytes | memoryview) -> None:
        msg = "a fault"
        raise RuntimeError(msg)

    net.usual = body.respond
    monkeypatch.setattr(Part, "write", fail)
    with anyio.fail_after(10), pytest.raises(RuntimeError, match="a fault"):
        await net.fetch(succeeded_task())


async def test_what_was_received_is_kept_though_a_block_is_being_written_at_a_cancellation(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, cancelled = Part.write, threading.Event()
    received = len(CHUNK) + BLOCK_BYTES + 5000

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncGenerator[bytes]:
            yield LARGE[: len(CHUNK)]
            yield LARGE[len(CHUNK) : received]
            try:
                scope.cancel()
                await anyio.sleep_forever()
            finally:
                cancelled.set()

    async def respond(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Length": str(len(LARGE)), "ETag": '"v1"'}
        return httpx.Response(200, headers=headers, stream=Body())

    def write_late(part: Part, chunk: bytes | memoryview) -> None:
        if len(chunk) == BLOCK_BYTES:
            assert cancelled.wait(10)
        write(part, chunk)

    monkeypatch.setattr(Part, "write", write_late)
    net.usual = respond
    with anyio.CancelScope() as scope:
        await net.fetch(succeeded_task())

    assert (net.folder / f".{succeeded_task().id}.part").read_bytes() == LARGE[:received]


async def test_a_file_that_is_being_synced_is_not_closed_by_a_cancellation(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, close = os.fsync, Part.close
    steps, cancelled = list[str](), threading.Event()

    def sync_late(descriptor: int) -> None:
        assert cancelled.wait(10)
        fsync(descriptor)
        steps.append("synced")

    def observed_close(part: Part) -> None:
        steps.append("closed")
        close(part)

    async def inspect(_: Path) -> FileFacts:
        try:
            scope.cancel()
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    monkeypatch.setattr(os, "fsync", sync_late)
    monkeypatch.setattr(Part, "close", observed_close)
    net.inspect = inspect
    with anyio.CancelScope() as scope:
        await net.fetch(succeeded_task())

    assert steps == ["synced", "closed"]


async def test_many_short_results_at_once_hold_little(net: Net) -> None:
    """As many as finish together are received together."""
    count, video = 40, box(b"ftyp", b"mp42") + box(b"moov", bytes(90)) + box(b"mdat", CHUNK)
    waiting, all_begun = 0, anyio.Event()

    class HeldBody(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncGenerator[bytes]:
            nonlocal waiting
            yield video[:40_000]
            waiting += 1
            if waiting == count:
                all_begun.set()
            await all_begun.wait()
            yield video[40_000:]

    async def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": str(len(video))}, stream=HeldBody())

    net.usual = respond
    tracemalloc.start()
    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(net.fetch, replace(succeeded_task(), id=f"{number:032x}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert waiting == count
    assert peak < count * BLOCK_BYTES / 4
