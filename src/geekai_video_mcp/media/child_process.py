"""The one way in which this package starts a child program.

The command line holds nothing but the program's name: arguments and content go by a pipe, for a
file's name holds words of its prompt, and any user of the machine can list command lines. The
environment is written out, not inherited: it holds no key, no token and no proxy.
"""

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.lowlevel import RunVar

import geekai_video_mcp

MAX_SECONDS: Final = 30.0
"""Seconds after which a child is killed unless it is given another time; those who wait for one
wait less."""
MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
"""The largest frame as a PNG has less; a child that writes more is killed."""
KILLED: Final = -9
"""The status of a child that was killed and has not been waited for."""
_NEEDED_BY_PYTHON: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP"),
    *("PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONPLATLIBDIR"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUTF8"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    # Windows finds its own libraries, and the user's packages, by these.
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    "COVERAGE_PROCESS_CONFIG",  # coverage of the tests measures the children as well
)
"""Variables that a Python and its libraries are found by, and none that holds a secret."""


class WorkerSlots:
    """How many children of one kind run at the same time, for all callers of this process."""

    def __init__(self, count: int, name: str) -> None:
        self._count: Final = count
        self._slots: Final = RunVar[anyio.Semaphore](name)

    def of_process(self) -> anyio.Semaphore:
        """To be held while a child runs; there is one for each event loop."""
        try:
            return self._slots.get()
        except LookupError:
            slots = anyio.Semaphore(self._count)
            self._slots.set(slots)
            return slots


RunWorker = Callable[[Sequence[str], bytes], Awaitable["subprocess.CompletedProcess[bytes]"]]
"""Runs the program that the first argument names, with the others and this content."""


async def run_worker(
    arguments: Sequence[str],
    content: bytes,
    *,
    max_seconds: float = MAX_SECONDS,
    report_line: Callable[[bytes], None] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run one of our programs; it is killed if the caller is cancelled.

    A child that takes longer than *max_seconds* or writes too much is killed as well, and has no
    output. *report_line* is called with each line of the output when it is written.

    Raises:
        OSError: no process could be started.
    """
    program, *rest = arguments
    command = worker_command(program)
    # Shielded: cancelled between its start and the block below, the child would have no owner.
    with _shield_from_cancellation():
        process = await anyio.open_process(
            command, stderr=subprocess.DEVNULL, env=worker_environment(), **_process_options()
        )
    output: bytes | None = None
    try:
        with anyio.move_on_after(max_seconds):
            output = await _exchange_bytes(process, worker_input(rest, content), report_line)
            if output is not None:
                await process.wait()
    finally:
        with _shield_from_cancellation():
            await _kill_and_close(process)
    status = KILLED if process.returncode is None else process.returncode
    return subprocess.CompletedProcess(command, status, (output or b"") if status == 0 else b"")


def worker_command(program: str) -> list[str]:
    """The command line of one of our programs."""
    # -P: a file named PIL.py in the user's folder must not be what the child imports.
    return [sys.executable, "-P", "-m", f"geekai_video_mcp.media.workers.{program}"]


def worker_input(arguments: Sequence[str], content: bytes = b"") -> bytes:
    """What a program reads from its pipe: a line of arguments, and then the content."""
    return json.dumps(list(arguments)).encode() + b"\n" + content


def worker_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a child program: what a Python needs, and nothing else."""
    kept = {name: environ[name] for name in _NEEDED_BY_PYTHON if name in environ}
    paths = [Path(path) for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    package_root = Path(geekai_video_mcp.__file__).parent.parent
    # A zip, or the folder that the parent was started in; site-packages are found without help.
    if package_root.name not in {"site-packages", "dist-packages"}:
        paths.append(package_root)
    if paths:
        kept["PYTHONPATH"] = os.pathsep.join(str(path.absolute()) for path in paths)
    # Each thread would reserve an arena of its own.
    return kept | {"MALLOC_ARENA_MAX": "2"}


@contextmanager
def _shield_from_cancellation() -> Generator[None]:
    """Shield the block; unlike a bare scope, it swallows no exception for the type checker."""
    with anyio.CancelScope(shield=True):
        yield


def _process_options() -> dict[str, Any]:
    """Options that keep a terminal's Ctrl-C from the child, and a console window from the user."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True, "umask": 0o077}


async def _exchange_bytes(
    process: Process, request: bytes, report_line: Callable[[bytes], None] | None
) -> bytes | None:
    """Write the request while the output is read; None if the output is too long."""
    if process.stdin is None or process.stdout is None:  # pragma: no cover - opened with pipes
        return None
    output: bytes | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_write_request, process.stdin, request)
        output = await _read_bounded(process.stdout, report_line)
        group.cancel_scope.cancel()  # whoever has closed its output reads no more
    return output


async def _write_request(stream: ByteSendStream, request: bytes) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the child has ended
        await stream.send(request)
    await stream.aclose()


async def _read_bounded(
    stream: ByteReceiveStream, report_line: Callable[[bytes], None] | None
) -> bytes | None:
    output, reported = bytearray(), 0
    async for chunk in stream:
        output += chunk
        if len(output) > MAX_OUTPUT_BYTES:
            return None
        while report_line is not None and (end := output.find(b"\n", reported)) >= 0:
            report_line(bytes(output[reported:end]))
            reported = end + 1
    return bytes(output)


async def _kill_and_close(process: Process) -> None:
    """Kill the child if it still runs, and close its pipes."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await process.aclose()
