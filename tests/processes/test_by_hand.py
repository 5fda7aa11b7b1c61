"""The server started in a terminal, where nobody is who speaks MCP."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.process import MODULE, environment

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals on Windows")


@pytest.mark.exhaustive
@pytest.mark.parametrize("seconds_open", [0.0, 1.5])
def test_a_server_started_by_hand_says_what_it_is_and_ends_with_ctrl_c(
    tmp_path: Path, seconds_open: float
) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own program
        MODULE,
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        printed = b""
        while b"Ctrl-C" not in printed:
            printed += os.read(process.stderr.fileno(), 10_000)
        ready = tmp_path / "state" / "ledger.sqlite3"
        until = time.monotonic() + (30 if seconds_open else 0)
        while not ready.exists() and time.monotonic() < until:
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=30)
        rest, out = process.stderr.read(), process.stdout.read()
    os.close(leader)
    os.close(follower)

    assert b"geekai-video-mcp install HOST" in printed
    assert (status, rest, out) == (130, b"", b"")


def test_a_host_that_starts_it_is_told_nothing(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        MODULE, input=b"", capture_output=True, env=environment(tmp_path), check=False, timeout=50
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
