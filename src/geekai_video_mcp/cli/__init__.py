"""The command line. Without arguments it serves MCP over stdio.

Only this package reads the environment and writes the process's own output. Rules about tasks
and money may not enter: they are in the packages below. stdout belongs to the protocol, so
messages for people go to stderr; only `tasks`, `spent`, `join` and `token`, which serve no
protocol, write to stdout. Imports are inside the commands, because a host waits for the response to
`initialize`.
"""

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from geekai_video_mcp import __version__
from geekai_video_mcp.cli.output import print_notice

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from geekai_sandbox.app import Sandbox
    from geekai_video_mcp.app import App, AppFactory
    from geekai_video_mcp.config import Settings

NOT_USABLE: Final = 2
"""Exit status for an invalid command line or environment, the same as argparse's."""
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, by the convention of shells."""
SPENT_DAYS: Final = 30
MAX_DAYS: Final = 36_500
SERVE_PORT: Final = 8765
SANDBOX_PORT: Final = 8766
LAST_PORT: Final = 65535


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    arguments = _parse_arguments(list(sys.argv[1:] if argv is None else argv))
    # Imports create many objects and no garbage: collections would cost a tenth of the start-up.
    gc.disable()
    from geekai_video_mcp.errors import GeekAIVideoError, first_own_error

    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (GeekAIVideoError, BaseExceptionGroup) as exc:
        # The SDK wraps what is raised when a server starts.
        own_error = first_own_error(exc)
        if own_error is None:
            raise
        print_notice(own_error.message)
        return NOT_USABLE


def _parse_arguments(argv: list[str]) -> argparse.Namespace:
    if argv[:1] != ["tasks"]:
        return _build_parser().parse_args(argv)
    # Separate: building its parser takes longer than all the others, and hosts never need it.
    from geekai_video_mcp.cli.tasks import build_parser

    return build_parser(_run_tasks).parse_args(argv[1:])


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geekai-video-mcp",
        description="An MCP server that generates videos with GeekAI's API. Without an API key it"
        " uses a local sandbox that renders preview videos.",
        epilog="It is configured by GEEKAI_* environment variables; the README lists them.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(run=_run_serve, transport="stdio")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the MCP server (default, over stdio)")
    serve.add_argument(
        "--transport",
        choices=["stdio", "sse", "streamable-http", "http"],
        default="stdio",
        help="http serves both SSE and Streamable HTTP on one port (default: stdio)",
    )
    _add_address_options(serve, default_port=SERVE_PORT)
    serve.add_argument(
        "--no-token",
        action="store_true",
        help="over HTTP with an API key, ask for no token: every user and program of this machine"
        " can then spend money",
    )
    serve.set_defaults(run=_run_serve)
    token = commands.add_parser(
        "token", help="print a host's configuration for the server over HTTP, with its token"
    )
    token.add_argument(
        "--transport",
        choices=["sse", "streamable-http", "http"],
        default="http",
        help="the one that the host is to use (default: http, which is Streamable HTTP)",
    )
    _add_address_options(token, default_port=SERVE_PORT)
    token.add_argument("--raw", action="store_true", help="print the token alone")
    token.set_defaults(run=_run_token)
    sandbox = commands.add_parser(
        "sandbox", help="run a GeekAI-compatible mock API that renders preview videos"
    )
    _add_address_options(sandbox, default_port=SANDBOX_PORT)
    sandbox.add_argument("--folder", type=Path, help="folder in which it keeps its tasks")
    sandbox.set_defaults(run=_run_sandbox)
    spent = commands.add_parser(
        "spent", help="print what was requested on each day, and what it cost by the price list"
    )
    spent.add_argument(
        "--days", type=_parse_days, default=SPENT_DAYS, help=f"days (default: {SPENT_DAYS})"
    )
    spent.set_defaults(run=_run_spent)
    join = commands.add_parser(
        "join", help="join finished videos into one film, on this machine and free"
    )
    join.add_argument(
        "parts",
        nargs="+",
        metavar="PART",
        help="task ids in order; ID@1-4.5 keeps seconds 1 to 4.5, ID@1- cuts off the first",
    )
    join.add_argument(
        "--audio", metavar="FILE", help="file, or task:ID, whose sound replaces that of the parts"
    )
    join.set_defaults(run=_run_join)
    commands.add_parser("tasks", help="list, show and export tasks; resolve unknown outcomes")
    return parser


def _add_address_options(parser: argparse.ArgumentParser, *, default_port: int) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="loopback address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port",
        type=_parse_port,
        default=default_port,
        help=f"port to listen on; 0 selects a free one (default: {default_port})",
    )


def _parse_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > LAST_PORT:
        msg = f"the port must be a number from 0 to {LAST_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _parse_days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MAX_DAYS:
        msg = f"the number of days must be from 1 to {MAX_DAYS}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _run_serve(arguments: argparse.Namespace) -> int:
    settings = _load_settings()
    if arguments.transport == "stdio":
        from geekai_video_mcp.app import open_app
        from geekai_video_mcp.server import build_server
        from geekai_video_mcp.server.stdio import serve_stdio

        shutdown = _GracefulShutdown(partial(open_app, settings, trust_roots=True))
        server = build_server(shutdown.open_app, default_models=settings.default_models)
        _resume_gc()
        anyio.run(shutdown.run_until_signal, partial(serve_stdio, server))
        return 0
    from geekai_video_mcp.cli.http import prepare_http
    from geekai_video_mcp.server.http import serve_http

    app, listener = prepare_http(arguments, settings)
    _resume_gc()
    serve_http(app, listener)
    return 0


def _run_token(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.http import print_token

    return print_token(arguments, _load_settings())


def _run_sandbox(arguments: argparse.Namespace) -> int:
    from geekai_sandbox.app import Sandbox
    from geekai_video_mcp.cli.http import origin_url
    from geekai_video_mcp.errors import ConfigError, describe_os_error
    from geekai_video_mcp.server.http import bind_loopback, serve_http

    folder = arguments.folder or _load_settings().state_dir / "sandbox"
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
    _resume_gc()
    print_notice(f"Sandbox at {base_url} (press Ctrl-C to stop)")
    serve_http(_with_lifespan(sandbox), listener)
    return 0


def _run_tasks(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.tasks import run_tasks

    settings = _load_settings()
    _resume_gc()
    return run_tasks(arguments, settings)


def _run_spent(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.spent import print_spent
    from geekai_video_mcp.cli.tasks import run_tasks

    settings = _load_settings()
    _resume_gc()
    arguments.handler = print_spent
    return run_tasks(arguments, settings)


def _run_join(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.join import join_parts
    from geekai_video_mcp.cli.tasks import run_tasks

    settings = _load_settings()
    _resume_gc()
    arguments.handler = join_parts
    return run_tasks(arguments, settings)


def _with_lifespan(sandbox: "Sandbox") -> "ASGIApp":
    """The sandbox's application, whose renderer runs while it is being served."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with sandbox:
            yield

    return Starlette(routes=[Mount("/", sandbox.app)], lifespan=lifespan)


def _load_settings() -> "Settings":
    from geekai_video_mcp.cli.logs import configure_logging
    from geekai_video_mcp.config import Settings

    settings = Settings.from_env(os.environ)
    configure_logging(settings.log_level)
    for warning in settings.warnings:
        logging.getLogger(__name__).warning("%s", warning)
    return settings


def _resume_gc() -> None:
    gc.freeze()
    gc.enable()


class _GracefulShutdown:
    """Drains a stdio server on SIGTERM or SIGINT: responses to paid requests are recorded first.

    The SDK reads its input on a thread that ends only after the host's next line, so the
    process exits as soon as the `App` is closed, and at once if it cannot be opened.
    """

    def __init__(self, open_app: "AppFactory") -> None:
        self._open_app = open_app
        self._opening = False
        self._signal: signal.Signals | None = None

    @asynccontextmanager
    async def open_app(self) -> "AsyncGenerator[App]":
        from geekai_video_mcp.errors import GeekAIVideoError, first_own_error

        self._opening = True
        try:
            async with self._open_app() as app:
                yield app
        except (GeekAIVideoError, BaseExceptionGroup) as exc:
            own_error = first_own_error(exc)
            if own_error is None:
                raise
            print_notice(own_error.message)
            sys.stderr.flush()
            os._exit(NOT_USABLE)
        finally:
            self._exit_after_signal()

    async def run_until_signal(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Serve until the input ends or a signal arrives."""
        async with anyio.create_task_group() as task_group:
            if sys.platform != "win32":  # anyio cannot receive signals there
                task_group.start_soon(self._wait_for_signal, task_group.cancel_scope)
            await serve()
            task_group.cancel_scope.cancel()

    async def _wait_for_signal(self, serving: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for self._signal in signals:
                if not self._opening:  # there is nothing to close yet, and so nobody else exits
                    self._exit_after_signal()
                serving.cancel()

    def _exit_after_signal(self) -> None:
        if self._signal is not None:
            sys.stderr.flush()
            os._exit(128 + self._signal)
