"""The command line. Without arguments it serves MCP over stdio.

Only this package reads the environment and writes the process's own output. Rules about tasks
and money may not enter: they are in the packages below. stdout belongs to the protocol, so
messages for people go to stderr; only the `tasks` command, which serves no protocol, writes to
stdout. Imports are inside the commands, because a host waits for the response to `initialize`.
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

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from geekai_sandbox.app import Sandbox
    from geekai_video_mcp.app import App, AppFactory
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.errors import GeekAIVideoError

NOT_USABLE: Final = 2
"""Exit status for an invalid command line or environment, the same as argparse's."""
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, by the convention of shells."""
SERVE_PORT: Final = 8765
SANDBOX_PORT: Final = 8766
LAST_PORT: Final = 65535


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    arguments = _parse_arguments(list(sys.argv[1:] if argv is None else argv))
    # Imports create many objects and no garbage: collections would cost a tenth of the start-up.
    gc.disable()
    from geekai_video_mcp.errors import GeekAIVideoError

    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except GeekAIVideoError as exc:
        _print_error(exc.message)
        return NOT_USABLE
    except BaseExceptionGroup as exc:  # the SDK wraps what is raised when a server starts
        own_errors = exc.subgroup(GeekAIVideoError)
        if own_errors is None:
            raise
        _print_error(_first_error(own_errors).message)
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
    serve.set_defaults(run=_run_serve)
    sandbox = commands.add_parser(
        "sandbox", help="run a GeekAI-compatible mock API that renders preview videos"
    )
    _add_address_options(sandbox, default_port=SANDBOX_PORT)
    sandbox.add_argument("--folder", type=Path, help="folder in which it keeps its tasks")
    sandbox.set_defaults(run=_run_sandbox)
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


def _run_serve(arguments: argparse.Namespace) -> int:
    settings = _load_settings()
    from geekai_video_mcp.app import open_app
    from geekai_video_mcp.server import build_server

    opener = partial(open_app, settings)
    if arguments.transport == "stdio":
        from geekai_video_mcp.server.stdio import serve_stdio

        shutdown = _GracefulShutdown(opener)
        server = build_server(shutdown.open_app)
        _resume_gc()
        anyio.run(shutdown.run_until_signal, partial(serve_stdio, server))
        return 0
    from geekai_video_mcp.server.http import bind_loopback, build_http

    listener = bind_loopback(arguments.host, arguments.port)
    app = build_http(opener, transport=arguments.transport)
    _resume_gc()
    paths = {"sse": "/sse", "streamable-http": "/mcp", "http": "/mcp and /sse"}
    url = f"{_origin_url(listener)}{paths[arguments.transport]}"
    _print_error(f"MCP at {url} (press Ctrl-C to stop)")
    return _run_uvicorn(app, listener)


def _run_sandbox(arguments: argparse.Namespace) -> int:
    from geekai_sandbox.app import Sandbox
    from geekai_video_mcp.errors import ConfigError, describe_os_error
    from geekai_video_mcp.server.http import bind_loopback

    folder = arguments.folder or _load_settings().state_dir / "sandbox"
    try:
        folder = folder.expanduser().resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as exc:  # RuntimeError: of ~ without a home, or a loop of links
        reason = describe_os_error(exc) if isinstance(exc, OSError) else "it cannot be resolved"
        name = "--folder" if arguments.folder else "GEEKAI_STATE_DIR"
        raise ConfigError({name: f"cannot hold the sandbox's tasks: {reason}"}) from exc
    listener = bind_loopback(arguments.host, arguments.port)
    base_url = f"{_origin_url(listener)}/api/v1"
    sandbox = Sandbox(folder, base_url=base_url)
    _resume_gc()
    _print_error(f"Sandbox at {base_url} (press Ctrl-C to stop)")
    return _run_uvicorn(_with_lifespan(sandbox), listener)


def _run_tasks(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.tasks import run_tasks

    settings = _load_settings()
    _resume_gc()
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
    from geekai_video_mcp.config import Settings

    settings = Settings.from_env(os.environ)
    logging.basicConfig(level=settings.log_level, stream=sys.stderr)
    for warning in settings.warnings:
        logging.getLogger(__name__).warning("%s", warning)
    return settings


def _run_uvicorn(app: "ASGIApp", listener: "socket.socket") -> int:
    import uvicorn

    guarded = _StartupErrors(app)
    config = uvicorn.Config(guarded, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except SystemExit:  # uvicorn's exit if the application cannot start
        if guarded.error is None:
            raise
        raise guarded.error from None
    return 0


def _origin_url(listener: "socket.socket") -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resume_gc() -> None:
    gc.freeze()
    gc.enable()


class _StartupErrors:
    """An application whose own errors at start are kept for `main`, and not logged with traces."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app
        self.error: GeekAIVideoError | None = None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failures: list[Message] = []

        async def hold_failure(message: "Message") -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        from geekai_video_mcp.errors import GeekAIVideoError

        try:
            await self._app(scope, receive, hold_failure)
        except BaseException as exc:
            errors = BaseExceptionGroup[BaseException]("", [exc]).subgroup(GeekAIVideoError)
            self.error = _first_error(errors) if failures and errors else None
            for message in failures:
                await send({**message, "message": ""} if self.error else message)
            raise


class _GracefulShutdown:
    """Drains a stdio server on SIGTERM or SIGINT: responses to paid requests are recorded first.

    The SDK reads its input on a thread that ends only after the host's next line, so the
    process exits as soon as the `App` is closed.
    """

    def __init__(self, open_app: "AppFactory") -> None:
        self._open_app = open_app
        self._signal: signal.Signals | None = None

    @asynccontextmanager
    async def open_app(self) -> "AsyncGenerator[App]":
        try:
            async with self._open_app() as app:
                yield app
        finally:
            if self._signal is not None:
                sys.stderr.flush()
                os._exit(128 + self._signal)

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
                serving.cancel()


def _first_error(group: "BaseExceptionGroup[GeekAIVideoError]") -> "GeekAIVideoError":
    """The first error in a group, which may contain groups."""
    inner = group.exceptions[0]
    return _first_error(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _print_error(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
