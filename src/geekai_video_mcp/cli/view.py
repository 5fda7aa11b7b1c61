"""`geekai-video-mcp view`: a contact sheet of finished videos in a file, and on the screen."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.cli.for_people import print_for_person
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.open_file import open_file
from geekai_video_mcp.cli.outcome import print_wrapped
from geekai_video_mcp.cli.output import FAILED, NOT_USABLE, OK, print_line, print_notice
from geekai_video_mcp.cli.report import plain_unlimited
from geekai_video_mcp.cli.request import run_in_loop
from geekai_video_mcp.cli.tasks import add_tenant_option, run_tasks
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.errors import InvalidDecision, RequestRefused, describe_os_error
from geekai_video_mcp.server.arguments.view_video import MAX_TIMES, ViewVideo

if TYPE_CHECKING:
    from geekai_video_mcp.app import App
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.tasks import Task
    from geekai_video_mcp.server.pictures import RenderedView

FILE_WAIT_SECONDS: Final = 8.0
"""Seconds that a file is waited for which another machine has stored."""


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Make a picture of a finished video, film or picture: a contact sheet with its"
        " first and last frame, its cover, or frames at given seconds; several tasks side by side."
        " It is written beside the video, or to FILE, and opened at a terminal. Free.",
        **examples(
            "geekai-video-mcp view d306a0ba",
            "geekai-video-mcp view d306a0ba b9c31f3b --at 0 2.5 -o both.jpg --no-open",
        ),
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help="task id, or its first digits")
    parser.add_argument(
        "--view",
        choices=["frames", "cover"],
        default="frames",
        help="contact sheet, or one frame (default: frames)",
    )
    parser.add_argument(
        "--at",
        nargs="+",
        metavar="SECONDS",
        help=f"show the frames at these seconds instead; at most {MAX_TIMES}",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write a JPEG there; no file is replaced"
    )
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="open it in the system's viewer (default: at a terminal)",
    )
    add_tenant_option(parser)
    parser.set_defaults(run=run_tasks, handler=_view_tasks)
    return parser


def _view_tasks(arguments: argparse.Namespace, settings: "Settings") -> int:
    try:
        args = ViewVideo.parse(
            {"task_id": arguments.ids, "view": arguments.view, "at": arguments.at}
        )
    except RequestRefused as exc:
        print_for_person(exc.message)
        return NOT_USABLE
    rendered, tasks = run_in_loop(partial(_render, args, settings))
    path = _write_picture(rendered, arguments.output)
    if path is None:
        return FAILED
    print_line(f"{_describe(tasks)}: {plain_unlimited(str(path))}")
    if sys.stdout.isatty() if arguments.open is None else arguments.open:
        problem = open_file(path)
        if problem is not None:
            print_wrapped(f"It was not opened: {plain_unlimited(problem)}.")
    return OK


async def _render(args: ViewVideo, settings: "Settings") -> "tuple[RenderedView, Sequence[Task]]":
    """The picture, and the tasks that it was asked of.

    Raises:
        InvalidDecision: nothing of them can be shown.
        FileElsewhere, StorageUnavailable, TaskNotFound: a file, or a task, is not here.
    """
    from geekai_video_mcp.app import open_app
    from geekai_video_mcp.media.inspection import REASONS
    from geekai_video_mcp.server.pictures import Unrenderable, render_stored

    async with open_app(settings, sweep=False) as app:
        tasks = [await _find_stored(app, task_id) for task_id in args.task_ids]
        unique = list({task.id: task for task in tasks}.values())
        try:
            return await render_stored(app, unique, view=args.view, at=args.at or ()), unique
        except Unrenderable as exc:
            reasons = dict.fromkeys(REASONS[file.reason] for file in exc.files if file.reason)
            msg = f"{_describe(unique)} cannot be shown: {', '.join(reasons)}"
            raise InvalidDecision(msg) from exc


async def _find_stored(app: "App", task_id: str) -> "Task":
    """The task with the path of its file on this machine."""
    task = await app.engine.find_local(task_id)
    if task.file_status is not FileStatus.STORED:
        finished = task.status is Status.SUCCEED
        state = "finished without a file here" if finished else task.status.value
        msg = f"Task {short_id(task.id)} is {state}, so there is nothing to look at"
        raise InvalidDecision(msg)
    return await app.engine.locate_file(task, wait_seconds=FILE_WAIT_SECONDS)


def _describe(tasks: "Sequence[Task]") -> str:
    names = ", ".join(short_id(task.id) for task in tasks)
    return f"Task {names}" if len(tasks) == 1 else f"Tasks {names}"


def _write_picture(rendered: "RenderedView", output: str | None) -> Path | None:
    """Where the picture is; None if it could not be written, after saying why."""
    if output is None:
        if rendered.path is None:
            print_notice("It cannot be written beside the video. Name another place with -o FILE.")
        return rendered.path
    path = Path(output).absolute()
    try:
        # Exclusive: a typing error must not replace a video.
        with path.open("xb") as file:
            file.write(rendered.jpeg)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        print_notice(f"{plain_unlimited(str(path))} was not written: {describe_os_error(exc)}.")
        return None
    return path
