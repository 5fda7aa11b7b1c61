"""Download a finished task's result once more, because a person has run the command."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from geekai_video_mcp.cli.for_people import for_person, print_for_person
from geekai_video_mcp.cli.output import FAILED, OK, print_line
from geekai_video_mcp.cli.report import plain_unlimited
from geekai_video_mcp.domain.result_file import live_link
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.errors import GeekAIVideoError

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.tasks import Task


def fetch_once(settings: "Settings", task: "Task") -> int:
    """Fetch the task's file if it is not on this machine, after waiting for it if it is under way.

    Returns the exit status.
    """
    if task.file_status is FileStatus.STORED and Path(task.file_path or "").is_file():
        print_line(f"It is on this machine already: {plain_unlimited(task.file_path or '')}")
        return OK
    from geekai_video_mcp.cli.collect import collect_task, is_under_way

    if is_under_way(task):
        return collect_task(settings, task)
    return anyio.run(_fetch_file, settings, task)


async def _fetch_file(settings: "Settings", task: "Task") -> int:
    from geekai_video_mcp.app import open_app

    # Without a sweep: other tasks are left to the servers.
    async with open_app(settings, sweep=False) as app:
        # Caught inside: the sandbox's task group would wrap the error in an exception group.
        try:
            return _print_outcome(await app.engine.fetch_again(task.id))
        except GeekAIVideoError as exc:
            print_for_person(exc.message)
            return FAILED


def _print_outcome(task: "Task") -> int:
    if task.file_status is FileStatus.STORED:
        from geekai_video_mcp.server.views.times import size_text

        size = size_text(task.file_bytes or 0)
        print_line(f"Fetched: {plain_unlimited(task.file_path or '')} ({size})")
        return OK
    print_line(
        f"Not fetched. {plain_unlimited(for_person(task.file_error or 'No reason is known.'))}"
    )
    url = live_link(task)
    if task.file_status is FileStatus.LINKED and url is not None:
        print_line(f"Its link: {plain_unlimited(url)}")
    return FAILED
