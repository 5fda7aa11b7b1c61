"""Download results to disk: at once, checked, and published complete or not at all.

A download passes `links` (which addresses are allowed) → `transfer` → `partial` (the partial
file) → `publishing`. A crash between any two steps leaves a part file that the
next download resumes, or the video under its final name; never an incomplete video, and
never a false record in the ledger. The ledger itself may not enter: the watcher records.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import anyio
import anyio.to_thread
import httpx

from geekai_video_mcp.domain.lifecycle import FileUpdate, Task
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.media.downloads import partial, publishing
from geekai_video_mcp.media.downloads.links import SafeHttpClient, download_failed
from geekai_video_mcp.media.downloads.partial import Part
from geekai_video_mcp.media.downloads.transfer import decode_inline, download, save_error

__all__ = ["ResultDownloader"]

DOWNLOAD_DEADLINE: Final = 1800.0
"""Seconds for one whole download; after that it fails and is retried later."""


class ResultDownloader:
    """Downloads results into the output folder."""

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

        Resumes what an earlier download left, of this process or of another.

        Raises:
            ServiceUnavailable: the download failed; the link may still work later.
            StorageUnavailable: the file could not be written to the output folder.
        """
        try:
            with anyio.fail_after(DOWNLOAD_DEADLINE):
                return await self._download(task)
        except TimeoutError as exc:
            raise download_failed("The download took too long") from exc
        except httpx.HTTPError as exc:
            raise download_failed(f"The download was interrupted ({type(exc).__name__})") from exc
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise save_error(task.media, reason) from exc

    async def _download(self, task: Task) -> FileUpdate:
        stem, dead_link = publishing.file_stem(task), None
        await anyio.to_thread.run_sync(partial.remove_abandoned, self._output_dir)
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
            return "The service returned no link."
        if url.startswith("data:"):
            return await decode_inline(url, part)
        return await download(self._client, url, part)

    @asynccontextmanager
    async def _open_part(self, task: Task) -> AsyncGenerator[Part]:
        part = await anyio.to_thread.run_sync(
            partial.claim_part, self._output_dir, task.id, task.media
        )
        if part is None:
            raise download_failed("Another process is downloading the video")
        try:
            yield part
        finally:
            # Shielded, so that a cancelled download closes its part too: removing a large
            # file takes a while.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(part.close)
