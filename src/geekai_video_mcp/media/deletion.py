"""Delete the file of a task, and the pictures made of it, without touching anything else.

Everything happens in one folder that is opened once, through no symbolic link. A file is deleted
only if its content is the recorded one, and a picture only if this server has saved it. Blocks;
call it on a worker thread.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from geekai_video_mcp.domain.storage import Deleted
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.media.digests import hash_file
from geekai_video_mcp.media.inputs.allowed_files import Unreadable, opened_in_folder
from geekai_video_mcp.media.saved_pictures import MAX_BYTES, is_saved_picture


def delete_task_file(output_dir: Path, task: Task) -> Deleted:
    """Delete the file of *task* and every picture of it that this server has saved.

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
        for picture in _find_pictures(path, task):
            with suppress(Unreadable, OSError):
                _delete_picture(output_dir, picture)
    return outcome


def delete_parts(output_dir: Path, task_id: str) -> None:
    """Delete what interrupted downloads of the task have left."""
    with suppress(OSError):
        for each in list(output_dir.iterdir()):
            is_part = each.name.startswith((f".{task_id}.part", f".{task_id}-"))
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


def _delete_picture(output_dir: Path, path: Path) -> None:
    with opened_in_folder(output_dir, path) as descriptor:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and is_saved_picture(os.read(descriptor, MAX_BYTES + 1)):
            _unlink_same(path, status)


def _unlink_same(path: Path, opened: os.stat_result) -> Deleted:
    """Delete the name, if it still is that of the file that was opened."""
    named = path.stat(follow_symlinks=False)
    if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
        return Deleted.KEPT
    path.unlink()
    return Deleted.DELETED


def _find_pictures(path: Path, task: Task) -> Iterator[Path]:
    """What may be a picture of the task: by its name, beside the file."""
    beside = f"{path.stem}."
    with suppress(OSError):
        for each in list(path.parent.iterdir()):
            if each.suffix != ".jpg" or each == path:
                continue
            board = each.name.partition(".")[0].removeprefix("side-by-side-").split("-")
            shown = each.name.startswith("side-by-side-") and short_id(task.id) in board
            if each.name.startswith(beside) or shown:
                yield each
