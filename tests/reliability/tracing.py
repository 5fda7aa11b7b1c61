"""strace over a worker that holds: what it called, and death at one of those calls.

The trap (measured, strace 6.1): `when=N` counts per system call and per thread, not over a
set. So a point is (thread, call, N), the calls are counted for each thread in a first run,
and each later run traces one thread alone. Which points really fired is counted as well: a
test that kills nobody proves nothing.
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

from reliability.harness import PATIENCE, Child, Harness

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
    """One system call of a recording, in order."""

    thread: int
    """0 for the main thread, then in the order in which they were made."""
    name: str
    number: int
    """The how-manieth of this name in this thread, from 1."""
    rest: str
    """Its arguments and result as strace prints them, with the paths of descriptors."""

    @property
    def matters(self) -> bool:
        """Whether it makes something durable or speaks to the network."""
        if self.name == "openat":
            return "O_CREAT" in self.rest
        if self.name in {"write", "pwrite64"}:
            return re.match(r"\d+<(/[^>]*)>", self.rest) is not None and "/dev/" not in self.rest
        if self.name in NETWORK.split(","):
            return "<TCP" in self.rest
        return True


@functools.cache
def unavailable() -> str:
    """Why strace cannot attach to a process here; empty if it can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    with subprocess.Popen(["sleep", "60"]) as victim:  # noqa: S607 - a program of every system
        command = [strace, "-o", os.devnull, "-p", str(victim.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:  # noqa: S603 - our own words
            assert tracer.stderr is not None
            words = tracer.stderr.readline().decode(errors="replace")
            victim.kill()
    return "" if "attached" in words else f"strace may not attach here: {words.strip()}"


@asynccontextmanager
async def traced(
    child: Child, log: Path, *options: str, thread: int | None
) -> AsyncGenerator[None]:
    """Strace attached to one thread of a child that holds, or to all of them."""
    target = child.threads[thread or 0]
    follow = [] if thread is not None else ["-f"]
    command = ["strace", *follow, "-o", str(log), *options, "-p", str(target)]
    async with await anyio.open_process(command, stdout=subprocess.DEVNULL) as tracer:
        assert tracer.stderr is not None
        said = BufferedByteReceiveStream(tracer.stderr)
        with anyio.fail_after(PATIENCE):
            await said.receive_until(b" attached", 10_000)
        yield
        with anyio.move_on_after(PATIENCE):
            await tracer.wait()


async def record(here: Harness, child: Child, log: Path) -> list[Call]:
    """Let the child run to its end, and give every call that it made."""
    await child.holds.wait()
    async with traced(child, log, "-yy", "-s", PAGE, "-e", f"trace={CALLS}", thread=None):
        await here.signal(child, signal.SIGUSR1)
        await child.end()
    return read(log.read_text("utf-8", "replace").splitlines(), child.threads)


async def kill_at(here: Harness, child: Child, call: Call, log: Path) -> bool:
    """Let the child run into its death; False if it never came to that call."""
    await child.holds.wait()
    inject = f"inject={call.name}:signal=SIGKILL:when={call.number}"
    async with traced(child, log, "-e", f"trace={call.name}", "-e", inject, thread=call.thread):
        await here.signal(child, signal.SIGUSR1)
        return await child.end() == -signal.SIGKILL


def read(lines: Sequence[str], threads: Sequence[int]) -> list[Call]:
    """The calls of a log, each counted in its thread; threads that nobody named come after."""
    known = {str(thread): index for index, thread in enumerate(threads)}
    counts = Counter[tuple[str, str]]()
    calls = list[Call]()
    for line in lines:
        if found := _CALL.match(line):
            thread, name, rest = found.groups()
            counts[thread, name] += 1
            index = known.setdefault(thread, len(known))
            calls.append(Call(index, name, counts[thread, name], rest))
    return calls
