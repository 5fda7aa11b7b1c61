"""The render worker of a process: renders the waiting tasks in a child process, one by one.

Several processes may share one folder. A file lock lets only one of them render at a
time, and the system releases it when that process exits, for whatever reason. The next
process to hold the lock renders an interrupted task again.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from .files import FileLock, open_private, run_in_thread
from .store import Store, Task, TaskError, unix_time

log = logging.getLogger(__name__)

LOCK_RETRY_SECONDS: Final = 0.5
"""Interval between attempts to take the lock while another process renders."""
DISK_RETRY_SECONDS: Final = 5.0
MAX_ATTEMPTS: Final = 3
STOP_SECONDS: Final = 5.0
"""Time for a terminated child to clean up, which takes it milliseconds."""
MAX_LINE_BYTES: Final = 64 * 1024
NEEDED_BY_PYTHON: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP"),
    *("PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONPLATLIBDIR"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUTF8"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    "COVERAGE_PROCESS_CONFIG",  # coverage of the tests measures the children as well
)
"""Variables that a Python and its libraries are found by, and none that holds a secret."""


class RenderWorker:
    """Renders the waiting tasks of *store* while `run` runs.

    A child without output for *stall_timeout_seconds* is considered stuck and stopped.
    """

    def __init__(
        self, store: Store, *, renderer: Sequence[str], stall_timeout_seconds: float
    ) -> None:
        self._store = store
        self._renderer = list(renderer)
        self._stall_timeout_seconds = stall_timeout_seconds
        self._wakeup = anyio.Event()
        self._changed = anyio.Event()

    def wake(self) -> None:
        """Make the worker check for tasks to render."""
        self._wakeup.set()

    async def wait_for_change(self, *, at_most: float) -> None:
        """Wait until this process finishes a task, for *at_most* seconds.

        The caller then reads the task itself: another process may have finished it.
        """
        with anyio.move_on_after(at_most):
            await self._changed.wait()

    async def run(self) -> None:
        """Render until cancelled; a render in progress is then stopped."""
        while True:
            # Created before the check, so that a wake-up during the check is not lost.
            self._wakeup = wakeup = anyio.Event()
            try:
                pause_seconds = await self._run_one()
            except OSError as exc:
                log.warning("The sandbox could not use its folder: %s", type(exc).__name__)
                pause_seconds = DISK_RETRY_SECONDS
            with anyio.move_on_after(pause_seconds):
                await wakeup.wait()

    async def _run_one(self) -> float | None:
        """Process one task if one is waiting and the lock is free.

        Returns the seconds until the next check; None to wait for a wake-up.
        """
        await run_in_thread(self._store.prune)
        if not await run_in_thread(self._store.list_unrecorded):
            return None
        lock = FileLock(self._store.render_lock_path)
        try:
            if not await run_in_thread(lock.try_acquire):
                return LOCK_RETRY_SECONDS
            # Read again under the lock: another process may have finished it meanwhile.
            unrecorded = await run_in_thread(self._store.list_unrecorded)
            if unrecorded:
                await self._process(unrecorded[0], lock)
            return 0.0
        finally:
            lock.release()

    async def _process(self, task: Task, lock: FileLock) -> None:
        if not task.finished:
            task = task.model_copy(
                update={"status": "running", "started_at": unix_time(), "progress": 0.0}
            )
            await run_in_thread(self._store.save_task, task)
            task = await self._render_task(task, lock)
        await run_in_thread(self._store.save_task, task)
        log.info("Sandbox task %s: %s", task.id, task.status)
        if task.finished:
            self._changed.set()
            self._changed = anyio.Event()

    async def _render_task(self, task: Task, lock: FileLock) -> Task:
        """Run one render child; return the task finished, or with one more failed attempt."""
        try:
            async with self._open_child(task, lock) as child:
                error = await self._read_output(task, child)
        except (FileNotFoundError, PermissionError, TimeoutError, anyio.DelimiterNotFound):
            error = None
        latest = await run_in_thread(self._store.load_task, task.id)
        if latest is not None and latest.finished:
            return latest
        failed_attempts = task.failed_attempts + 1
        if error is None and failed_attempts >= MAX_ATTEMPTS:
            error = TaskError(
                code="render_failed",
                message=f"The sandbox's renderer stopped {failed_attempts} times without "
                "reporting a reason.",
            )
        if error is None:
            return task.model_copy(update={"failed_attempts": failed_attempts})
        return task.model_copy(
            update={
                "status": "failed",
                "error": error,
                "finished_at": unix_time(),
                "failed_attempts": failed_attempts,
            }
        )

    @asynccontextmanager
    async def _open_child(self, task: Task, lock: FileLock) -> AsyncGenerator[Process]:
        """Start a render child and stop it when the block ends.

        Its stdin is a pipe from this process, so that it also exits if this process dies.
        """
        folder = self._store.task_folder(task.id)
        # Shielded: cancelled between its start and the block below, the child would have no owner.
        with open_private(folder / "render.log") as errors, _shielded():
            child = await anyio.open_process(
                [*self._renderer, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=child_environment(),
                **_process_options(lock),
            )
        try:
            yield child
        finally:
            with _shielded():
                await _stop_child(child)

    async def _read_output(self, task: Task, child: Process) -> TaskError | None:
        """Read the child's output until it ends; return the error that it reported, if any.

        Raises:
            TimeoutError: there was no output for too long.
            DelimiterNotFound: the output has a line that is too long.
        """
        if child.stdout is None:  # pragma: no cover - it was opened with a pipe
            return None
        lines = BufferedByteReceiveStream(child.stdout)
        reported: TaskError | None = None
        while (line := await self._read_line(lines)) is not None:
            message = _parse_message(line)
            progress, error = message.get("progress"), message.get("error")
            if isinstance(error, dict):
                fields = cast("dict[str, object]", error)
                reported = TaskError(
                    code=str(fields.get("code", "render_failed"))[:100],
                    message=str(fields.get("message", "The sandbox's renderer failed."))[:500],
                )
            elif isinstance(progress, int | float):
                with suppress(OSError):
                    await run_in_thread(self._store.save_progress, task.id, float(progress))
        with anyio.fail_after(self._stall_timeout_seconds):
            await child.wait()
        return reported

    async def _read_line(self, lines: BufferedByteReceiveStream) -> bytes | None:
        with anyio.fail_after(self._stall_timeout_seconds):
            try:
                return await lines.receive_until(b"\n", MAX_LINE_BYTES)
            except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
                return None


@contextmanager
def _shielded() -> Generator[None]:
    """Shield the block from cancellation."""
    with anyio.CancelScope(shield=True):
        yield


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a render child: what a Python needs, and no key and no proxy."""
    kept = {name: environ[name] for name in NEEDED_BY_PYTHON if name in environ}
    paths = [Path(path) for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    root = Path(__file__).parent.parent
    # A zip, or the folder that the parent was started in; site-packages are found without help.
    if root.name not in {"site-packages", "dist-packages"}:
        paths.append(root)
    if paths:
        kept["PYTHONPATH"] = os.pathsep.join(str(path.absolute()) for path in paths)
    return kept | {"MALLOC_ARENA_MAX": "2"}  # a heap for each thread would be too many


def _process_options(lock: FileLock) -> dict[str, Any]:
    """Return options that keep a terminal's Ctrl-C from the child.

    On POSIX the child also holds the lock, so that a child whose parent has died and which
    has not exited yet keeps the next process from rendering at the same time.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    descriptors = () if lock.descriptor is None else (lock.descriptor,)
    return {"start_new_session": True, "umask": 0o077, "pass_fds": descriptors}


async def _stop_child(child: Process) -> None:
    """Stop the child if it is running: terminate it, then kill it after a timeout."""
    if child.returncode is None:
        child.terminate()
        with anyio.move_on_after(STOP_SECONDS):
            await child.wait()
    if child.returncode is None:
        child.kill()
    await child.aclose()


def _parse_message(line: bytes) -> dict[str, object]:
    try:
        message: object = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", message) if isinstance(message, dict) else {}
