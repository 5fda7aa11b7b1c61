"""`geekai-video-mcp join`: join finished videos into one film, as the tool join_videos does."""

import argparse
import math
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.cli.report import plain_unlimited
from geekai_video_mcp.cli.tasks import add_tenant_option, run_tasks
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.errors import GeekAIVideoError

if TYPE_CHECKING:
    from geekai_video_mcp.app import App
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.tasks import Task


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Join finished videos into one film, on this machine and free.",
        **examples(f"{prog} d306a0ba b9c31f3b@1-4.5 --audio music.mp3"),
    )
    parser.add_argument(
        "parts",
        nargs="+",
        metavar="PART",
        help="task ids in order; ID@1-4.5 keeps seconds 1 to 4.5, ID@1- cuts off the first",
    )
    parser.add_argument(
        "--audio", metavar="FILE", help="file, or task:ID, whose sound replaces that of the parts"
    )
    add_tenant_option(parser)
    parser.set_defaults(run=run_tasks, handler=_join_parts)
    return parser


def _join_parts(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Join the parts and print where the film is; returns the exit status."""
    if arguments.audio is not None and Path(arguments.audio).is_file():
        # A person may name any file, also by a path relative to the folder that they are in.
        arguments.audio = str(Path(arguments.audio).absolute())
    return anyio.run(_join, arguments, settings)


async def _join(arguments: argparse.Namespace, settings: "Settings") -> int:
    from geekai_video_mcp.app import open_app

    # Without a sweep: other tasks are left to the servers.
    async with open_app(settings, sweep=False) as app:
        # Caught inside: the sandbox's task group would wrap the error in an exception group.
        try:
            return _print_outcome(await _make_film(app, arguments))
        except GeekAIVideoError as exc:
            print_notice(exc.message)
            return FAILED


async def _make_film(app: "App", arguments: argparse.Namespace) -> "Task":
    from geekai_video_mcp.server.arguments import JoinVideos

    args = JoinVideos.parse({"parts": arguments.parts, "audio": arguments.audio})
    made = await app.engine.make_film(args.parts, args.audio)
    for note in (*args.notes, *made.notes):
        print_notice(note)
    film, shown = made.film, -1
    async with aclosing(app.engine.follow(film, wait_seconds=math.inf)) as states:
        async for (film,) in states:
            percent = round(100 * (app.engine.film_share(film.id) or 0.0))
            if not film.settled and percent != shown:
                shown = percent
                print_notice(f"Joining task {short_id(film.id)}: {percent} %")
    return film


def _print_outcome(film: "Task") -> int:
    if film.status is not Status.SUCCEED:
        print_notice(plain_unlimited(film.error_message or "No reason is known."))
        return FAILED
    for note in film.result.notes if film.result else ():
        print_notice(plain_unlimited(note))
    seconds = f"{film.file_seconds:.1f} s, " if film.file_seconds else ""
    size = f"{(film.file_bytes or 0) / 1e6:.1f} MB"
    path = plain_unlimited(film.file_path or "")
    print_line(f"Film {short_id(film.id)}: {path} ({seconds}{size})")
    return OK
