"""The file of a finished task: what a download changes, and when it is downloaded again. Pure.

A video that succeeded and could not be downloaded is not a failed video: nothing here changes the
status of a task.
"""

from dataclasses import replace

from geekai_video_mcp.domain.lifecycle import NO_LINK, FileUpdate, Observation, Task
from geekai_video_mcp.domain.statuses import FileStatus, Status


def record_file(task: Task, update: FileUpdate) -> Task:
    """The task after *update*; a file that is stored stays stored."""
    if task.status is not Status.SUCCEED or task.file_status is FileStatus.STORED:
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
        file_status=FileStatus.NONE,
        file_path=None,
        file_bytes=None,
        file_sha256=None,
        file_error=None,
        file_error_code=None,
        failed_downloads=0,
    )


def has_no_link(task: Task) -> bool:
    """Whether the service has reported the task finished and never gave its link."""
    return (
        task.status is Status.SUCCEED
        and task.file_status is FileStatus.LOST
        and task.file_error_code == NO_LINK
    )


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
