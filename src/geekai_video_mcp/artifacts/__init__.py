"""Results onto disk: fetched at once, checked, published whole or not at all.

A download goes `links` (where it may come from) → `receiving` → `parts` (what is here of
it) → `publishing`. A crash between any two steps leaves a part file that the next one goes
on with, or the video under its name; never a torn video, and never a lie in the ledger.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import anyio
import anyio.to_thread
import httpx

from geekai_video_mcp.artifacts import parts, publishing
from geekai_video_mcp.artifacts.links import SafeHttpClient, download_failed
from geekai_video_mcp.artifacts.parts import Part
from geekai_video_mcp.artifacts.receiving import decode_inline, download, save_error
from geekai_video_mcp.lifecycle import FileUpdate, Task
from geekai_video_mcp.statuses import FileStatus

__all__ = ["ResultDownloader"]

DOWNLOAD_DEADLINE: Final = 1800.0
"""Seconds for one whole download; after that it is tried again."""


class ResultDownloader:
    """The output folder, and the way of results into it."""

    def __init__(
        self,
        output_dir: Path,
        *,
        service_url: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._output_dir = output_dir
        self._client = SafeHttpClient(service_url, transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()

    async def download(self, task: Task) -> FileUpdate:
        """Download the task's result and publish it; `lost` when the link is dead.

        Goes on with what an earlier download left, of this process or of another.

        Raises:
            ServiceUnavailable: not now; the link may still be good.
            StorageUnavailable: the output folder cannot hold it.
        """
        try:
            with anyio.fail_after(DOWNLOAD_DEADLINE):
                return await self._download(task)
        except TimeoutError as exc:
            raise download_failed("The download took too long") from exc
        except httpx.HTTPError as exc:
            raise download_failed(f"The download broke off ({type(exc).__name__})") from exc
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise save_error(task.media, reason) from exc

    async def _download(self, task: Task) -> FileUpdate:
        stem, dead_link = publishing.file_stem(task), None
        await anyio.to_thread.run_sync(parts.remove_abandoned, self._output_dir)
        async with self._open_part(task) as part:
            if not part.is_complete:
                dead_link = await self._transfer(task, part)
            if dead_link is None:
                return await anyio.to_thread.run_sync(publishing.publish, part, stem)
        published = await anyio.to_thread.run_sync(
            publishing.find_published, self._output_dir, stem, task.media
        )
        return published or FileUpdate(status=FileStatus.LOST, error=dead_link)

    async def _transfer(self, task: Task, part: Part) -> str | None:
        url = task.result.url if task.result else None
        if url is None:
            return "The service gave no link."
        if url.startswith("data:"):
            return await decode_inline(url, part)
        return await download(self._client, url, part)

    @asynccontextmanager
    async def _open_part(self, task: Task) -> AsyncGenerator[Part]:
        part = await anyio.to_thread.run_sync(
            parts.claim_part, self._output_dir, task.id, task.media
        )
        if part is None:
            raise download_failed("Another process is downloading the video")
        try:
            yield part
        finally:
            # To its end, however this ends: a large file takes a while to go.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(part.close)
