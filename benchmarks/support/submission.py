"""The two programs that are compared at submitting, and the calls that both are given."""

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

from benchmarks.report import ROOT
from benchmarks.support.service import KEY
from benchmarks.support.stdio import OWN_SERVER, StdioServer, running

FLOOR_WORK: Final = (
    "an SDK tool that makes one httpx POST between two small transactions (TRUNCATE, FULL)"
)
NO_CAP: Final = "1000000"


@contextlib.contextmanager
def submitting_server(
    url: str, folder: Path, *, database: str | None = None
) -> Generator[StdioServer]:
    """This server with the service at *url*; its files, but for a *database*, are in *folder*."""
    settings = {
        **({} if database is None else {"GEEKAI_DATABASE_URL": database}),
        "GEEKAI_BASE_URL": url,
        "GEEKAI_API_KEY": KEY,
        "GEEKAI_MAX_IN_FLIGHT": NO_CAP,
        "GEEKAI_MAX_VIDEOS_PER_DAY": NO_CAP,
    }
    with running(OWN_SERVER, folder=folder, settings=settings) as server:
        yield server


@contextlib.contextmanager
def paying_server(url: str, folder: Path) -> Generator[StdioServer]:
    """The floor, with the same service, and its database on the same disk."""
    program = ROOT / "benchmarks" / "support" / "paying_server.py"
    command = (sys.executable, str(program), url, str(folder / "floor.sqlite3"))
    with running(command, folder=folder) as server:
        yield server


class Caller:
    """Makes the calls of one server, each with another prompt."""

    def __init__(self, server: StdioServer) -> None:
        self._server = server
        self._calls = 0
        server.initialize()
        server.notify_initialized()

    def call(self) -> None:
        """Request one video, and wait for the answer.

        Raises:
            RuntimeError: it was refused.
        """
        self._calls += 1
        result = self._server.call_tool(
            "generate_video", model="cogvideox-flash", prompt=f"A fox in the snow, {self._calls}"
        )
        if result.get("isError"):
            raise RuntimeError(result["content"])
