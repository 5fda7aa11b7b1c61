"""`tasks purge`: remove settled tasks, with their prompts and files, because a person says so."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.cli.gallery import FILE_NAME, delete_page_of
from geekai_video_mcp.cli.ledger_reads import PAGE_SIZE, open_ledger
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.cli.report import format_time, plain_unlimited
from geekai_video_mcp.domain.purging import Stays, find_reason_to_stay
from geekai_video_mcp.domain.service_names import is_sandbox
from geekai_video_mcp.domain.storage import Deleted
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.domain.wording import join_words
from geekai_video_mcp.errors import StorageUnavailable, describe_os_error
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.media.deletion import delete_parts, delete_side_files, delete_task_file

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings

BATCH: Final = 100
"""Tasks that are deleted in one transaction: servers write in between."""


@dataclass
class Found:
    """What a purge would remove, and what it would leave."""

    going: list[Task] = field(default_factory=list[Task])
    staying: Counter[Stays] = field(default_factory=Counter[Stays])


async def find_tasks(settings: "Settings", before: float) -> Found:
    """The tasks of the tenant that were made before *before*, and why others stay."""
    found, last = Found(), None
    async with open_ledger(settings) as ledger:
        if ledger is None:
            return found
        unfinished = await ledger.all_unfinished()
        while page := await ledger.list_tasks(limit=PAGE_SIZE, before=last):
            for task in page:
                reason = find_reason_to_stay(
                    task, at=time.time(), before=before, unfinished=unfinished
                )
                if reason is None:
                    found.going.append(task)
                else:
                    found.staying[reason] += 1
            last = page[-1].id
    return found


def describe_found(found: Found, tenant: str) -> list[str]:
    """What is going to be deleted, and what is not."""
    tasks = found.going
    whose = "" if tenant == LOCAL_TENANT else f" of {tenant}"
    stay = [f"{count} {reason}" for reason, count in found.staying.items()]
    lines = [f"These stay: {join_words(stay, 'and')}."] if stay else []
    if not tasks:
        return [f"Nothing{whose} can be deleted.", *lines]
    files = [task for task in tasks if task.file_path]
    size = sum(task.file_bytes or 0 for task in files) / 1e6
    oldest, newest = tasks[-1].created_at, tasks[0].created_at
    return [
        (
            f"{_counted(len(tasks), 'task')}{whose} will be deleted for good: records, prompts"
            f" and {_counted(len(files), 'file')} ({size:,.1f} MB) with the pictures and the JSON"
            " file beside each."
        ),
        (
            f"They were made from {format_time(oldest)} to {format_time(newest)};"
            " geekai-video-mcp spent no longer counts them."
        ),
        *lines,
    ]


async def purge_tasks(settings: "Settings", found: Found, before: float) -> int:
    """Delete them, and whatever an earlier purge had to leave; returns the exit status."""
    left = list[str]()
    async with open_ledger(settings) as ledger:
        if ledger is None:
            return OK
        files = sum(_delete_file(settings, task, left) for task in found.going)
        page = delete_page_of(settings.output_dir, {task.id for task in found.going})
        purged = await _delete_rows(ledger, found.going, before)
        _delete_from_sandbox(settings, [task for task in found.going if task.id in purged])
        try:
            await ledger.compact()
        except StorageUnavailable as exc:
            print_notice(
                f"{exc.message} The tasks are deleted, but traces of their prompts may still be in"
                " the database: run the command again."
            )
            return FAILED
    if not found.going:
        return OK
    print_line(f"Deleted {_counted(len(purged), 'task')} and {_counted(files, 'file')}.")
    if page is Deleted.DELETED:
        print_line("The gallery showed some of them and was deleted as well.")
    elif page is Deleted.KEPT:
        path = plain_unlimited(str(settings.output_dir / FILE_NAME))
        left.append(f"{path} shows some of them and was left, because it was changed.")
    for each in left:
        print_notice(each)
    return FAILED if left else OK


def _delete_file(settings: "Settings", task: Task, left: list[str]) -> bool:
    """Whether the task had a file that was deleted; what was left is added to *left*."""
    folder = settings.output_dir
    delete_parts(folder, task.id)
    outcome = Deleted.MISSING
    if task.file_path is not None:
        name = plain_unlimited(task.file_path)
        try:
            outcome = delete_task_file(folder, task)
        except OSError as exc:
            outcome = Deleted.KEPT
            left.append(f"{name} could not be deleted: {describe_os_error(exc)}.")
        else:
            if outcome is Deleted.KEPT:
                left.append(
                    f"{name} was left: it is not in the output folder of now, or not as it was"
                    " stored."
                )
    left.extend(
        f"{plain_unlimited(str(path))} was left: it is not as this server wrote it, or cannot be"
        " deleted."
        for path in delete_side_files(folder, task)
    )
    return outcome is Deleted.DELETED


async def _delete_rows(ledger: Ledger, tasks: Sequence[Task], before: float) -> set[str]:
    unfinished, purged = await ledger.all_unfinished(), set[str]()
    may_go = partial(_may_go, before=before, unfinished=unfinished)
    for start in range(0, len(tasks), BATCH):
        ids = [task.id for task in tasks[start : start + BATCH]]
        purged.update(await ledger.purge(ids, may_go=may_go))
    return purged


def _may_go(task: Task, *, before: float, unfinished: Sequence[Task]) -> bool:
    at = time.time()
    return find_reason_to_stay(task, at=at, before=before, unfinished=unfinished) is None


def _delete_from_sandbox(settings: "Settings", tasks: Sequence[Task]) -> None:
    """Delete what the sandbox has of them: the prompt, the pictures and the preview."""
    folder = settings.sandbox_dir
    ids = [str(task.provider_task_id) for task in tasks if is_sandbox(task.account)]
    if ids and folder.is_dir():
        from geekai_sandbox.store import Store

        Store(folder, keep_finished=0).remove_finished(ids)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
