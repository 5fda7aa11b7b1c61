"""Media given by reference, made into what GeekAI takes before anything is submitted.

A file becomes a data URI, and an earlier task its picture or its last frame; links and data
URIs were checked with the arguments and stay as they are. Files are read on worker threads and
decoded in child processes: the codecs are heavy, and a picture may be hostile. No codec may
enter this process, and no link is ever fetched here.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from geekai_video_mcp.domain import media_refs
from geekai_video_mcp.domain.inline_pictures import describe_wrong_format
from geekai_video_mcp.domain.lifecycle import Media, Task
from geekai_video_mcp.domain.media_refs import DATA_URI_LIMIT, RefKind
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.retries import LINK_TTL
from geekai_video_mcp.domain.statuses import TERMINAL, FileStatus, Status
from geekai_video_mcp.errors import RequestRefused, TaskNotFound
from geekai_video_mcp.media.child_process import RunWorker, run_worker
from geekai_video_mcp.media.inputs.allowed_files import Unreadable, read_file
from geekai_video_mcp.media.inputs.fields import MediaFields, MediaKind, replace_media
from geekai_video_mcp.media.inputs.picture_folders import ListFolders, PictureFolders
from geekai_video_mcp.media.workers.limits import OUT_OF_MEMORY, TOO_LARGE

if TYPE_CHECKING:
    import subprocess

RESOLVE_TIMEOUT: Final = 10.0
"""Seconds for all pictures of one request; a 20 MB photograph takes about one."""
QUEUE_MARGIN: Final = 86_400.0
"""Seconds before the end of a result's link from which on it is not passed on: the request that
it is given to may queue for a while."""
MAX_PICTURE_BYTES: Final = (DATA_URI_LIMIT - 64) // 4 * 3
"""Bytes of a picture whose data URI is just within the limit."""
PIXEL_LIMITS: Final = "one of up to 120 million, or as WebP 30 million"
MIN_WAIT: Final = 1.0
"""Seconds in line from which on others are why a picture was not ready."""
ANSWER_MARGIN: Final = 0.1
"""Seconds before the time of a request is up in which it says why."""


FindTask = Callable[[str], Awaitable[Task]]


class MediaResolver:
    """The way from a caller's references to what the wire takes."""

    def __init__(
        self,
        *,
        output_dir: Path,
        image_dirs: Sequence[Path],
        account: str,
        service_url: str,
        find_task: FindTask,
        run_worker: RunWorker = run_worker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._output_dir = output_dir
        self._image_dirs = image_dirs
        self._account = account
        self.service_url = service_url
        """Where links may lead that lead nowhere else."""
        self._find_task = find_task
        self._run_worker = run_worker
        self._clock = clock
        self._decode_lock = anyio.Lock()
        """Pictures are decoded one at a time: each may take three quarters of a gigabyte."""
        self._in_line = 0
        """Requests one of whose pictures is being decoded, or waits to be."""

    @property
    def folders(self) -> list[str]:
        """The configured folders that pictures may be read from."""
        return [str(folder) for folder in (self._output_dir, *self._image_dirs)]

    async def resolve(
        self,
        request: GenerationRequest,
        fields: MediaFields,
        *,
        list_roots: ListFolders | None = None,
    ) -> GenerationRequest:
        """The request with a link or a data URI wherever a file or a task was named.

        *fields* are those of the arguments that the request was made of. *list_roots* gives
        further folders; it is called at most once, for a file outside the configured ones.

        Raises:
            RequestRefused: what is named cannot be used; nothing was sent.
            NotAuthorised, ServiceUnavailable: a task made elsewhere could not be asked for.
            StorageUnavailable: the ledger cannot be read.
        """
        folders = PictureFolders(
            output_dir=self._output_dir, image_dirs=self._image_dirs, list_roots=list_roots
        )
        try:
            with anyio.fail_after(RESOLVE_TIMEOUT):
                resolved = await replace_media(
                    request.body, fields, partial(self._resolve_ref, folders)
                )
        except TimeoutError:
            msg = (
                f"The pictures were not ready within {RESOLVE_TIMEOUT:.0f} s; give smaller or fewer"
            )
            raise RequestRefused(msg) from None
        return request.with_body(resolved)

    async def locate_sound(self, path: str, *, list_roots: ListFolders | None = None) -> str:
        """The real path of a file with sound, in a folder that files may be read from.

        Raises:
            RequestRefused: there is no such file there; it says which folders there are.
        """
        folders = PictureFolders(
            output_dir=self._output_dir, image_dirs=self._image_dirs, list_roots=list_roots
        )
        try:
            return str(await folders.locate(path))
        except Unreadable as exc:
            msg = f"audio: {exc}"
            raise RequestRefused(msg, money=None) from exc

    async def _resolve_ref(
        self, folders: PictureFolders, kind: MediaKind, where: str, text: str
    ) -> str:
        match kind:
            case MediaKind.IMAGE:
                return await self._resolve_picture(text, where, folders)
            case MediaKind.VIDEO:
                return await self._resolve_video(text, where)
            case MediaKind.AUDIO:
                return text  # a link, which GeekAI fetches

    async def _resolve_picture(self, text: str, where: str, folders: PictureFolders) -> str:
        match media_refs.ref_kind(text):
            case RefKind.FILE:
                try:
                    content = await folders.read(text)
                except Unreadable as exc:
                    raise _refusal(where, str(exc)) from exc
                return await self._encode(content, where, name=text)
            case RefKind.TASK:
                task = await self._require_succeeded(text, where)
                if task.media is Media.IMAGE:
                    return await self._picture_of(task, where)
                return await self._last_frame_of(task, where)
            case RefKind.LINK | RefKind.DATA | None:
                return text

    async def _resolve_video(self, text: str, where: str) -> str:
        if media_refs.ref_kind(text) is not RefKind.TASK:
            return text
        task = await self._require_succeeded(text, where)
        if task.media is Media.FILM:
            msg = (
                "that task is a film, which is on this machine alone, and a model takes the link"
                " of a video: give one of its parts, or continue from its last frame with image"
                f" {text}"
            )
            raise _refusal(where, msg)
        if task.media is not Media.VIDEO:
            raise _refusal(where, "that task made a picture; pass it as an image")
        link = self._usable_link(task, task.result.url if task.result else None)
        if link is None:
            msg = "the link of that task's video has expired; give an https URL of the video"
            raise _refusal(where, msg)
        return link

    async def _encode(self, content: bytes, where: str, *, name: str = "") -> str:
        """The picture as a data URI, made smaller if it must be; *name* is that of its file."""
        if media_refs.picture_type(content) is None:
            task = media_refs.task_in_file_name(name) or "ID"
            raise _refusal(where, describe_wrong_format("the file", content, task=task))
        done = await self._decode(["fit_image", str(MAX_PICTURE_BYTES)], content)
        if done.returncode == TOO_LARGE:
            raise _refusal(where, f"the picture has too many pixels; give {PIXEL_LIMITS}")
        if done.returncode == OUT_OF_MEMORY:
            msg = "the picture takes more memory than is allowed for decoding; give a smaller one"
            raise _refusal(where, msg)
        uri = media_refs.data_uri(done.stdout) if done.returncode == 0 else None
        if uri is None:
            raise _refusal(where, "the picture is damaged: it cannot be decoded to its end")
        return uri

    async def _picture_of(self, task: Task, where: str) -> str:
        """What a picture task made: its file, or its link while there is none."""
        if task.file_path is not None and task.file_status is FileStatus.STORED:
            path = Path(task.file_path)
            with suppress(Unreadable):
                # From its own folder: it may have been stored before the output folder moved.
                content = await to_thread.run_sync(read_file, task.file_path, [path.parent])
                return await self._encode(content, where)
        link = self._usable_link(task, task.result.url if task.result else None)
        if link is None:
            raise self._no_file(task, where)
        return link

    async def _last_frame_of(self, task: Task, where: str) -> str:
        """A video task's last frame: its link, or the frame decoded from the file."""
        link = self._usable_link(task, task.result.last_frame_url if task.result else None)
        if link is not None:
            return link
        if task.file_path is not None and task.file_status is FileStatus.STORED:
            done = await self._decode(["preview", task.file_path, "last"], b"")
            if done.returncode == 0 and done.stdout:
                return await self._encode(done.stdout, where)
        raise self._no_file(task, where)

    async def _decode(
        self, arguments: Sequence[str], content: bytes
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a program that decodes; one at a time, for all requests.

        Raises:
            RequestRefused: the request's time is up because it waited for others.
            TimeoutError: its time is up.
        """
        began, others = anyio.current_time(), self._in_line
        waited = None
        self._in_line += 1
        try:
            with anyio.CancelScope(deadline=anyio.current_effective_deadline() - ANSWER_MARGIN):
                async with self._decode_lock:
                    waited = anyio.current_time() - began
                    return await self._run_worker(arguments, content)
        finally:
            self._in_line -= 1
        if others and (waited is None or waited > MIN_WAIT):
            requests = "another request" if others == 1 else f"{others} other requests"
            msg = (
                f"The pictures were not ready within {RESOLVE_TIMEOUT:.0f} s, because the pictures"
                f" of {requests} are being prepared as well. Make the same call again"
            )
            raise RequestRefused(msg)
        raise TimeoutError

    def _no_file(self, task: Task, where: str) -> RequestRefused:
        if task.file_status is FileStatus.NONE:
            problem = "is not downloaded yet, so call get_video_task until it gives a file"
        elif task.file_status is FileStatus.LINKED:
            problem = "could not be fetched here, and only its link is known; see get_video_task"
        else:
            problem = "is no longer on this machine or cannot be decoded"
        return _refusal(where, f"the {task.media} of that task {problem}")

    def _usable_link(self, task: Task, link: str | None) -> str | None:
        """*link*, a result's, if this account can still have it fetched."""
        recent = self._clock() - (task.ended_at or 0.0) < LINK_TTL - QUEUE_MARGIN
        if link is None or not recent or task.account != self._account:
            return None
        with suppress(ValueError):
            return media_refs.check_link(link, service_url=self.service_url)
        return None

    async def _require_succeeded(self, text: str, where: str) -> Task:
        """The task that *text* names, if it has succeeded."""
        try:
            task = await self._find_task(str(media_refs.task_id(text)))
        except TaskNotFound as exc:
            msg = "no task of this id is known here or at the service; list_video_tasks shows all"
            raise _refusal(where, exc.problem or msg) from exc
        if task.status is Status.SUCCEED:
            return task
        if task.status in TERMINAL:
            raise _refusal(where, f"that task has no {task.media}: its status is {task.status}")
        msg = f"that task is {task.status}, so call get_video_task until it is done"
        raise _refusal(where, f"{msg}, and then make the same call")


def _refusal(where: str, problem: str) -> RequestRefused:
    return RequestRefused(f"{where}: {problem}")
