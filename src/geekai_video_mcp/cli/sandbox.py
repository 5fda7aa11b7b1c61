"""`geekai-video-mcp sandbox`: GeekAI's API itself on a port, rendering previews."""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.cli.addresses import add_address_options
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import OK, print_notice
from geekai_video_mcp.cli.start import load_settings, resume_gc

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from geekai_sandbox.app import Sandbox

SANDBOX_PORT: Final = 8766


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Run a GeekAI-compatible mock API that renders preview videos.",
        **examples(f"{prog}", f"{prog} --port 0 --folder /tmp/sandbox"),
    )
    add_address_options(parser, default_port=SANDBOX_PORT)
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="folder in which it keeps its tasks (default: in the state folder)",
    )
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from geekai_sandbox.app import Sandbox
    from geekai_video_mcp.cli.http import origin_url
    from geekai_video_mcp.errors import ConfigError, describe_os_error
    from geekai_video_mcp.server.http import bind_loopback, serve_http

    folder = arguments.folder or load_settings().sandbox_dir
    try:
        folder = folder.expanduser().resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as exc:  # RuntimeError: of ~ without a home, or a loop of links
        reason = describe_os_error(exc) if isinstance(exc, OSError) else "it cannot be resolved"
        name = "--folder" if arguments.folder else "GEEKAI_STATE_DIR"
        raise ConfigError({name: f"cannot hold the sandbox's tasks: {reason}"}) from exc
    listener = bind_loopback(arguments.host, arguments.port)
    base_url = f"{origin_url(listener)}/api/v1"
    sandbox = Sandbox(folder, base_url=base_url)
    resume_gc()
    print_notice(f"Sandbox at {base_url} (press Ctrl-C to stop)")
    serve_http(_with_lifespan(sandbox), listener)
    return OK


def _with_lifespan(sandbox: "Sandbox") -> "ASGIApp":
    """The sandbox's application, whose renderer runs while it is being served."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with sandbox:
            yield

    return Starlette(routes=[Mount("/", sandbox.app)], lifespan=lifespan)
