"""Publish a finished part under its final name: complete, durable, and replacing nothing.

The order is essential: the bytes are synced, then linked to the final name, then the folder
is synced; only then may the ledger record `stored`. After a crash before that record, the
video exists under its final name, and the next download uses it instead of making a second.
"""

import itertools
import os
import sys
from contextlib import suppress
from pathlib import Path

from geekai_video_mcp.domain.media_formats import (
    SIGNATURE_BYTES,
    Format,
    detect_format,
    extensions,
)
from geekai_video_mcp.domain.retries import Obstacle
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.subject_words import shorten_words, split_words, subject_words
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Media,
    Task,
)
from geekai_video_mcp.media.digests import hash_file
from geekai_video_mcp.media.downloads.partial import Part
from geekai_video_mcp.media.regular_files import open_regular_file


def publish(part: Part, stem: str) -> FileUpdate:
    """Give the finished part, which is synced, its final name, and make that durable.

    Raises:
        OSError: the file could not be linked or renamed.
    """
    found = part.format
    extension = found.extension if found else ""
    path = part.path.with_name(f"{stem}{extension}")
    for number in itertools.count(2):
        if _publish_as(part, path):
            break
        path = path.with_name(f"{stem}-{number}{extension}")
    _sync_folder(path.parent)
    part.published = True
    return _file_update(path, part.size, part.sha256, found, part.media)


def sync_content(part: Part) -> None:
    """Make the content of the finished part durable.

    Raises:
        OSError: it could not be synced, and nothing of it is kept.
    """
    try:
        os.fsync(part.file.fileno())
    except OSError:
        part.reset()  # a second sync would succeed without proving anything
        raise


def find_published(folder: Path, stem: str, media: Media) -> FileUpdate | None:
    """The result of the task, if a process died between publishing and recording it.

    Under the name that it has now, or one that another version gave it: by the id at the end.
    """
    endings = extensions(media)
    usual = [folder / f"{stem}{ending}" for ending in endings]
    _, dash, named = stem.rpartition("-")
    with suppress(OSError):
        usual += sorted(
            each
            for each in folder.iterdir()
            if each.suffix in endings and each.stem.endswith(f"{dash}{named}")
        )
    for path in usual:
        try:
            with open_regular_file(path) as file:
                found = detect_format(file.read(SIGNATURE_BYTES))
                if found is not None and found.extension == path.suffix:
                    size = os.fstat(file.fileno()).st_size
                    return _file_update(path, size, hash_file(file), found, media)
        except OSError:
            continue
    return None


def file_stem(task: Task) -> str:
    """The file name without its extension: words of the prompt, the variation and the task's id.

    All files of the task have it. No system refuses it: it begins with a letter or a number, and
    ends with the id, so it is none of the names that Windows reserves.
    """
    words = subject_words(task.prompt) if task.prompt else shorten_words(split_words(task.model))
    again = f"-v{task.variation}" if task.variation is not None and task.variation > 1 else ""
    return f"{words or task.media.value}{again}-{short_id(task.id)}"


def film_stem(film: Task, *, prompt: str) -> str:
    """The file name of a film without its extension: words of *prompt*, what it is, and its id."""
    words, kind = subject_words(prompt), film.media.value
    return f"{words}-{kind}-{short_id(film.id)}" if words else file_stem(film)


def _file_update(
    path: Path, size: int, sha256: str, found: Format | None, media: Media
) -> FileUpdate:
    unusual = found is not None and found.usual_for is not media
    return FileUpdate(
        status=FileStatus.STORED,
        path=str(path),
        size_bytes=size,
        sha256=sha256,
        error=f"The link gave {found.name}, which is kept as it is." if found and unusual else None,
        error_code=Obstacle.OTHER_FORMAT if unusual else None,
    )


def _publish_as(part: Part, path: Path) -> bool:
    """Whether the video is now at *path*, through this call or an earlier interrupted one."""
    try:
        _link_or_replace(part, path)
    except FileExistsError:
        return _finish_interrupted_publish(part, path)
    return True


def _link_or_replace(part: Part, path: Path) -> None:
    try:
        # A link fails if the name exists; a rename would silently replace that file.
        os.link(part.path, path)
    except FileExistsError:
        raise
    except OSError:
        # exFAT and some network shares have no links: reserve the name, then rename over it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _rename_part(part, path)


def _finish_interrupted_publish(part: Part, path: Path) -> bool:
    """Whether the existing file at *path* is this part, or a name that was reserved for it."""
    try:
        with open_regular_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            same = size == part.size and hash_file(file) == part.sha256
    except OSError:
        return False
    if size == 0:  # reserved by a process that died before it renamed
        _rename_part(part, path)
    return same or size == 0


def _rename_part(part: Part, path: Path) -> None:
    if sys.platform == "win32":  # an open file cannot be renamed there
        part.file.close()
    try:
        part.path.replace(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # a folder cannot be opened to be synced there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
