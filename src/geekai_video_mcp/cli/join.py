"""`geekai-video-mcp join`: join finished videos into one film, as the tool join_videos does."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from geekai_video_mcp.cli.following import follow_task
from geekai_video_mcp.cli.for_people import for_person
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.interruption import interruptible
from geekai_video_mcp.cli.live import show_live
from geekai_video_mcp.cli.outcome import open_result, print_wrapped
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.cli.report import plain_unlimited
from geekai_video_mcp.cli.request import run_in_loop
from geekai_video_mcp.cli.tasks import add_tenant_option, run_tasks
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import short_id

if TYPE_CHECKING:
    from geekai_video_mcp.app import App
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.tasks import Task


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Join finished videos into one film, on this machine and free.",
        **examples(
            "geekai-video-mcp join d306a0ba b9c31f3b@1-4.5 --audio music.mp3",
        ),
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
    parser.add_argument("--open", action="store_true", help="open the film in the system's player")
    add_tenant_option(parser)
    parser.set_defaults(run=run_tasks, handler=_join_parts)
    return parser


def _join_parts(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Join the parts and print where the film is; returns the exit status."""
    if arguments.audio is not None and Path(arguments.audio).is_file():
        # A person may name any file, also by a path relative to the folder that they are in.
        arguments.audio = str(Path(arguments.audio).absolute())
    film, stopped = run_in_loop(partial(_join, arguments, settings))
    if stopped is not None:
        _print_stopped(film)
        return stopped
    return FAILED if film is None else _print_outcome(film, opens=arguments.open)


async def _join(
    arguments: argparse.Namespace, settings: "Settings"
) -> "tuple[Task | None, int | None]":
    """The film, as far as it came, and the exit status if a signal stopped it."""
    from geekai_video_mcp.app import open_app

    begun: list[Task] = []
    # Without a sweep: other tasks are left to the servers.
    with interruptible() as interruption:
        async with open_app(settings, sweep=False) as app:
            with interruption.scope:
                return await _make_film(app, arguments, begun), None
    return (begun[0] if begun else None), interruption.status


async def _make_film(app: "App", arguments: argparse.Namespace, begun: "list[Task]") -> "Task":
    from geekai_video_mcp.server.arguments import JoinVideos

    args = JoinVideos.parse({"parts": arguments.parts, "audio": arguments.audio})
    made = await app.engine.make_film(args.parts, args.audio)
    begun.append(made.film)
    for note in (*args.notes, *made.notes):
        print_wrapped(plain_unlimited(for_person(note)))
    with show_live(f"Film {short_id(made.film.id)} of {' '.join(arguments.parts)}") as display:
        return await follow_task(app, made.film, display)


def _print_stopped(film: "Task | None") -> None:
    """What becomes of a film after Ctrl-C; nothing of it costs anything."""
    if film is None:
        print_notice("Stopped. No film was begun.")
        return
    print_wrapped(
        f"Stopped. Film {short_id(film.id)} is not finished. A running server, or the next start of"
        " one, joins it, and so does the same command."
    )


def _print_outcome(film: "Task", *, opens: bool) -> int:
    if film.status is not Status.SUCCEED:
        print_wrapped(plain_unlimited(for_person(film.error_message or "No reason is known.")))
        return FAILED
    for note in film.result.notes if film.result else ():
        print_wrapped(plain_unlimited(for_person(note)))
    from geekai_video_mcp.server.views.times import size_text

    seconds = f"{film.file_seconds:.1f} s, " if film.file_seconds else ""
    size = size_text(film.file_bytes or 0)
    path = plain_unlimited(film.file_path or "")
    print_line(f"Film {short_id(film.id)}: {path} ({seconds}{size})")
    if opens:
        open_result(film)
    return OK
