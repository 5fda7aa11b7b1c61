"""Media given by reference, made into what GeekAI takes before anything is submitted.

A file becomes a data URI, and an earlier task its picture or its last frame; links and data
URIs were checked with the arguments and stay as they are. Files are read on worker threads and
decoded in child processes: the codecs are heavy, and a picture may be hostile. No codec may
enter this process, and no link is ever fetched here.
"""

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import to_thread

from geekai_video_mcp.domain import media_refs
from geekai_video_mcp.domain.inline_pictures import describe_wrong_format
from geekai_video_mcp.domain.media_fields import MediaFields, MediaKind, replace_media
from geekai_video_mcp.domain.media_refs import DATA_URI_LIMIT, RefKind
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.retries import LINK_TTL
from geekai_video_mcp.domain.statuses import POLLED, FileStatus
from geekai_video_mcp.domain.task_refs import (
    TaskRef,
    find_refs,
    replace_refs,
    split_seconds,
)
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.domain.waiting import ParentState, parent_state
from geekai_video_mcp.errors import (
    FileElsewhere,
    RequestRefused,
    ServiceUnavailable,
    TaskNotFound,
)
from geekai_video_mcp.media.child_process import RunWorker, run_worker
from geekai_video_mcp.media.inputs.allowed_files import Unreadable, read_file
from geekai_video_mcp.media.inputs.picture_folders import ListFolders, PictureFolders
from geekai_video_mcp.media.workers.limits import OUT_OF_MEMORY, TOO_LARGE

if TYPE_CHECKING:
    import subprocess

RESOLVE_TIMEOUT: Final = 10.0
"""Seconds for all pictures of one request; a 20 MB photograph takes about one."""
PARENT_TIMEOUT: Final = 60.0
"""The same for a request that has waited for other tasks: no caller waits for it."""
QUEUE_MARGIN: Final = 86_400.0
"""Seconds before the end of a result's link from which on it is not passed on: the request that
it is given to may queue for a while."""
MAX_PICTURE_BYTES: Final = (DATA_URI_LIMIT - 64) // 4 * 3
"""Bytes of a picture whose data URI is just within the limit."""
PIXEL_LIMITS: Final = "one of up to 120 million, or as WebP 30 million"
MIN_WAIT: Final = 1.0
"""Seconds in line from which on others are why a picture was not ready."""
NOT_IN_TIME: Final = "not_in_time"
"""The code of a refusal because the pictures of other requests were being prepared."""
_NOT_READY: Final = f"The pictures were not ready within {PARENT_TIMEOUT:.0f} s"
ANSWER_MARGIN: Final = 0.1
"""Seconds before the time of a request is up in which it says why."""


FindTask = Callable[[str], Awaitable[Task]]
LocateFile = Callable[[Task], Awaitable[Task]]
"""Gives the task with the path at which its file is on this machine."""


@dataclass
class DecodingQueue:
    """Pictures are decoded one at a time: each may take three quarters of a gigabyte."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    in_line: int = 0
    """Requests one of whose pictures is being decoded, or waits to be."""


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
        locate_file: LocateFile | None = None,
        remote: bool = False,
        decoding: "DecodingQueue | None" = None,
        run_worker: RunWorker = run_worker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With *remote*, the caller is on another machine: no file that it names is looked for."""
        self._output_dir = output_dir
        self._image_dirs = image_dirs
        self.folders = None if remote else [str(folder) for folder in (output_dir, *image_dirs)]
        """The configured folders that pictures may be read from; None if none may be."""
        self._account = account
        self.service_url = service_url
        """Where links may lead that lead nowhere else."""
        self._find_task = find_task
        self._locate_file = locate_file
        self._remote = remote
        self._run_worker = run_worker
        self._clock = clock
        self._decoding = decoding or DecodingQueue()

    async def resolve(
        self,
        request: GenerationRequest,
        fields: MediaFields,
        *,
        list_roots: ListFolders | None = None,
    ) -> GenerationRequest:
        """The request with a data URI wherever a file was named, and what its tasks stand for.

        A task that may still succeed is waited for. *fields* are those of the arguments that the
        request was made of. *list_roots* gives further folders; it is called at most once, for a
        file outside the configured ones.

        Raises:
            RequestRefused: what is named cannot be used; nothing was sent.
            NotAuthorised, ServiceUnavailable: a task made elsewhere could not be asked for.
            StorageUnavailable: the ledger cannot be read.
        """
        folders = PictureFolders(
            output_dir=self._output_dir, image_dirs=self._image_dirs, list_roots=list_roots
        )
        used = _UsedTasks()
        try:
            with anyio.fail_after(RESOLVE_TIMEOUT):
                body = await replace_media(
                    request.body, fields, partial(self._resolve_ref, folders, used)
                )
        except TimeoutError:
            msg = (
                f"The pictures were not ready within {RESOLVE_TIMEOUT:.0f} s; give smaller or fewer"
            )
            raise RequestRefused(msg) from None
        return replace(
            request, body=body, values=used.values, waits_for=tuple(dict.fromkeys(used.unfinished))
        )

    async def resolve_parents(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of a recorded request with what its tasks stand for, once they have finished.

        Raises:
            RequestRefused: a task does not have what is wanted of it.
            ServiceUnavailable: a picture was not ready in time; another attempt may work.
        """
        values: dict[TaskRef, str] = {}
        try:
            with anyio.fail_after(PARENT_TIMEOUT):
                for ref, where in find_refs(body):
                    if ref not in values:
                        task = await self._find_task(ref.task_id)
                        values[ref] = await self._resolve_value(task, ref, where)
        except TaskNotFound as exc:
            msg = "a task that is no longer recorded here"
            raise RequestRefused(exc.problem or msg) from exc
        except TimeoutError as exc:
            raise ServiceUnavailable(_NOT_READY) from exc
        except RequestRefused as exc:
            if exc.code == NOT_IN_TIME:
                raise ServiceUnavailable(_NOT_READY) from exc
            raise
        return replace_refs(body, values)

    async def locate_sound(self, path: str, *, list_roots: ListFolders | None = None) -> str:
        """The real path of a file with sound, in a folder that files may be read from.

        Raises:
            RequestRefused: there is no such file there; it says which folders there are.
        """
        if self._remote:
            raise RequestRefused(f"audio: {media_refs.ON_ANOTHER_MACHINE}", money=None)
        folders = PictureFolders(
            output_dir=self._output_dir, image_dirs=self._image_dirs, list_roots=list_roots
        )
        try:
            return str(await folders.locate(path))
        except Unreadable as exc:
            msg = f"audio: {exc}"
            raise RequestRefused(msg, money=None) from exc

    async def _resolve_ref(
        self, folders: PictureFolders, used: "_UsedTasks", kind: MediaKind, where: str, text: str
    ) -> str:
        if kind is MediaKind.AUDIO:
            return text  # a link, which GeekAI fetches
        match media_refs.ref_kind(text):
            case RefKind.TASK:
                return await self._use_task(text, where, used, wants_video=kind is MediaKind.VIDEO)
            case RefKind.FILE if self._remote:
                msg = f"{media_refs.ON_ANOTHER_MACHINE}, so {media_refs.REMOTE_REMEDY}"
                raise _refusal(where, msg)
            case RefKind.FILE:  # which is refused for a video before
                try:
                    content = await folders.read(text)
                except Unreadable as exc:
                    raise _refusal(where, str(exc)) from exc
                return await self._encode(content, where, name=text)
            case RefKind.LINK | RefKind.DATA | None:
                return text

    async def _use_task(
        self, text: str, where: str, used: "_UsedTasks", *, wants_video: bool
    ) -> str:
        """The reference to the task that *text* names, with its whole id; *used* gets the task."""
        named, seconds = split_seconds(text)
        try:
            task = await self._find_task(str(media_refs.task_id(named)))
        except TaskNotFound as exc:
            msg = "no task of this id is known here or at the service; list_video_tasks shows all"
            raise _refusal(where, exc.problem or msg) from exc
        ref = TaskRef(task.id, seconds, whole_video=wants_video)
        _check_kind(task, ref, where)
        match parent_state(task):
            case ParentState.FAILED:
                msg = f"that task has no {task.media}: its status is {task.status}"
                raise _refusal(where, msg)
            case ParentState.UNFINISHED:
                self._check_followed(task, where)
                used.unfinished.append(task.id)
            case ParentState.SAVING if self._link_of(task, ref) is None:
                used.unfinished.append(task.id)
            case ParentState.READY | ParentState.SAVING:
                if ref not in used.values:
                    used.values[ref] = await self._resolve_value(task, ref, where)
        return str(ref)

    def _check_followed(self, task: Task, where: str) -> None:
        polled_with_key = task.status in POLLED and task.provider_task_id is not None
        if polled_with_key and task.account != self._account:
            msg = "that task is not finished, and only a server with its key can follow it"
            raise _refusal(where, msg)

    async def _resolve_value(self, task: Task, ref: TaskRef, where: str) -> str:
        """The link or the picture of a finished task that *ref* stands for."""
        _check_kind(task, ref, where)
        if task.media is Media.IMAGE:
            return await self._read_picture(task, where)
        if (link := self._link_of(task, ref)) is not None:
            return link
        if ref.whole_video:
            msg = "the link of that task's video has expired; give an https URL of the video"
            raise _refusal(where, msg)
        return await self._extract_frame(task, ref.seconds, where)

    def _link_of(self, task: Task, ref: TaskRef) -> str | None:
        """The service's link to what *ref* stands for; None if there is none that can be used."""
        result = task.result
        if result is None or ref.seconds is not None:
            return None
        whole = ref.whole_video or task.media is Media.IMAGE
        return self._usable_link(task, result.url if whole else result.last_frame_url)

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

    async def _read_picture(self, task: Task, where: str) -> str:
        """What a picture task made: its file, or its link while there is none."""
        with suppress(FileElsewhere):
            task = await self._locate(task)
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

    async def _extract_frame(self, task: Task, seconds: float | None, where: str) -> str:
        """A frame of a video task's file: the last one, or that at *seconds*."""
        try:
            task = await self._locate(task)
        except FileElsewhere as exc:
            code = NOT_IN_TIME if exc.passing else "invalid_arguments"
            raise RequestRefused(f"{where}: {exc.message}", code=code, remedy="") from exc
        if task.file_path is not None and task.file_status is FileStatus.STORED:
            which = ["last"] if seconds is None else ["still", str(seconds)]
            done = await self._decode(["preview", task.file_path, *which], b"")
            png = done.stdout if done.returncode == 0 else b""
            if seconds is not None and png:
                line, _, png = png.partition(b"\n")
                length = json.loads(line).get("seconds")
                if length is not None and seconds > length:
                    msg = f"that task's video has {length:.2f} s, and no frame at {seconds:g} s"
                    raise _refusal(where, msg)
            if png:
                return await self._encode(png, where)
        raise self._no_file(task, where)

    async def _locate(self, task: Task) -> Task:
        return await self._locate_file(task) if self._locate_file is not None else task

    async def _decode(
        self, arguments: Sequence[str], content: bytes
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a program that decodes; one at a time, for all requests.

        Raises:
            RequestRefused: the request's time is up because it waited for others.
            TimeoutError: its time is up.
        """
        began, others = anyio.current_time(), self._decoding.in_line
        waited = None
        self._decoding.in_line += 1
        try:
            with anyio.CancelScope(deadline=anyio.current_effective_deadline() - ANSWER_MARGIN):
                async with self._decoding.lock:
                    waited = anyio.current_time() - began
                    return await self._run_worker(arguments, content)
        finally:
            self._decoding.in_line -= 1
        if others and (waited is None or waited > MIN_WAIT):
            requests = "another request" if others == 1 else f"{others} other requests"
            msg = (
                f"The pictures were not ready within {RESOLVE_TIMEOUT:.0f} s, because the pictures"
                f" of {requests} are being prepared as well. Make the same call again"
            )
            raise RequestRefused(msg, code=NOT_IN_TIME)
        raise TimeoutError

    def _no_file(self, task: Task, where: str) -> RequestRefused:
        if task.file_status is FileStatus.NONE:
            problem = "is not downloaded yet, so call get_video_task until it gives a file"
        elif task.file_status is FileStatus.LINKED:
            problem = "could not be fetched here, and only its link is known; see get_video_task"
        elif task.file_status is FileStatus.DELETED:
            problem = f"is no longer here: {task.file_error}"
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


@dataclass
class _UsedTasks:
    """The earlier tasks that a request uses."""

    values: dict[TaskRef, str] = field(default_factory=dict[TaskRef, str])
    unfinished: list[str] = field(default_factory=list[str])


def _check_kind(task: Task, ref: TaskRef, where: str) -> None:
    """Raise if what the task makes cannot be what *ref* stands for."""
    if ref.whole_video and task.media is Media.IMAGE:
        raise _refusal(where, "that task makes a picture; pass it as an image")
    if ref.whole_video and task.media is Media.FILM:
        msg = (
            "that task is a film, which is on this machine alone, and a model takes the link of a"
            " video: give one of its parts, or continue from its last frame with image"
            f" task:{task.id}"
        )
        raise _refusal(where, msg)
    if ref.seconds is not None and task.media is Media.IMAGE:
        raise _refusal(where, "that task makes a picture, which has no seconds; give task:ID")


def _refusal(where: str, problem: str) -> RequestRefused:
    return RequestRefused(f"{where}: {problem}")
