"""`tasks open`: show a task's stored file in the system's own program."""

from pathlib import Path
from typing import TYPE_CHECKING

from geekai_video_mcp.cli.open_file import open_file
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.cli.report import plain_unlimited
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tenants import tasks_command

if TYPE_CHECKING:
    from geekai_video_mcp.domain.tasks import Task


def open_task_file(task: "Task") -> int:
    """Open the file and print its path, which is of use where it cannot be opened as well."""
    shown = short_id(task.id)
    if task.status is not Status.SUCCEED:
        print_notice(f"Task {shown} has no file: it is {task.status.value}.")
        return FAILED
    path = Path(task.file_path or "")
    if task.file_status is not FileStatus.STORED or not path.is_file():
        print_notice(
            f"The file of task {shown} is not on this machine. To download it once more:"
            f" {tasks_command(task.tenant)} fetch {shown}"
        )
        return FAILED
    print_line(plain_unlimited(str(path)))
    reason = open_file(path)
    if reason is not None:
        print_notice(f"It was not opened: {reason}.")
        return FAILED
    return OK
