"""strace on a waiting worker: record its system calls, or kill it at one of them.

Note (measured, strace 6.1): `when=N` counts per system call and per thread, not over a set of
calls. So a point is (thread, call, N), the calls are counted for each thread in a first run,
and each later run traces a single thread. The points that really fired are counted as well,
because a test without kills proves nothing.
"""

import functools
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from reliability.harness import TIMEOUT, Child, Harness

DURABLE: Final = (
    "openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,link,linkat,"
    "unlink,unlinkat,mkdir,mkdirat,flock"
)
NETWORK: Final = "connect,sendto,sendmsg,recvfrom,recvmsg,read"
CALLS: Final = f"{DURABLE},{NETWORK}"
PAGE: Final = "4096"
"""Bytes of each write that a recording shows: a whole page of the ledger."""
_CALL: Final = re.compile(r"^(\d+)\s+([a-z0-9_]+)\((.*)$")


@dataclass(frozen=True)
class Call:
    """One system call of a recording."""

    thread: int
    """0 for the main thread, then in order of creation."""
    name: str
    number: int
    """Its index among the calls of this name in this thread, from 1."""
    detail: str
    """Its arguments and result as strace prints them, with the paths of descriptors."""

    @property
    def place(self) -> tuple[int, str, int]:
        """By which strace finds it in another run."""
        return self.thread, self.name, self.number

    @property
    def is_commit(self) -> bool:
        """Whether it sends a COMMIT to a database."""
        return self.name in {"sendto", "write"} and "COMMIT;" in self.detail

    @property
    def matters(self) -> bool:
        """Whether it makes something durable or uses the network."""
        if self.name == "openat":
            return "O_CREAT" in self.detail
        if self.name in {"write", "pwrite64"}:
            return (
                re.match(r"\d+<(/[^>]*)>", self.detail) is not None and "/dev/" not in self.detail
            )
        if self.name in NETWORK.split(","):
            return "<TCP" in self.detail
        return True


@functools.cache
def why_unavailable() -> str:
    """Why strace cannot attach to a process here; empty if it can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    with subprocess.Popen(["sleep", "60"]) as victim:  # noqa: S607 - a program of every system
        command = [strace, "-o", os.devnull, "-p", str(victim.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:  # noqa: S603 - arguments of this file
            assert tracer.stderr is not None
            message = tracer.stderr.readline().decode(errors="replace")
            victim.kill()
    return "" if "attached" in message else f"strace may not attach here: {message.strip()}"


@asynccontextmanager
async def attached_strace(
    child: Child, log: Path, *options: str, thread: int | None
) -> AsyncGenerator[None]:
    """Attach strace to one thread of a waiting child, or to all of them."""
    target = child.threads[thread or 0]
    follow = [] if thread is not None else ["-f"]
    command = ["strace", *follow, "-o", str(log), *options, "-p", str(target)]
    async with await anyio.open_process(command, stdout=subprocess.DEVNULL) as tracer:
        assert tracer.stderr is not None
        stderr = BufferedByteReceiveStream(tracer.stderr)
        with anyio.fail_after(TIMEOUT):
            await stderr.receive_until(b" attached", 10_000)
        yield
        with anyio.move_on_after(TIMEOUT):
            await tracer.wait()


async def record_calls(harness: Harness, child: Child, log: Path) -> list[Call]:
    """Let the child run to its end, and return every call that it made."""
    await child.ready.wait()
    async with attached_strace(child, log, "-yy", "-s", PAGE, "-e", f"trace={CALLS}", thread=None):
        await harness.send_signal(child, signal.SIGUSR1)
        await child.wait()
    return parse_log(log.read_text("utf-8", "replace").splitlines(), child.threads)


async def kill_at(harness: Harness, child: Child, call: Call, log: Path) -> bool:
    """Let the child run until it is killed at *call*; False if it never reached that call."""
    await child.ready.wait()
    inject = f"inject={call.name}:signal=SIGKILL:when={call.number}"
    async with attached_strace(
        child, log, "-e", f"trace={call.name}", "-e", inject, thread=call.thread
    ):
        await harness.send_signal(child, signal.SIGUSR1)
        return await child.wait() == -signal.SIGKILL


def parse_log(lines: Sequence[str], threads: Sequence[int]) -> list[Call]:
    """The calls of a log, numbered per thread; threads that are not in *threads* come last."""
    known = {str(thread): index for index, thread in enumerate(threads)}
    counts = Counter[tuple[str, str]]()
    calls = list[Call]()
    for line in lines:
        if match := _CALL.match(line):
            thread, name, detail = match.groups()
            counts[thread, name] += 1
            index = known.setdefault(thread, len(known))
            calls.append(Call(index, name, counts[thread, name], detail))
    return calls
