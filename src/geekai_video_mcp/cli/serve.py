"""`geekai-video-mcp serve`: the MCP server, over stdio or HTTP."""

import argparse
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio

from geekai_video_mcp import __version__
from geekai_video_mcp.cli.addresses import SERVE_PORT, add_address_options
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import NOT_USABLE, OK, print_notice
from geekai_video_mcp.cli.start import load_settings, resume_gc
from geekai_video_mcp.early_interrupt import leave_interrupts_to_python

if TYPE_CHECKING:
    from geekai_video_mcp.app import App, AppFactory
    from geekai_video_mcp.config import Settings


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Run the MCP server: over stdio, as a host starts it, or over HTTP.",
        **examples(f"{prog}", f"{prog} --transport http --port 8765"),
    )
    parser.add_argument(
        "--transport",
        choices=["stdio", "sse", "streamable-http", "http"],
        default="stdio",
        help="http serves both SSE and Streamable HTTP on one port (default: stdio)",
    )
    add_address_options(
        parser,
        default_port=SERVE_PORT,
        host="address to listen on; any but loopback needs tokens or OAuth, and"
        " GEEKAI_ALLOWED_HOSTS",
    )
    parser.add_argument(
        "--root-path",
        type=_parse_root_path,
        default="",
        metavar="PATH",
        help="over HTTP, the path below which a proxy serves this server, such as /video (default:"
        " the path of GEEKAI_PUBLIC_URL)",
    )
    parser.add_argument(
        "--no-token",
        action="store_true",
        help="over HTTP, if only this machine reaches the server, ask for no token although there"
        " is an API key: every user and program of the machine can then spend money",
    )
    parser.add_argument(
        "--sse",
        action="store_true",
        help="with GEEKAI_DATABASE_URL, serve SSE as well: each client's requests then have to"
        " reach the same server every time",
    )
    parser.set_defaults(run=_run, receives_interrupts=True)
    return parser


def _parse_root_path(text: str) -> str:
    if not text:  # the default, for which a start over stdio must not import all of HTTP
        return text
    from geekai_video_mcp.server.http.proxies import parse_prefix

    try:
        return parse_prefix(text)
    except ValueError as exc:
        msg = f"the path {exc}"
        raise argparse.ArgumentTypeError(msg) from exc


def _run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    if arguments.transport == "stdio":
        if settings.hosting.database_url is not None:
            from geekai_video_mcp.cli.replicas import require_key

            require_key(settings)
        from geekai_video_mcp.server.stdio import serve_stdio

        shutdown = _GracefulShutdown(partial(_open_app, settings))
        serve = partial(serve_stdio, shutdown.open_app, default_models=settings.default_models)
        _greet_person()
        anyio.run(shutdown.run_until_signal, serve)
        return OK
    from geekai_video_mcp.cli.http import prepare_http

    leave_interrupts_to_python()
    from geekai_video_mcp.server.http import serve_http

    app, listener, operations = prepare_http(arguments, settings)
    resume_gc()
    serve_http(app, listener, drain=operations.drain)
    return OK


def _open_app(settings: "Settings") -> "AbstractAsyncContextManager[App]":
    from geekai_video_mcp.app import open_app

    return open_app(settings, trust_roots=True)


def _greet_person() -> None:
    """Say what this is to a person who has started it by hand; a host's input is no terminal."""
    if sys.stdin is not None and sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison] - None under pythonw
        print_notice(
            f"geekai-video-mcp {__version__} is waiting for an MCP host on its standard input. A"
            " host starts it by itself:\n"
            "  geekai-video-mcp install HOST   adds it to a host\n"
            "  geekai-video-mcp doctor         checks that everything works\n"
            "  geekai-video-mcp --help         lists all commands\n"
            "Press Ctrl-C to stop."
        )


class _GracefulShutdown:
    """Drains a stdio server on SIGTERM or SIGINT: responses to paid requests are recorded first.

    A thread that reads the input (`server.stdin`) ends only after the host's next line, so the
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
                resume_gc()
                yield app
        except (GeekAIVideoError, BaseExceptionGroup) as exc:
            own_error = first_own_error(exc)
            if own_error is None:
                raise
            print_notice(own_error.message, "ERROR")
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
