"""A server over stdio as a process, spoken to in raw JSON lines, with what it costs.

The client does as little as it can: it shares the machine with what is measured. On Linux alone.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.report import ROOT

BARE_SERVER: Final = (sys.executable, str(ROOT / "benchmarks" / "support" / "bare_server.py"))
"""The command of the floor; a file after it is the result that its tool returns."""
OWN_SERVER: Final = (sys.executable, "-m", "geekai_video_mcp")
"""The command of this server."""
PROTOCOL_VERSION: Final = "2025-11-25"
"""What the client asks for: the newest with a handshake, which every host speaks."""


class StdioServer:
    """A running server; every request waits for its response."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._last_id = 0

    def initialize(self) -> None:
        """Make the handshake as far as the response: what a host waits for."""
        self.request(
            "initialize",
            protocolVersion=PROTOCOL_VERSION,
            capabilities={},
            clientInfo={"name": "benchmarks", "version": "1"},
        )

    def notify_initialized(self) -> None:
        """End the handshake."""
        self.send_line(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    def call_tool(self, name: str, **arguments: object) -> dict[str, Any]:
        """The result of a call."""
        return self.request("tools/call", name=name, arguments=arguments)

    def request(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a request; notifications and other responses before it are dropped."""
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self.send_line(json.dumps(message).encode())
        while True:
            answer = json.loads(self.read_line())
            if answer.get("id") == self._last_id and "method" not in answer:
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                return answer["result"]

    def send_line(self, line: bytes) -> None:
        """Send one message, which has been encoded already."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def read_line(self) -> bytes:
        """The next message, undecoded."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            msg = f"the server ended: {self._process.args}"
            raise RuntimeError(msg)
        return line

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """User and system time of the process so far, in all its threads, without children."""
        # What clock_getcpuclockid(3) returns: nanoseconds, where /proc has hundredths of a second.
        return time.clock_gettime((~self.pid << 3) | 2)

    def rss_bytes(self) -> int:
        """Resident memory now, counted page by page."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise AssertionError

    def kill(self) -> float:
        """Kill it; its whole CPU time in seconds, with that of children it waited for."""
        self._process.kill()
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    stderr: int = subprocess.DEVNULL,
) -> Generator[StdioServer]:
    """A server started by *command*, before its handshake; killed at the end of the block.

    *folder* takes everything that it writes. Without *settings* it has no key.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(folder, settings or {}),
        cwd=folder,
    ) as process:
        server = StdioServer(process)
        try:
            yield server
        finally:
            if process.returncode is None:
                server.kill()


@contextlib.contextmanager
def greeted(command: Sequence[str], *, list_tools: bool = False) -> Generator[StdioServer]:
    """A server that has answered `initialize`, and with *list_tools* also `tools/list`."""
    with tempfile.TemporaryDirectory() as folder, running(command, folder=Path(folder)) as server:
        server.initialize()
        if list_tools:
            server.notify_initialized()
            server.request("tools/list")
        yield server


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of ours, and with *settings*, in *folder*.

    Modules are compiled once, in the round that is not counted: an installation has them so.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEEKAI_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {
        # The server's folder is another one: what is relative would lead elsewhere.
        "PYTHONPATH": _absolute(os.environ.get("PYTHONPATH", "")),
        "GEEKAI_SETTINGS_FILE": os.devnull,
        "GEEKAI_STATE_DIR": str(folder / "state"),
        "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
        **settings,
    }


def _absolute(paths: str) -> str:
    """The folders of a search path, from the root."""
    return os.pathsep.join(str(Path(each).resolve()) for each in paths.split(os.pathsep) if each)
