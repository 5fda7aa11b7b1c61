"""What a server holds in memory: after `tools/list`, as hosts keep it, and after its first call."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.comparison import compare
from benchmarks.rows import Row, Target, difference_row
from benchmarks.support.stdio import BARE_SERVER, OWN_SERVER, StdioServer, greeted, running

KEY: Final = {"GEEKAI_API_KEY": "sk-of-no-service-0123456789"}
"""With a key there is no sandbox in the process; the calls here need no service."""


def measure(rounds: int) -> Sequence[Row]:
    """Resident memory after `tools/list`, and after the first call of a tool."""
    return [
        _row(
            "resident memory after `tools/list`",
            floor=lambda: _after_tools_list(BARE_SERVER),
            subject=lambda: _after_tools_list(OWN_SERVER),
            target=Target(value=4),
            rounds=rounds,
        ),
        _row(
            "resident memory once everything is open: the first call of a tool is answered",
            floor=lambda: _after_call(BARE_SERVER, lambda bare: bare.call_tool("echo", text="a")),
            subject=lambda: _after_call(OWN_SERVER, lambda own: own.call_tool("list_video_tasks")),
            target=None,
            rounds=rounds,
        ),
    ]


def _row(
    figure: str,
    *,
    floor: Callable[[], float],
    subject: Callable[[], float],
    target: Target | None,
    rounds: int,
) -> Row:
    comparison = compare(floor=floor, subject=subject, rounds=rounds)
    own, bare = (statistics.median(one) for one in (comparison.subject, comparison.floor))
    return difference_row(
        comparison,
        figure=figure,
        floor="a bare SDK server with one tool",
        unit="MB",
        target=target,
        details=f"{own:.1f} MB against {bare:.1f} MB",
    )


def _after_tools_list(command: Sequence[str]) -> float:
    with greeted(command, list_tools=True) as server:
        return server.rss_bytes() / 1e6


def _after_call(command: Sequence[str], call: Callable[[StdioServer], object]) -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        running(command, folder=Path(folder), settings=KEY) as server,
    ):
        server.initialize()
        server.notify_initialized()
        server.request("tools/list")
        call(server)
        return server.rss_bytes() / 1e6
