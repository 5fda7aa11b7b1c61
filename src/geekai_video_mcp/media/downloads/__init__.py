"""Download results to disk: at once, checked, and published complete or not at all.

A download passes `links` (which addresses are allowed) → `transfer` → `partial` (the partial
file) → `publishing`. A crash between any two steps leaves a part file that the
next download resumes, or the video under its final name; never an incomplete video, and
never a false record in the ledger. The ledger itself may not enter: the watcher records.
"""

import copy
import errno
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import anyio
import anyio.to_thread
import httpx
from pydantic import SecretStr

from geekai_video_mcp.domain.retries import LASTING, PASSING, Obstacle
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Task,
)
from geekai_video_mcp.errors import DownloadFailed, describe_os_error
from geekai_video_mcp.media.downloads import partial, publishing
from geekai_video_mcp.media.downloads.facts import add_facts, describe_damage
from geekai_video_mcp.media.downloads.links import SafeHttpClient
from geekai_video_mcp.media.downloads.partial import Part
from geekai_video_mcp.media.downloads.transfer import decode_inline, download, interrupted
from geekai_video_mcp.media.downloads.worker_thread import open_worker_thread
from geekai_video_mcp.media.inspection import FileFacts, inspect_file
from geekai_video_mcp.media.output_folder import describe_output_folder

__all__ = ["InspectFile", "ResultDownloader"]

InspectFile = Callable[[Path], Awaitable[FileFacts]]
"""Finds out what a file is, as `inspection.inspect_file` does."""

DOWNLOAD_DEADLINE: Final = 1800.0
"""Seconds for one whole download; after that it fails and is retried later."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Failures of a disk that end when somebody makes room."""


class ResultDownloader:
    """Downloads results into the output folder."""

    def __init__(
        self,
        output_dir: Path,
        *,
        service_url: str,
        api_key: SecretStr | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        inspect_file: InspectFile = inspect_file,
    ) -> None:
        self._output_dir = output_dir
        self._client = SafeHttpClient(service_url, transport, api_key)
        self._inspect_file = inspect_file

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()

    def into(self, folder: Path) -> Self:
        """The same over the same connections, with another output folder."""
        same = copy.copy(self)
        same._output_dir = folder  # noqa: SLF001 - our own class
        return same

    async def download(self, task: Task) -> FileUpdate:
        """Download the task's result and publish it; `lost` when the link is dead.

        Resumes what an earlier download left, of this process or of another. What cannot be
        decoded after several downloads is published as well, and the task is `linked`.

        Raises:
            DownloadFailed: it could not be downloaded; the error says why, and how often it is
                worth trying.
        """
        try:
            with anyio.fail_after(DOWNLOAD_DEADLINE):
                return await self._download(task)
        except TimeoutError as exc:
            raise interrupted("The download took too long") from exc
        except httpx.HTTPError as exc:
            raise interrupted(f"The download was interrupted ({type(exc).__name__})") from exc
        except OSError as exc:
            raise self._folder_failed(exc) from exc

    def _folder_failed(self, error: OSError) -> DownloadFailed:
        full = error.errno in _FULL
        folder = describe_output_folder(self._output_dir)
        msg = f"{folder} could not be written: {describe_os_error(error)}"
        return DownloadFailed(
            msg,
            code=Obstacle.DISK_FULL if full else Obstacle.OUTPUT_FOLDER,
            attempts=PASSING if full else LASTING,
        )

    async def _download(self, task: Task) -> FileUpdate:
        stem, dead_link = publishing.file_stem(task), None
        await anyio.to_thread.run_sync(partial.remove_abandoned, self._output_dir)
        async with self._open_part(task) as part:
            if not part.is_complete:
                dead_link = await self._transfer(task, part)
            if dead_link is None:
                return await self._check_and_publish(task, part, stem)
        published = await anyio.to_thread.run_sync(
            publishing.find_published, self._output_dir, stem, task.media
        )
        if published is not None:
            return add_facts(published, await self._inspect_file(Path(str(published.path))))
        return FileUpdate(status=FileStatus.LOST, error=dead_link, error_code=Obstacle.RESULT_LOST)

    async def _check_and_publish(self, task: Task, part: Part, stem: str) -> FileUpdate:
        async with open_worker_thread() as thread:
            thread.start(publishing.sync_content, part)
            facts = await self._inspect_file(part.path)
            await thread.wait()
        usual = part.format is not None and part.format.usual_for is task.media
        damage = describe_damage(facts) if usual else None
        if damage is not None and task.failed_downloads + 1 < LASTING:
            await anyio.to_thread.run_sync(part.reset)
            raise DownloadFailed(damage, code=Obstacle.UNDECODABLE, attempts=LASTING)
        published = await anyio.to_thread.run_sync(publishing.publish, part, stem)
        return add_facts(published, facts)

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
            raise interrupted("Another process is downloading the video")
        try:
            yield part
        finally:
            # Shielded, so that a cancelled download closes its part too: removing a large
            # file takes a while.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(part.close)
