"""The file of a finished task: what a download changes, and when it is downloaded again. Pure.

A video that succeeded and could not be downloaded is not a failed video: nothing here changes the
status of a task.
"""

from dataclasses import replace
from typing import Final

from geekai_video_mcp.domain.retries import Obstacle
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Observation,
    Task,
)

_FILE_FACTS: Final = (
    *("file_path", "file_bytes", "file_sha256"),
    *("file_seconds", "file_width", "file_height", "file_fps", "file_has_sound"),
)
"""The fields of a task that describe the file on disk."""
_KEPT: Final = frozenset({FileStatus.STORED, FileStatus.DELETED})
_LOCAL_SCHEMES: Final = ("data:", "javascript:", "vbscript:", "file:", "blob:", "about:")


def record_file(task: Task, update: FileUpdate) -> Task:
    """The task after *update*; a file that is stored stays stored, or deleted if it was."""
    if task.status is not Status.SUCCEED or task.file_status in _KEPT:
        return task
    stored, result = update.status is FileStatus.STORED, task.result
    if stored and result and result.url and result.url.startswith("data:"):
        result = replace(result, url=None)  # an inline image is megabytes, and is on disk now
    return replace(
        task,
        result=result,
        file_status=update.status,
        file_path=update.path,
        file_bytes=update.size_bytes,
        file_sha256=update.sha256,
        file_seconds=update.seconds,
        file_width=update.width,
        file_height=update.height,
        file_fps=update.fps,
        file_has_sound=update.has_sound,
        file_error=update.error,
        file_error_code=update.error_code,
        failed_downloads=task.failed_downloads + (not stored),
    )


def reopen_file(task: Task) -> Task:
    """A succeeded task whose result is to be downloaded again, as if for the first time.

    What was known of its file is forgotten. The caller decides whether one that is stored may be
    reopened.
    """
    if task.status is not Status.SUCCEED:
        return task
    return replace(
        task,
        **dict.fromkeys(_FILE_FACTS),
        file_status=FileStatus.NONE,
        file_error=None,
        file_error_code=None,
        failed_downloads=0,
    )


def keep_copy(task: Task, before: Task) -> Task:
    """*task* with the file that *before* had kept, unless the download after it gave another.

    Or with what became of it: a file that was deleted by a rule is no lost one.
    """
    if before.file_status is FileStatus.DELETED and task.file_status is not FileStatus.STORED:
        kept = (*_FILE_FACTS, "file_status", "file_error", "file_error_code")
        return replace(task, **{name: getattr(before, name) for name in kept})
    if task.file_path is not None or before.file_status is not FileStatus.LINKED:
        return task
    return replace(task, **{name: getattr(before, name) for name in _FILE_FACTS})


def has_no_link(task: Task) -> bool:
    """Whether the service has reported the task finished and never gave its link."""
    return (
        task.status is Status.SUCCEED
        and task.file_status is FileStatus.LOST
        and task.file_error_code == Obstacle.NO_LINK
    )


def live_link(task: Task) -> str | None:
    """The link of the result, for a person to open or save.

    None if there is none, if it is known to be dead, if it holds the result itself, or if it would
    run or open something on the machine of whoever opens it.
    """
    url = task.result.url if task.result else None
    dead = task.file_error_code in {Obstacle.NO_NEW_LINK, Obstacle.RESULT_LOST}
    return None if url is None or dead or url.lower().startswith(_LOCAL_SCHEMES) else url


def replace_result(task: Task, observation: Observation, *, provider_task_id: str) -> Task:
    """A task without a link, after the service has given one: it can be downloaded now.

    *provider_task_id* is the service's task that has the link. Its status stays as it is, and so
    does every task that has a link, or whose observation has none.
    """
    if not has_no_link(task) or observation.result is None:
        return task
    return replace(
        reopen_file(task),
        provider_task_id=provider_task_id,
        result=observation.result,
        raw_response=None,
        no_link_since=None,
        unreachable_since=None,
        stall_reason=None,
        delivered_at=None,
    )
