"""How a child program begins: it limits itself, and then reads its request.

The limits come first, because the file it reads may be hostile. Where the system has no
such limits (Windows), or does not keep to them (macOS), the checks of sizes in `pictures` and
`videos` are what bounds a child.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn, cast

try:
    import resource
except ImportError:  # Windows
    resource = None

MEMORY_BYTES: Final = 768 * 1024 * 1024
"""Bytes of memory that a child may allocate. The largest files that `pictures` and `videos` let
through need 90 % of it; a normal clip needs 100 MB."""
ADDRESS_BYTES: Final = MEMORY_BYTES + 512 * 1024 * 1024
"""Address space, for kernels that count only part of the above: the codecs' libraries and the
stacks of threads take addresses and no memory."""
CPU_SECONDS: Final = 30
WALL_SECONDS: Final = 60
"""A child whose parent has died ends by itself."""
PARENT_CHECK_SECONDS: Final = 0.5

FAILED: Final = 1
"""The exit status of a child that could not decode the file."""
TOO_LARGE: Final = 2
"""The exit status for more pixels than are decoded."""
OUT_OF_MEMORY: Final = 3
"""The exit status of a child that its memory limit has stopped."""
Main = Callable[[Sequence[str], bytes], int]
"""Takes the arguments and the content that came by the pipe; returns the exit status."""


def run_program(
    main: Main, *, cpu_seconds: int = CPU_SECONDS, wall_seconds: int = WALL_SECONDS
) -> NoReturn:
    """Run *main* within the limits, on the request at stdin, and exit with its status."""
    limit_resources(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds)
    arguments = cast("list[str]", json.loads(sys.stdin.buffer.readline()))
    try:
        status = main(arguments, sys.stdin.buffer.read())
    except MemoryError:
        status = OUT_OF_MEMORY
    sys.exit(status)


def limit_resources(*, cpu_seconds: int = CPU_SECONDS, wall_seconds: int = WALL_SECONDS) -> None:
    """Limit this process's memory and time, and let it write no core file."""
    if hasattr(signal, "alarm"):
        signal.alarm(wall_seconds)
    if resource is None:
        return
    for limit, most in (
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        (resource.RLIMIT_AS, ADDRESS_BYTES),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(limit, (least, least))


def end_with_parent() -> None:
    """End this process within a second of its parent's death: nobody would take its work."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(FAILED)

    threading.Thread(target=watch, daemon=True).start()


def is_memory_short() -> bool:
    """Whether an error may come from the memory limit: libav does not always say so."""
    # Not from getrusage: after an exec, it still holds the peak of the process that forked.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024 > MEMORY_BYTES // 2
    return False
