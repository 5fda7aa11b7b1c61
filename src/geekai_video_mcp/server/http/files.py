"""`/files/{token}/{name}`: the files of tasks, for whoever has a signed link.

The signature is the permission: no token is asked for, because a link is opened in a browser. A
link that is forged, has ended, or is of a task that is not there gets one and the same answer. A
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
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import FileElsewhere, GeekAIVideoError, TaskNotFound
from geekai_video_mcp.media.inputs.allowed_files import Unreadable, opened_in_folder
from geekai_video_mcp.media.saved_pictures import MAX_BYTES, is_saved_picture
from geekai_video_mcp.server.http.file_links import FILES_PATH, FileLinkSigner, LinkedFile
from geekai_video_mcp.server.http.file_responses import (
    COMMON_HEADERS,
    OpenFile,
    respond_with_file,
)
from geekai_video_mcp.server.pictures import View, render_view

logger = logging.getLogger(__name__)

FindApp = Callable[[str], Awaitable[App | None]]
"""The `App` of a tenant; None if there is no such tenant any more."""

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
_BLOCK: Final = 1024 * 1024
FILE_WAIT_SECONDS: Final = 45.0
"""Seconds that a browser waits for a file that another machine has stored: a proxy waits longer."""


class FileGone(Exception):
    """The file is not there, or is not the one that the ledger recorded."""


class FileServer:
    """Answers to links that *signer* can read."""

    def __init__(self, signer: FileLinkSigner, find_app: FindApp) -> None:
        self._signer = signer
        self._find_app = find_app
        self._digests = OrderedDict[tuple[int, ...], str]()

    def route(self) -> Route:
        return Route(f"{FILES_PATH}{{rest:path}}", self.respond, methods=["GET", "HEAD"])

    async def respond(self, request: Request) -> Response:
        """The file, or why there is none."""
        token, _, name = str(request.path_params["rest"]).partition("/")
        name = name.rstrip(_AFTER_LINK)
        linked = self._signer.read(token, name=name)
        try:
            app = await self._find_app(linked.tenant) if linked is not None else None
            if linked is None or app is None:
                return _no_such_file()
            task = await app.engine.get_local(linked.task_id)
            task = await app.engine.locate_file(task, wait_seconds=FILE_WAIT_SECONDS)
        except TaskNotFound:
            return _no_such_file()
        except FileElsewhere as exc:
            return _elsewhere(exc)
        except GeekAIVideoError as exc:
            logger.warning("a file could not be looked up: %s", exc.message)
            return _unavailable()
        try:
            file = await self._open_linked(app, task, linked, name)
        except FileGone:
            return _gone(task, linked)
        saves = "download" in request.query_params
        attached = saves or file.mime_type not in _SHOWN.values()
        return respond_with_file(file, request, attached=attached)

    async def _open_linked(self, app: App, task: Task, linked: LinkedFile, name: str) -> OpenFile:
        open_linked = self._open_result if linked.kind == "result" else self._open_picture
        try:
            return await anyio.to_thread.run_sync(open_linked, app.output_dir, task, linked, name)
        except FileGone:
            view = _VIEWS.get(name) if linked.kind == "picture" else None
            if view is None or not app.engine.has_copies:
                raise
        # Another machine has saved the picture beside its file, and this one saves it anew.
        await render_view(app, [task], view=view)
        return await anyio.to_thread.run_sync(open_linked, app.output_dir, task, linked, name)

    def _open_result(self, folder: Path, task: Task, _: LinkedFile, __: str) -> OpenFile:
        if task.file_status is not FileStatus.STORED or task.file_path is None:
            raise FileGone
        path = Path(task.file_path)
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

    def _open_picture(self, folder: Path, task: Task, linked: LinkedFile, name: str) -> OpenFile:
        if task.file_path is None:
            raise FileGone
        beside = Path(task.file_path)
        path = beside.with_name(f"{beside.stem}.{name}" if linked.kind == "picture" else name)
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

    def _digest(self, content: BinaryIO) -> str:
        """The SHA-256 of the file, which is read only if it was changed since the last time."""
        status = os.fstat(content.fileno())
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._digests.get(key)
        if known is None:
            digest = hashlib.sha256()
            while block := content.read(_BLOCK):
                digest.update(block)
            known = digest.hexdigest()
        self._digests[key] = known
        self._digests.move_to_end(key)
        while len(self._digests) > _KEPT_DIGESTS:
            self._digests.popitem(last=False)
        return known


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


def _no_such_file() -> JSONResponse:
    return _refusal(
        404,
        "no_such_file",
        "This link is not one of this server's, or has ended. get_video_task with the task's id"
        " gives a new one.",
    )


def _elsewhere(error: FileElsewhere) -> JSONResponse:
    if not error.passing:
        return _refusal(410, "file_elsewhere", error.message)
    response = _refusal(503, "file_coming", error.message)
    response.headers["Retry-After"] = "10"
    return response


def _gone(task: Task, linked: LinkedFile) -> JSONResponse:
    name = short_id(task.id)
    if linked.kind == "result":
        return _refusal(
            410,
            "file_gone",
            "The file is no longer on the server, or is not as it was when it was stored."
            f' get_video_task with task_id "{name}" says what can be done.',
        )
    return _refusal(
        410,
        "file_gone",
        f'The picture is no longer on the server. view_video with task_id "{name}" makes it again.',
    )


def _unavailable() -> JSONResponse:
    response = _refusal(
        503,
        "storage_unavailable",
        "The server cannot read its records now. Try again in a few seconds.",
    )
    response.headers["Retry-After"] = "5"
    return response


def _refusal(status_code: int, error: str, description: str) -> JSONResponse:
    return JSONResponse(
        {"error": error, "error_description": description},
        status_code,
        headers={**COMMON_HEADERS, "Cache-Control": "no-store"},
    )
