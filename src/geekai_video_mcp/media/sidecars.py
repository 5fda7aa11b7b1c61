"""The JSON file beside a result, which says how it was made.

It is for people who look into their output folder: nothing here reads it. Everything here blocks;
call it on a worker thread.
"""

import logging
from contextlib import suppress
from pathlib import Path

from geekai_video_mcp.domain.sidecars import MAX_BYTES, Sidecar, encode_sidecar, read_sidecar
from geekai_video_mcp.domain.tasks import FileUpdate, Task
from geekai_video_mcp.errors import describe_os_error
from geekai_video_mcp.media.regular_files import open_regular_file
from geekai_video_mcp.media.side_files import write_side_file

logger = logging.getLogger(__name__)


def sidecar_path(result: Path) -> Path:
    """Where the sidecar of the file at *result* is."""
    return result.with_name(f"{result.stem}.json")


def save_sidecar(task: Task, file: FileUpdate) -> None:
    """Write the sidecar of *task*, whose result was just stored as *file* says; never fails.

    What cannot be written is logged: the result was paid for. A file of the same name is replaced
    only if it is the sidecar of this task as it was written.
    """
    if file.path is None:
        return
    try:
        if not _write(task, file, Path(file.path)):
            logger.info("task %s has no sidecar: too large, or its name is taken", task.id)
    except OSError as exc:
        reason = describe_os_error(exc)
        logger.warning("the sidecar of task %s could not be written: %s", task.id, reason)
    except Exception as exc:  # noqa: BLE001 - or a bug here would lose a result that is stored
        reason = type(exc).__name__
        logger.warning("the sidecar of task %s could not be written: %s", task.id, reason)


def _write(task: Task, file: FileUpdate, result: Path) -> bool:
    """Whether the sidecar is there now."""
    path, content = sidecar_path(result), encode_sidecar(task, file, file_name=result.name)

    def is_ours() -> bool:
        return _read(path) == Sidecar(task.id, unchanged=True)

    if len(content) > MAX_BYTES:
        return False
    return write_side_file(path, content, key=task.id, is_ours=is_ours)


def _read(path: Path) -> Sidecar | None:
    with suppress(OSError), open_regular_file(path) as file:
        return read_sidecar(file.read(MAX_BYTES + 1))
    return None
