"""How much of this machine's disk a tenant's files may take, and for how long. Pure.

What was paid for is always stored: a quota refuses new requests alone. A file that is deleted by a
rule leaves its record, which says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from geekai_video_mcp.domain.retries import Obstacle
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.domain.tenants import tasks_command
from geekai_video_mcp.errors import CapReached

MEGABYTE: Final = 1_000_000


class Deleted(StrEnum):
    """What became of a file that was to be deleted."""

    DELETED = "deleted"
    MISSING = "missing"
    """It was not there, nor anything else in its place."""
    KEPT = "kept"
    """What is in its place is not the file that was recorded, and was left as it is."""


@dataclass(frozen=True, kw_only=True)
class StorageUse:
    """What a tenant's files take, read in the transaction that records a new task."""

    quota_bytes: int
    used_bytes: int
    """Of all files that are recorded as being there."""
    files: int
    unfinished: int
    """Tasks that will have a file if they succeed."""

    @property
    def reserved_bytes(self) -> int:
        """What the unfinished tasks are likely to need: each as much as the files have had."""
        return self.used_bytes // self.files * self.unfinished if self.files else 0

    @property
    def is_full(self) -> bool:
        """Whether another file, as large as the others are, would exceed the quota."""
        another = self.used_bytes // self.files if self.files else 0
        return self.used_bytes + self.reserved_bytes + another > self.quota_bytes


def check_quota(task: Task, use: StorageUse | None) -> None:
    """Refuse a new task whose file would have no room in the quota.

    Raises:
        CapReached: it says what is used, and who makes room. For a film, without a word on money.
    """
    if use is None or not use.is_full:
        return
    coming = ""
    if use.unfinished:
        tasks = (
            "1 unfinished task needs"
            if use.unfinished == 1
            else (f"{use.unfinished} unfinished tasks need")
        )
        coming = f", and {tasks} about {_megabytes(use.reserved_bytes)} more"
    files = "1 file uses" if use.files == 1 else f"{use.files} files use"
    refused = CapReached(
        f"{files} {_megabytes(use.used_bytes)} of the {_megabytes(use.quota_bytes)} that are"
        f" allowed here (GEEKAI_QUOTA_MB){coming}",
        remedy="Tell the user that the server's operator makes room, by deleting files with"
        f" {tasks_command(task.tenant)} purge or by raising the quota",
    )
    if task.media is Media.FILM:
        refused.money = None
    raise refused


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.1f} MB"


def delete_file(task: Task, *, keep_days: int, found: bool) -> Task:
    """The task after its file was deleted because it was kept for *keep_days*.

    *found*: whether the file was still there.
    """
    if task.file_status is not FileStatus.STORED:
        return task
    days = "1 day" if keep_days == 1 else f"{keep_days} days"
    by_rule = f"The file was deleted after {days}, as this server's operator has set"
    by_others = f"The file was moved or deleted before {days} were over"
    return replace(
        task,
        file_status=FileStatus.DELETED,
        file_path=None,
        file_error=by_rule if found else by_others,
        file_error_code=Obstacle.DELETED.value,
    )


def is_in_use(task: Task, unfinished: Iterable[Task]) -> bool:
    """Whether one of the *unfinished* tasks uses the result of *task*."""
    return any(task.id in each.waits_for or _mentions(each.request, task.id) for each in unfinished)


def _mentions(value: Any, task_id: str) -> bool:  # noqa: ANN401 - a part of a request
    """Whether a part of a request names the task: in it every reference has the whole id."""
    if isinstance(value, str):
        return task_id in value
    if isinstance(value, dict):
        return any(_mentions(each, task_id) for each in value.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if isinstance(value, (list, tuple)):
        return any(_mentions(each, task_id) for each in value)  # pyright: ignore[reportUnknownVariableType]
    return False
