"""The one worker of a process: takes the next waiting task and has a child render it.

Any number of processes look at one folder; a lock on a file lets one of them render
at a time, and the system releases it when that process is gone, however it went. A
render that was cut short is begun again by whoever comes next.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from .files import FileLock, aside, open_private
from .store import Store, Task, Trouble, now

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS: Final = 0.5
"""Between looks while another process renders; its work is no news to us otherwise."""
DISK_TROUBLE_SECONDS: Final = 5.0
MAX_DEATHS: Final = 3
STOP_SECONDS: Final = 5.0
"""What a child is given to tidy up; it needs milliseconds."""
MAX_LINE_BYTES: Final = 64 * 1024


class Studio:
    """Renders what waits in *store* for as long as `run` runs.

    *silence_seconds* is how long a child may say nothing before it counts as stuck.
    """

    def __init__(self, store: Store, *, renderer: Sequence[str], silence_seconds: float) -> None:
        self._store = store
        self._renderer = list(renderer)
        self._silence_seconds = silence_seconds
        self._bell = anyio.Event()
        self._news = anyio.Event()

    def ring(self) -> None:
        """Say that there may be something to render."""
        self._bell.set()

    async def news(self, *, at_most: float) -> None:
        """Wait until a task is finished here, or *at_most* seconds: others may finish one."""
        with anyio.move_on_after(at_most):
            await self._news.wait()

    async def run(self) -> None:
        """Work until cancelled; a child in the middle of a render is then stopped."""
        while True:
            # Hung up before looking: a ring during the look is heard after it.
            self._bell = bell = anyio.Event()
            try:
                pause_seconds = await self._turn()
            except OSError as exc:
                log.warning("The sandbox could not use its folder: %s", type(exc).__name__)
                pause_seconds = DISK_TROUBLE_SECONDS
            with anyio.move_on_after(pause_seconds):
                await bell.wait()

    async def _turn(self) -> float | None:
        """Do one task if one waits and the lock is free.

        Returns the seconds after which to look again; None for "when the bell rings".
        """
        await aside(self._store.prune)
        if not await aside(self._store.unrecorded):
            return None
        lock = FileLock(self._store.render_lock)
        try:
            if not await aside(lock.take):
                return LOOK_AGAIN_SECONDS
            # Again, under the lock: another process may have done it in between.
            waiting = await aside(self._store.unrecorded)
            if waiting:
                await self._do(waiting[0], lock)
            return 0.0
        finally:
            lock.release()

    async def _do(self, task: Task, lock: FileLock) -> None:
        if not task.finished:
            task = task.model_copy(
                update={"status": "running", "started_at": now(), "progress": 0.0}
            )
            await aside(self._store.save, task)
            task = await self._render(task, lock)
        await aside(self._store.save, task)
        log.info("Sandbox task %s: %s", task.id, task.status)
        if task.finished:
            self._news.set()
            self._news = anyio.Event()

    async def _render(self, task: Task, lock: FileLock) -> Task:
        """The task as one child's life leaves it: finished, or with one more death."""
        try:
            async with self._child(task, lock) as child:
                trouble = await self._listen(task, child)
        except (FileNotFoundError, PermissionError, TimeoutError, anyio.DelimiterNotFound):
            trouble = None
        seen = await aside(self._store.load, task.id)
        if seen is not None and seen.finished:
            return seen
        deaths = task.deaths + 1
        if trouble is None and deaths >= MAX_DEATHS:
            trouble = Trouble(
                code="render_failed",
                message=f"The sandbox's renderer stopped {deaths} times without saying why.",
            )
        if trouble is None:
            return task.model_copy(update={"deaths": deaths})
        return task.model_copy(
            update={"status": "failed", "error": trouble, "finished_at": now(), "deaths": deaths}
        )

    @asynccontextmanager
    async def _child(self, task: Task, lock: FileLock) -> AsyncGenerator[Process]:
        """A render child that never outlives this block, nor, by its open stdin, this process."""
        folder = self._store.folder_of(task.id)
        with open_private(folder / "render.log") as errors:
            child = await anyio.open_process(
                [*self._renderer, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                **_apart(lock),
            )
        try:
            yield child
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(child)

    async def _listen(self, task: Task, child: Process) -> Trouble | None:
        """Follow the child to its end; return the error it reported, if it did.

        Raises:
            TimeoutError: it fell silent.
            DelimiterNotFound: it says something that is no line.
        """
        if child.stdout is None:  # pragma: no cover - it was opened with a pipe
            return None
        lines = BufferedByteReceiveStream(child.stdout)
        trouble: Trouble | None = None
        while (line := await self._line(lines)) is not None:
            word = _parse(line)
            progress, error = word.get("progress"), word.get("error")
            if isinstance(error, dict):
                trouble = _trouble(cast("dict[str, object]", error))
            elif isinstance(progress, int | float):
                with suppress(OSError):
                    await aside(self._store.note_progress, task.id, float(progress))
        with anyio.fail_after(self._silence_seconds):
            await child.wait()
        return trouble

    async def _line(self, lines: BufferedByteReceiveStream) -> bytes | None:
        with anyio.fail_after(self._silence_seconds):
            try:
                return await lines.receive_until(b"\n", MAX_LINE_BYTES)
            except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
                return None


def _apart(lock: FileLock) -> dict[str, Any]:
    """How the child is set apart: Ctrl-C in a terminal is for us, not for a render.

    On POSIX it also holds the lock, so that an orphan which has not noticed yet keeps
    the next process from rendering beside it.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    held = () if lock.descriptor is None else (lock.descriptor,)
    return {"start_new_session": True, "umask": 0o077, "pass_fds": held}


async def _stop(child: Process) -> None:
    """End the child if it has not ended: asked first, then made to."""
    if child.returncode is None:
        child.terminate()
        with anyio.move_on_after(STOP_SECONDS):
            await child.wait()
    if child.returncode is None:
        child.kill()
    await child.aclose()


def _parse(line: bytes) -> dict[str, object]:
    try:
        word: object = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", word) if isinstance(word, dict) else {}


def _trouble(error: dict[str, object]) -> Trouble:
    return Trouble(
        code=str(error.get("code", "render_failed"))[:100],
        message=str(error.get("message", "The sandbox's renderer failed."))[:500],
    )
