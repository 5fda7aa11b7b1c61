"""Films: finished videos joined into one file by a child process, on this machine alone.

The child writes to a part file that this process holds, and checks every frame of what it wrote.
Only then does the file get its name, durably. Whatever ends a join before that, nothing is left.
"""

import json
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, cast

import anyio
from anyio import to_thread

from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Media,
)
from geekai_video_mcp.errors import (
    JoinFailed,
    describe_os_error,
)
from geekai_video_mcp.media.child_process import run_worker
from geekai_video_mcp.media.downloads.partial import Part, create_part
from geekai_video_mcp.media.downloads.publishing import publish, sync_content
from geekai_video_mcp.media.downloads.worker_thread import open_worker_thread
from geekai_video_mcp.media.film_words import describe_failure, describe_film
from geekai_video_mcp.media.output_folder import RESERVED_BYTES, describe_output_folder
from geekai_video_mcp.quoting import quote

MAX_PARTS: Final = 60
MAX_FILM_SECONDS: Final = 7200.0
"""Two hours; the child counts no more frames than that."""
JOIN_SECONDS: Final = 900.0
"""Seconds after which a join is given up: three minutes of 4K take as long to encode."""
_OUT_OF_MEMORY: Final = 3
"""The exit status of a child that its memory limit has stopped."""

Report = Callable[[float], None]
"""Is called with the share of the work that is done, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class JoinPart:
    """A finished video, and the seconds of it that are kept."""

    path: str
    start: float | None = None
    """None: from the first frame on."""
    end: float | None = None
    """None: to the last frame."""
    continues: bool = False
    """Its first frame is the last one of the part before it, which continues in it. That frame is
    dropped once if the pictures really agree."""


@dataclass(frozen=True, kw_only=True)
class JoinRequest:
    """The parts of a film in order, and where it goes."""

    parts: Sequence[JoinPart]
    output_dir: Path
    stem: str
    """The name of the file without its extension."""
    task_id: str
    """The film's. What a killed attempt has left is found by it, at the next one and by a purge."""
    audio: str | None = None
    """Path of a file of sound, or of a video with sound, in place of the parts' own sound."""


@dataclass(frozen=True, kw_only=True)
class JoinedFilm:
    """A film that is published under its name."""

    update: FileUpdate
    notes: tuple[str, ...]
    """What was changed in order to join the parts, a sentence each."""


class RunLongWorker(Protocol):
    """Runs a program as `RunWorker` does, for a longer time and with its lines as they come."""

    def __call__(
        self,
        arguments: Sequence[str],
        content: bytes,
        *,
        max_seconds: float,
        report_line: Callable[[bytes], None],
    ) -> "Awaitable[subprocess.CompletedProcess[bytes]]": ...


async def join_files(
    request: JoinRequest,
    *,
    run_worker: RunLongWorker = run_worker,
    report: Report | None = None,
) -> JoinedFilm:
    """Join the parts into one MP4 in the output folder; may take `JOIN_SECONDS`.

    It takes two cores and up to 768 MB, and the caller runs one at a time. If it is cancelled, the
    child is killed and its file removed.

    Raises:
        JoinFailed: says which part is the reason, and what to do.
    """
    if not request.parts:
        raise _failed(request, {"error": "no_parts"})
    if len(request.parts) > MAX_PARTS:
        raise _failed(request, {"error": "too_many", "most": MAX_PARTS})
    try:
        return await _join_into_part(request, run_worker, report)
    except OSError as exc:
        where = describe_output_folder(request.output_dir)
        raise _failed(
            request,
            {"error": "folder", "folder": where, "why": describe_os_error(exc)},
        ) from exc


async def _join_into_part(
    request: JoinRequest, run_worker: RunLongWorker, report: Report | None
) -> JoinedFilm:
    part = await to_thread.run_sync(create_part, request.output_dir, request.task_id, Media.VIDEO)
    try:
        await to_thread.run_sync(_check_room, request)
        film = await _run_join(request, part, run_worker, report)
        async with open_worker_thread() as thread:
            thread.start(sync_content, part)
            await to_thread.run_sync(part.take_written)
            await thread.wait()
        update = await to_thread.run_sync(publish, part, request.stem)
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(part.close)
    update = replace(
        update,
        seconds=round(film["seconds"], 2),
        width=film["width"],
        height=film["height"],
        fps=round(film["fps"], 2),
        has_sound=film["has_sound"],
    )
    return JoinedFilm(update=update, notes=tuple(describe_film(film)))


async def _run_join(
    request: JoinRequest, part: Part, run_worker: RunLongWorker, report: Report | None
) -> dict[str, Any]:
    arguments = {
        "parts": [
            {"path": each.path, "start": each.start, "end": each.end, "continues": each.continues}
            for each in request.parts
        ],
        "audio": request.audio,
        "output": str(part.path.absolute()),
        "reserved_bytes": RESERVED_BYTES,
        "max_seconds": MAX_FILM_SECONDS,
    }
    answer = dict[str, Any]()

    def read_line(line: bytes) -> None:
        answer.clear()
        answer.update(cast("dict[str, Any]", json.loads(line)))
        if report is not None and "done" in answer:
            report(answer["done"])

    began = anyio.current_time()
    done = await run_worker(
        ["join", json.dumps(arguments)], b"", max_seconds=JOIN_SECONDS, report_line=read_line
    )
    if done.returncode == 0 and "film" in answer:
        return answer["film"]
    if done.returncode == 0 and "error" in answer:
        raise _failed(request, answer)
    if done.returncode == _OUT_OF_MEMORY:
        raise _failed(request, {"error": "memory"})
    late = anyio.current_time() - began >= JOIN_SECONDS
    raise _failed(request, {"error": "timeout" if late else "killed", "limit": JOIN_SECONDS})


def _check_room(request: JoinRequest) -> None:
    """Raise an error before a join that would fill the disk: a film is as large as its parts."""
    needed = RESERVED_BYTES
    for path in {each.path for each in request.parts}:
        file = Path(path)
        times = sum(each.path == path for each in request.parts)
        needed += file.stat().st_size * times if file.is_file() else 0
    free = shutil.disk_usage(request.output_dir).free
    if free < needed:
        room = {"free": free / 1e6, "needed": needed / 1e6}
        raise _failed(request, {"error": "disk_full", **room})


def _failed(request: JoinRequest, answer: dict[str, Any]) -> JoinFailed:
    number = int(answer.get("part", 0))
    path = request.parts[number - 1].path if number else request.audio
    word = str(answer["error"])
    reason, remedy = describe_failure(
        answer,
        file=quote(path) if path else "",
        folder=describe_output_folder(request.output_dir),
    )
    return JoinFailed(reason, code=_CODES.get(word, word), remedy=remedy)


_CODES: Final = {
    **dict.fromkeys(("empty", "damaged", "breaks_off", "sound_damaged"), "part_damaged"),
    **dict.fromkeys(("missing", "unreadable"), "part_missing"),
    **dict.fromkeys(("picture", "no_video"), "part_no_video"),
    **dict.fromkeys(("beyond_end", "nothing_left"), "part_trim"),
    **dict.fromkeys(("audio_unreadable",), "audio_missing"),
    **dict.fromkeys(("folder", "not_written"), "storage_unavailable"),
    **dict.fromkeys(("codec", "too_large"), "part_unsupported"),
    "not_equal": "film_wrong",
    "killed": "join_killed",
    "memory": "out_of_memory",
}
"""What is recorded of a failed film; a word that is not here is its own code."""
