"""`/files/{token}/{name}`: the files of tasks, for whoever has a signed link.

The signature is the permission: no token is asked for, because a link is opened in a browser. A
link that is forged, has ended, or is of a task that is not there gets one and the same response. A
file that is not what the ledger recorded is not sent.
"""

import hashlib
import io
import logging
import os
import stat
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import FileElsewhere, GeekAIVideoError, TaskNotFound
from geekai_video_mcp.media.digests import hash_file
from geekai_video_mcp.media.inputs.allowed_files import Unreadable, opened_in_folder
from geekai_video_mcp.media.saved_pictures import MAX_BYTES, is_saved_picture
from geekai_video_mcp.server.call_limit import SOON_SECONDS
from geekai_video_mcp.server.http.file_links import (
    FILES_PATH,
    READ_METHODS,
    FileKind,
    FileLinkSigner,
)
from geekai_video_mcp.server.http.file_responses import (
    COMMON_HEADERS,
    OpenFile,
    respond_with_file,
)
from geekai_video_mcp.server.http.refusals import build_refusal
from geekai_video_mcp.server.pictures import View, render_view

logger = logging.getLogger(__name__)

FindApp = Callable[[str], Awaitable[App | None]]
"""Finds the `App` of a tenant; None if there is no such tenant any more."""

_SHOWN: Final = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
}
"""What a browser shows by itself; every other file is saved."""
_SAVED: Final = {
    ".mkv": "video/x-matroska",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".bmp": "image/bmp",
    ".tiff": "image/tiff",
    ".heic": "image/heic",
    ".heif": "image/heif",
}
_VIEWS: Final[Mapping[str, View]] = {"frames.jpg": "frames", "cover.jpg": "cover"}
"""The pictures that can be made anew, by the last part of their name."""
_AFTER_LINK: Final = ".,;:!?)]}>*'\""
"""What ends a sentence or an emphasis, and is often taken for a part of the link before it."""
_KEPT_DIGESTS: Final = 2000
"""Files whose content is known while they are not changed: each is read once."""
FILE_WAIT_SECONDS: Final = 45.0
"""Seconds that a browser waits for a file that another machine has stored: a proxy waits longer."""
_COMING_SECONDS: Final = 10
"""Seconds after which a file that is being fetched may be here."""


class FileGone(Exception):
    """The file is not there, or is not the one that the ledger recorded."""


class FileServer:
    """Sends the files of links that *signer* has signed."""

    def __init__(self, signer: FileLinkSigner, find_app: FindApp) -> None:
        self._signer = signer
        self._find_app = find_app
        self._digests = OrderedDict[tuple[int, ...], str]()

    def route(self) -> Route:
        """Where the files are served."""
        return Route(f"{FILES_PATH}{{rest:path}}", self.respond, methods=READ_METHODS)

    async def respond(self, request: Request) -> Response:
        """The response with the file, or the refusal that says why there is none."""
        token, _, name = str(request.path_params["rest"]).partition("/")
        name = name.rstrip(_AFTER_LINK)
        linked = self._signer.read(token, name=name)
        try:
            app = await self._find_app(linked.tenant) if linked is not None else None
            if linked is None or app is None:
                return _build_not_found()
            task = await app.engine.get_local(linked.task_id)
            task = await app.engine.locate_file(task, wait_seconds=FILE_WAIT_SECONDS)
        except TaskNotFound:
            return _build_not_found()
        except FileElsewhere as exc:
            return _build_elsewhere(exc)
        except GeekAIVideoError as exc:
            logger.warning("a file could not be looked up: %s", exc.message)
            return _build_unavailable()
        try:
            file = await self._open_linked(app, task, linked.kind, name)
        except FileGone:
            return _build_gone(task, linked.kind)
        saves = "download" in request.query_params
        attached = saves or file.mime_type not in _SHOWN.values()
        return respond_with_file(file, request, attached=attached)

    async def _open_linked(self, app: App, task: Task, kind: FileKind, name: str) -> OpenFile:
        """The file of *task* that a link names.

        Raises:
            FileGone: it cannot be sent.
        """

        def open_file() -> OpenFile:
            return self._open_file(app.output_dir, task, kind, name)

        try:
            return await anyio.to_thread.run_sync(open_file)
        except FileGone:
            view = _VIEWS.get(name) if kind == "picture" else None
            if view is None or not app.engine.has_copies:
                raise
        # Another machine has saved the picture beside its file, and this one saves it anew.
        await render_view(app, [task], view=view)
        return await anyio.to_thread.run_sync(open_file)

    def _open_file(self, folder: Path, task: Task, kind: FileKind, name: str) -> OpenFile:
        if task.file_path is None:
            raise FileGone
        result = Path(task.file_path)
        if kind == "result":
            return self._open_result(folder, result, task)
        picture = f"{result.stem}.{name}" if kind == "picture" else name
        return _open_picture(folder, result.with_name(picture))

    def _open_result(self, folder: Path, path: Path, task: Task) -> OpenFile:
        if task.file_status is not FileStatus.STORED:
            raise FileGone
        content = _open_file(folder, path)
        try:
            size, sha256 = os.fstat(content.fileno()).st_size, self._digest(content)
        except OSError as exc:
            content.close()
            raise FileGone from exc
        # Ledgers of the first versions do not say what is in a file.
        if (size, sha256) != (task.file_bytes or size, task.file_sha256 or sha256):
            content.close()
            raise FileGone
        suffix = path.suffix.lower()
        mime_type = {**_SHOWN, **_SAVED}.get(suffix, "application/octet-stream")
        return OpenFile(
            content=content, size=size, sha256=sha256, mime_type=mime_type, name=path.name
        )

    def _digest(self, content: BinaryIO) -> str:
        """The SHA-256 of the file, which is read only if it was changed since the last time."""
        status = os.fstat(content.fileno())
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._digests.get(key)
        if known is None:
            known = hash_file(content)
        self._digests[key] = known
        self._digests.move_to_end(key)
        while len(self._digests) > _KEPT_DIGESTS:
            self._digests.popitem(last=False)
        return known


def _open_picture(folder: Path, path: Path) -> OpenFile:
    try:
        with _open_file(folder, path) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise FileGone from exc
    if not is_saved_picture(content):
        raise FileGone
    return OpenFile(
        content=io.BytesIO(content),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        mime_type="image/jpeg",
        name=path.name,
    )


def _open_file(folder: Path, path: Path) -> BinaryIO:
    """The regular file at *path*, opened from the tenant's folder through no symbolic link.

    Raises:
        FileGone: there is no such file in the folder.
    """
    try:
        with opened_in_folder(folder, path) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileGone
            return os.fdopen(os.dup(descriptor), "rb")
    except (OSError, Unreadable, ValueError) as exc:
        raise FileGone from exc


def _build_not_found() -> Response:
    return _build_refusal(
        404,
        error="no_such_file",
        description="This link is not one of this server's, or has ended. get_video_task with the"
        " task's id gives a new one.",
    )


def _build_elsewhere(error: FileElsewhere) -> Response:
    if not error.passing:
        return _build_refusal(410, error="file_elsewhere", description=error.message)
    return _build_refusal(
        503, error="file_coming", description=error.message, retry_after=_COMING_SECONDS
    )


def _build_gone(task: Task, kind: FileKind) -> Response:
    task_id = short_id(task.id)
    if kind == "result":
        description = (
            "The file is no longer on the server, or is not as it was when it was stored."
            f' get_video_task with task_id "{task_id}" says what can be done.'
        )
    else:
        description = (
            f'The picture is no longer on the server. view_video with task_id "{task_id}" makes it'
            " again."
        )
    return _build_refusal(410, error="file_gone", description=description)


def _build_unavailable() -> Response:
    return _build_refusal(
        503,
        error="storage_unavailable",
        description="The server cannot read its records now. Try again in a few seconds.",
        retry_after=SOON_SECONDS,
    )


def _build_refusal(
    status_code: int, *, error: str, description: str, retry_after: int | None = None
) -> Response:
    return build_refusal(
        status_code,
        error=error,
        description=description,
        retry_after=retry_after,
        headers={**COMMON_HEADERS, "Cache-Control": "no-store"},
    )
