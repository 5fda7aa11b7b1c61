"""How often the disk is synced for one submitted request, its first lease included.

Counted by strace over the server's process, in the second after each call: the first poll comes
later than that.
"""

import contextlib
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.report import ROOT
from benchmarks.rows import Row, Target
from benchmarks.support.service import running_service
from benchmarks.support.stdio import StdioServer
from benchmarks.support.submission import FLOOR_WORK, Caller, paying_server, submitting_server

AFTERWARDS: Final = 1.0
"""Seconds after a call in which what it has begun in the background is counted as well."""


def measure(rounds: int) -> Sequence[Row]:
    """One call in each round."""
    with tempfile.TemporaryDirectory(dir=ROOT) as name, running_service() as url:
        folder = Path(name)
        with submitting_server(url, folder) as subject:
            counts = count_syncs(subject, rounds, folder / "subject.log")
        with paying_server(url, folder) as floor:
            floor_counts = count_syncs(floor, rounds, folder / "floor.log")
    low, _, high = statistics.quantiles(counts, n=4, method="inclusive")
    return [
        Row(
            figure="Syncs to disk of one submitted request, its first lease included",
            floor=f"{FLOOR_WORK}: {statistics.median(floor_counts):g} syncs",
            unit="syncs",
            value=statistics.median(counts),
            spread=(low, high),
            target=Target(value=10),
        )
    ]


def count_syncs(server: StdioServer, rounds: int, log: Path) -> Sequence[int]:
    """The syncs of each of so many calls, after one that is not counted."""
    caller, spans = Caller(server), list[tuple[float, float]]()
    caller.call()
    with traced_syncs(server, log):
        for _ in range(rounds):
            began = time.time()
            caller.call()
            time.sleep(AFTERWARDS)
            spans.append((began, time.time()))
    found = re.findall(r"^\d+ +([\d.]+) f(?:data)?sync\(", log.read_text("utf-8"), re.MULTILINE)
    synced_at = [float(at) for at in found]
    return [sum(began < at < ended for at in synced_at) for began, ended in spans]


@contextlib.contextmanager
def traced_syncs(server: StdioServer, log: Path) -> Generator[None]:
    """Have strace write every sync of the server's process, with its time, into *log*."""
    command = ["strace", "-f", "-ttt", "-e", "trace=fsync,fdatasync", "-o", str(log)]
    with subprocess.Popen([*command, "-p", str(server.pid)], stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if b"attached" not in line:
            raise RuntimeError(line.decode(errors="replace"))
        yield
        tracer.terminate()  # strace detaches, and writes what it holds back
