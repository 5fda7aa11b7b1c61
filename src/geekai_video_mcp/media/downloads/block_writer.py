"""Write what is received in blocks, on a worker thread beside the receiving.

One block is hashed and written while the next is received, so a download takes as long as the
slower of the two. There are two blocks, whose memory is used again and again. A block is written
before it is full if the thread has nothing to do, so they hold little of a slow download.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio

from geekai_video_mcp.domain.media_formats import SIGNATURE_BYTES
from geekai_video_mcp.errors import DownloadFailed
from geekai_video_mcp.media.downloads.partial import Part
from geekai_video_mcp.media.downloads.worker_thread import WorkerThread, open_worker_thread

BLOCK_BYTES: Final = 4 * 1024**2
"""The most bytes that are written at a time: as long as either side may be held up without the
other. A killed process loses what it has not written."""
SMALLEST_BLOCK: Final = 64 * 1024
"""Bytes of a block for a short response: many are received at the same time."""
MIN_WRITE_BYTES: Final = 256 * 1024
"""The fewest, except at both ends: a change of threads costs as much as writing them."""


class BlockWriter:
    """Writes the chunks of one response to a part, in order."""

    def __init__(
        self,
        part: Part,
        check: Callable[[Part], None],
        thread: WorkerThread,
        expected_bytes: int | None,
    ) -> None:
        self._part = part
        self._check = check
        """Is called after each block, on the thread that wrote it."""
        self._thread = thread
        size = BLOCK_BYTES
        if expected_bytes is not None:
            size = min(size, max(SMALLEST_BLOCK, expected_bytes))
        self._block, self._other_block = (memoryview(bytearray(size)) for _ in range(2))
        self._filled = 0

    async def write(self, chunk: bytes) -> None:
        """Write *chunk* soon; waits while both blocks are full.

        Raises:
            OSError: the disk failed at an earlier chunk.
            DownloadFailed: the check has found that the download cannot become a result.
        """
        remaining = memoryview(chunk)
        while remaining:
            taken = remaining[: len(self._block) - self._filled]
            self._block[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            remaining = remaining[len(taken) :]
            if self._filled == len(self._block) or self._may_start_early():
                await self._start_block()
        if len(self._part.head) < SIGNATURE_BYTES:
            await self.flush()  # what is no media is known by its first bytes

    async def flush(self) -> None:
        """Write all that was passed to `write`; raises what that raises."""
        await self._start_block()
        await self._thread.wait()

    def _may_start_early(self) -> bool:
        return self._thread.is_idle and self._filled >= MIN_WRITE_BYTES

    async def _start_block(self) -> None:
        await self._thread.wait()  # nothing is written after a block that could not be
        block, filled, self._filled = self._block, self._filled, 0
        self._block, self._other_block = self._other_block, block
        if filled:
            self._thread.start(self._write_block, block[:filled])

    def _write_block(self, block: memoryview) -> None:
        self._part.write(block)
        self._check(self._part)


@asynccontextmanager
async def write_blocks(
    part: Part, check: Callable[[Part], None], *, expected_bytes: int | None = None
) -> AsyncGenerator[BlockWriter]:
    """A writer to *part*; whatever ends the block, all that was received is written after it.

    *expected_bytes* are announced; more are written as well.
    """
    async with open_worker_thread() as thread:
        writer = BlockWriter(part, check, thread, expected_bytes)
        try:
            yield writer
        except BaseException:
            # What has ended the receiving is the news, not what becomes of its last bytes.
            with anyio.CancelScope(shield=True), suppress(OSError, DownloadFailed):
                await writer.flush()
            raise
        with anyio.CancelScope(shield=True):
            await writer.flush()
