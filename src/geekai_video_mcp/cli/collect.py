"""Wait for a task that goes on at GeekAI, because its own command was stopped or did not wait."""

from functools import partial
from typing import TYPE_CHECKING

from geekai_video_mcp.cli.following import follow_task
from geekai_video_mcp.cli.interruption import interruptible
from geekai_video_mcp.cli.live import show_live
from geekai_video_mcp.cli.outcome import Outcome, print_outcome
from geekai_video_mcp.cli.request import run_in_loop
from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.statuses import POLLED, FileStatus, Status
from geekai_video_mcp.engine.context import OTHER_ACCOUNT
from geekai_video_mcp.errors import InvalidDecision

if TYPE_CHECKING:
    from geekai_video_mcp.app import App
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.tasks import Task


def is_under_way(task: "Task") -> bool:
    """Whether waiting for the task may bring its file, and nothing has to be sent for it."""
    if task.status is Status.SUCCEED:
        return task.file_status is FileStatus.NONE
    return task.status in POLLED | {Status.SUBMITTING}


def collect_task(settings: "Settings", task: "Task") -> int:
    """Wait for the task and store its file; returns the exit status.

    Raises:
        InvalidDecision: it belongs to another service or key.
    """
    outcome = run_in_loop(partial(_wait, settings, task))
    return print_outcome(outcome, as_json=False, opens=False)


async def _wait(settings: "Settings", task: "Task") -> Outcome:
    from geekai_video_mcp.app import open_app

    # Without a sweep: other tasks are left to the servers.
    with interruptible() as interruption:
        async with open_app(settings, sweep=False) as app:
            if task.account not in {app.engine.account, LOCAL_ACCOUNT}:
                raise InvalidDecision(OTHER_ACCOUNT)
            title = task.prompt or task.id
            with interruption.scope, show_live(title) as display:
                ended = await follow_task(app, task, display)
                await app.engine.mark_delivered(ended)
                return await _describe(app, ended)
            outcome = await _describe(app, await app.engine.get_local(task.id))
            return outcome._replace(interrupted=interruption.status)


async def _describe(app: "App", task: "Task") -> Outcome:
    from geekai_video_mcp.server.results import make_report
    from geekai_video_mcp.server.views import task_structure

    report = make_report(app, task)
    return Outcome(report, task_structure(report))
