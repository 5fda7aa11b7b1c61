"""`geekai-video-mcp generate`: generate a video as generate_video does, and wait for it."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import NOT_USABLE
from geekai_video_mcp.cli.tasks import run_tasks
from geekai_video_mcp.cli.tool_options import (
    VIDEO_HELP,
    add_tool_options,
    find_files,
    given_arguments,
)
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.server.arguments import Generate, GenerateVideo

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings

OWN: Final = frozenset({"prompt", "async", "dry_run"})
"""Arguments of the tools that are no options here: `async` is --no-wait."""
EXIT_STATUSES: Final = """\
Exit status:
  0    done; with --no-wait, sent
  1    refused, failed, or not agreed to
  2    wrong usage or settings
  3    whether GeekAI took the request, and charges it, is not known:
       geekai-video-mcp tasks resolve ID decides
  130  after Ctrl-C, which says what becomes of the task"""
"""What `--help` says of the exit status."""


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Generate a video, wait for it, and store it in the output folder. With a key"
        " the model, the seconds, the price and what the caps leave are shown first, and you are"
        " asked. Without a key the sandbox makes a preview, which is free.",
        **examples(
            'geekai-video-mcp generate "a fox in the snow" --duration 5 --open',
            'geekai-video-mcp generate "it turns its head" --image task:d306a0ba',
            'geekai-video-mcp generate "a fox" --model kling-video-v2-6 --dry-run',
            note=EXIT_STATUSES,
        ),
        allow_abbrev=False,  # of options that cost money none is guessed
    )
    parser.add_argument("prompt", metavar="PROMPT", help="what should be seen and heard")
    add_request_options(parser, GenerateVideo)
    return parser


def add_request_options(
    parser: argparse.ArgumentParser,
    model: type[Generate],
    *,
    help_texts: Mapping[str, str] = VIDEO_HELP,
) -> None:
    """The options of a command that makes what *model* describes."""
    own = parser.add_argument_group("what this command does")
    own.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait for the result and store it; --no-wait only sends the request (default: --wait)",
    )
    own.add_argument(
        "--dry-run", action="store_true", help="only show what would be sent, and its price"
    )
    own.add_argument("--yes", action="store_true", help="do not ask before something is paid")
    own.add_argument("--open", action="store_true", help="open the result in the system's player")
    own.add_argument("--json", action="store_true", help="print one JSON object, as the tool does")
    add_tool_options(parser, model, without=OWN, help_texts=help_texts)
    parser.set_defaults(
        run=run_tasks,
        receives_interrupts=True,
        handler=generate_from,
        arguments_model=model,
        tenant=LOCAL_TENANT,
    )


def generate_from(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Carry out the command; returns the exit status."""
    from geekai_video_mcp.cli.outcome import print_error
    from geekai_video_mcp.cli.request import RequestCommand, RequestOptions
    from geekai_video_mcp.errors import RequestRefused

    model: type[Generate] = arguments.arguments_model
    given = {"prompt": arguments.prompt, **given_arguments(arguments, model, without=OWN)}
    try:
        named = find_files(given)
    except RequestRefused as exc:
        return print_error(exc, as_json=arguments.json)
    folders = [settings.output_dir, *settings.image_dirs, *named.folders]
    try:
        args = model.parse(
            {**named.arguments, "async": not arguments.wait},
            service_url=settings.base_url,
            picture_folders=[str(folder) for folder in folders],
        )
    except RequestRefused as exc:
        print_error(exc, as_json=arguments.json)
        return NOT_USABLE
    options = RequestOptions(
        wait=arguments.wait,
        yes=arguments.yes,
        dry_run=arguments.dry_run,
        as_json=arguments.json,
        opens=arguments.open,
    )
    return RequestCommand(settings, args, named.folders, options).run()
