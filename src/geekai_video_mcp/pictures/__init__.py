"""Pictures given by reference, made into what GeekAI takes before anything is submitted.

A file becomes a data URI, and an earlier task its picture or its last frame; links and data
URIs were judged in `inputs` and stay as they are. Reading is done on worker threads, and
decoding in child programs: the codecs are heavy, and a picture may be a stranger's.
"""

import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import anyio
import anyio.to_thread

from geekai_video_mcp import references
from geekai_video_mcp.errors import RequestRefused, TaskNotFound
from geekai_video_mcp.inputs.media import MediaFields, MediaKind, replace_media
from geekai_video_mcp.lifecycle import Media, Task
from geekai_video_mcp.pictures.folders import Unreadable, read_file
from geekai_video_mcp.references import DATA_URI_LIMIT, PICTURE_REMEDY, RefKind
from geekai_video_mcp.statuses import TERMINAL, FileStatus, Status
from geekai_video_mcp.wire import GenerationRequest

RESOLVE_TIMEOUT: Final = 10.0
"""Seconds for all pictures of one request; a 20 MB photograph takes about one."""
LINK_TTL: Final = 6 * 86_400.0
"""Seconds for which a result's link is passed on. GeekAI keeps it for 7 days (its Veo manual,
read 2026-11-22), and the request it is given to may queue for a while."""
MAX_PICTURE_BYTES: Final = (DATA_URI_LIMIT - 64) // 4 * 3
"""Bytes of a picture whose data URI is just within the limit."""
TOO_LARGE: Final = 2
"""The exit status of `stills` for a picture of too many pixels."""


class Ended(NamedTuple):
    """How a child program ended, and what it wrote."""

    status: int
    output: bytes


RunWorker = Callable[[Sequence[str], bytes], Awaitable[Ended]]
"""Runs one of our programs with these arguments and this on its stdin."""
FindTask = Callable[[str], Awaitable[Task]]
Request = TypeVar("Request", bound=GenerationRequest)


async def run_worker(arguments: Sequence[str], content: bytes) -> Ended:
    """The program, as a process that ends when its caller stops waiting."""
    done = await anyio.run_process(
        worker_command(arguments), input=content, stderr=subprocess.DEVNULL, check=False
    )
    return Ended(done.returncode, done.stdout)


def worker_command(arguments: Sequence[str]) -> list[str]:
    """The command line of one of our programs."""
    # -P: a file named PIL.py in the user's folder must not be what the child imports.
    program, *rest = arguments
    return [sys.executable, "-P", "-m", f"geekai_video_mcp.{program}", *rest]


class MediaResolver:
    """The way from a caller's references to what the wire takes."""

    def __init__(
        self,
        *,
        output_dir: Path,
        folders: Sequence[Path],
        service: str,
        service_url: str,
        find: FindTask,
        child: RunWorker = run_worker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folders = [output_dir, *folders]
        self._service = service
        self.service_url = service_url
        """Where links may lead that lead nowhere else."""
        self._find = find
        self._child = child
        self._clock = clock
        self._one = anyio.Lock()
        """Pictures are decoded one at a time: each may take half a gigabyte."""

    async def resolve(self, request: Request, fields: MediaFields) -> Request:
        """The request with a link or a data URI wherever a file or a task was named.

        *fields* are those of the arguments that the request was made of.

        Raises:
            RequestRefused: what is named cannot be used; nothing was sent.
            NotAuthorised, ServiceUnavailable: a task made elsewhere could not be asked for.
            StorageUnavailable: the ledger cannot be read.
        """
        body = request.to_json()
        try:
            with anyio.fail_after(RESOLVE_TIMEOUT):
                meant = await replace_media(body, fields, self._replacement)
        except TimeoutError:
            msg = (
                f"The pictures were not ready within {RESOLVE_TIMEOUT:.0f} s; give smaller or fewer"
            )
            raise RequestRefused(msg) from None
        return request if meant == body else type(request).model_validate(meant)

    async def _replacement(self, kind: MediaKind, where: str, text: str) -> str:
        match kind:
            case MediaKind.IMAGE:
                return await self._picture(text, where)
            case MediaKind.VIDEO:
                return await self._video(text, where)
            case MediaKind.AUDIO:
                return text  # a link, which GeekAI fetches

    async def _picture(self, text: str, where: str) -> str:
        kind = references.ref_kind(text)
        if kind is RefKind.FILE:
            return await self._file(text, self._folders, where)
        if kind is RefKind.TASK:
            return await self._from_task(await self._require_succeeded(text, where), where)
        return text

    async def _video(self, text: str, where: str) -> str:
        if references.ref_kind(text) is not RefKind.TASK:
            return text
        task = await self._require_succeeded(text, where)
        link = task.result.url if task.result else None
        if task.media is not Media.VIDEO:
            raise _refused(where, "that task made a picture; give it as an image")
        if (usable := self._link(task, link)) is None:
            msg = "the link of that task's video is no longer good; give an https URL of the video"
            raise _refused(where, msg)
        return usable

    async def _file(self, reference: str, folders: Sequence[Path], where: str) -> str:
        """The file as a data URI."""
        try:
            content = await anyio.to_thread.run_sync(partial(read_file, reference, folders))
        except Unreadable as exc:
            raise _refused(where, f"{exc}; or {PICTURE_REMEDY}") from exc
        return await self._encode(content, where)

    async def _encode(self, content: bytes, where: str) -> str:
        """The picture as a data URI, made smaller if it must be."""
        if references.picture_type(content) is None:
            raise _refused(where, "the file is no PNG, JPEG or WebP picture, whatever it is called")
        async with self._one:
            status, fit = await self._child(["stills", str(MAX_PICTURE_BYTES)], content)
        if status == TOO_LARGE:
            raise _refused(where, "the picture has too many pixels; give one of up to 120 million")
        uri = references.data_uri(fit) if status == 0 else None
        if uri is None:
            raise _refused(where, "the picture is damaged: it cannot be decoded to its end")
        return uri

    async def _from_task(self, task: Task, where: str) -> str:
        """A picture task's picture, or a video task's last frame."""
        result, path = task.result, Path(task.file_path or "")
        stored = task.file_status is FileStatus.STORED
        if task.media is Media.IMAGE:
            if stored:
                with suppress(Unreadable):
                    # Its own folder, for it may have been stored before the output folder moved.
                    content = await anyio.to_thread.run_sync(read_file, str(path), [path.parent])
                    return await self._encode(content, where)
            link = self._link(task, result.url if result else None)
        else:
            link = self._link(task, result.last_frame_url if result else None)
            if link is None and stored and (frame := await self._last_frame(path)):
                return await self._encode(frame, where)
        if link is not None:
            return link
        waiting = task.file_status is FileStatus.NONE
        msg = "is not downloaded yet, so call get_video_task until it gives a file"
        gone = "is no longer on this machine or cannot be decoded"
        raise _refused(where, f"the {task.media} of that task {msg if waiting else gone}")

    async def _last_frame(self, video: Path) -> bytes | None:
        async with self._one:
            status, png = await self._child(["frames", str(video), "last"], b"")
        return png if status == 0 else None

    def _link(self, task: Task, link: str | None) -> str | None:
        """The link of a result, if this service can still fetch it."""
        young = self._clock() - (task.ended_at or 0.0) < LINK_TTL
        if link is None or not young or task.account != self._service:
            return None
        with suppress(ValueError):
            return references.check_link(link, service_url=self.service_url)
        return None

    async def _require_succeeded(self, text: str, where: str) -> Task:
        """The task that *text* names, if it has come to something."""
        try:
            task = await self._find(str(references.task_id(text)))
        except TaskNotFound as exc:
            msg = "no task of this id is known here or at the service; list_video_tasks shows all"
            raise _refused(where, msg) from exc
        if task.status is Status.SUCCEED:
            return task
        if task.status in TERMINAL:
            raise _refused(where, f"that task made no {task.media}: it is {task.status}")
        msg = f"that task is {task.status}, so call get_video_task until it is done"
        raise _refused(where, f"{msg}, and then make the same call")


def _refused(where: str, what: str) -> RequestRefused:
    return RequestRefused(f"{where}: {what}")
