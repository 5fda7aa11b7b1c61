"""Delete the file of a task, and the files beside it, without touching anything else.

Everything happens in one folder that is opened once, through no symbolic link. A file is deleted
only if its content is the recorded one, a picture only if this server has saved it, and a sidecar
only if it is as this server has written it. Blocks; call it on a worker thread.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from geekai_video_mcp.domain import sidecars
from geekai_video_mcp.domain.sidecars import Sidecar, read_sidecar
from geekai_video_mcp.domain.storage import Deleted
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.media.digests import hash_file
from geekai_video_mcp.media.inputs.allowed_files import Unreadable, opened_in_folder
from geekai_video_mcp.media.saved_pictures import MAX_BYTES, is_saved_picture
from geekai_video_mcp.media.side_files import is_named_after

_PART_OF_PICTURE: Final = re.compile(r"\.[0-9a-f]{32}-[0-9a-f]{8}\.part")


def delete_task_file(output_dir: Path, task: Task) -> Deleted:
    """Delete the file of *task* and the files beside it that this server has written.

    Raises:
        OSError: the system refuses to read or delete it.
    """
    path = Path(task.file_path) if task.file_path else None
    if path is None:
        return Deleted.MISSING
    try:
        outcome = _delete_result(output_dir, path, task)
    except Unreadable:  # the tenant has another folder now: what is in the old one is not ours
        return Deleted.KEPT
    if outcome is not Deleted.KEPT:
        delete_side_files(output_dir, task)
    return outcome


def delete_side_files(output_dir: Path, task: Task) -> list[Path]:
    """Delete the pictures and the sidecar of the task, whatever has become of its file.

    Returns the sidecars that are left, because somebody has changed them or the system refuses.
    """
    left = list[Path]()
    for path in list(_find_side_files(output_dir, task)):
        is_picture = path.suffix == ".jpg"
        is_ours = is_saved_picture if is_picture else _is_sidecar_of(task)
        max_bytes = MAX_BYTES if is_picture else sidecars.MAX_BYTES
        try:
            stays = _delete_if(output_dir, path, is_ours, max_bytes=max_bytes)
        except (Unreadable, FileNotFoundError):
            continue
        except OSError:
            stays = not path.is_symlink()
        if stays and not is_picture:
            left.append(path)
    return left


def delete_parts(output_dir: Path, task_id: str) -> None:
    """Delete what interrupted downloads of the task, and writers of files beside it, have left."""
    starts = (f".{task_id}.part", f".{task_id}-")
    with suppress(OSError):
        for each in list(output_dir.iterdir()):
            of_picture = each.name.startswith(f".{short_id(task_id)}") and (
                _PART_OF_PICTURE.fullmatch(each.name)
            )
            is_part = each.name.startswith(starts) or of_picture
            if is_part and not each.is_symlink() and each.is_file():
                each.unlink(missing_ok=True)


def _delete_result(output_dir: Path, path: Path, task: Task) -> Deleted:
    try:
        with opened_in_folder(output_dir, path) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size != task.file_bytes:
                return Deleted.KEPT
            with open(descriptor, "rb", closefd=False) as file:
                is_recorded = hash_file(file) == task.file_sha256
            return _unlink_same(path, status) if is_recorded else Deleted.KEPT
    except FileNotFoundError:
        # An empty folder is more likely a disk that is not mounted now.
        return Deleted.MISSING if any(path.parent.iterdir()) else Deleted.KEPT
    except OSError:
        if path.is_symlink():
            return Deleted.KEPT
        raise


def _is_sidecar_of(task: Task) -> Callable[[bytes], bool]:
    return lambda content: read_sidecar(content) == Sidecar(task.id, unchanged=True)


def _delete_if(
    output_dir: Path, path: Path, is_ours: Callable[[bytes], bool], *, max_bytes: int
) -> bool:
    """Delete the file if its content is ours; whether it is another one that names our program."""
    with opened_in_folder(output_dir, path) as descriptor:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return False
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
        if is_ours(content):
            return _unlink_same(path, status) is Deleted.KEPT
        return sidecars.PROGRAM.encode() in content


def _unlink_same(path: Path, opened: os.stat_result) -> Deleted:
    """Delete the name, if it still is that of the file that was opened."""
    named = path.stat(follow_symlinks=False)
    if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
        return Deleted.KEPT
    path.unlink()
    return Deleted.DELETED


def _find_side_files(output_dir: Path, task: Task) -> Iterator[Path]:
    """What may be a picture or the sidecar of the task: by its name, where the file is or was."""
    result = Path(task.file_path) if task.file_path else None
    folder = result.parent if result is not None else output_dir
    with suppress(OSError):
        for each in list(folder.iterdir()):
            if each.suffix not in {".jpg", ".json"} or each == result:
                continue
            board = each.name.partition(".")[0].removeprefix("side-by-side-").split("-")
            shown = each.name.startswith("side-by-side-") and short_id(task.id) in board
            beside = result is not None and each.name.startswith(f"{result.stem}.")
            if shown or beside or is_named_after(each.name, task.id):
                yield each
